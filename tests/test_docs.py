"""Every Python block of the documentation runs, and every pyg-nas command in it is a valid one."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import typer.main
from typer.testing import CliRunner

from pyg_nas.cli.app import app
from pyg_nas.data.tables.table import Table
from pyg_nas.graphs import registry as space_registry
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors import recipes
from pyg_nas.predictors.storage import registry as estimator_registry
from pyg_nas.spaces.nasbench201 import official_texts

ROOT = Path(__file__).parents[1]
PAGES = sorted(
    str(path.relative_to(ROOT))
    for path in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    if path.exists()
)

SHELLS = ("sh", "bash", "shell", "")

# Commands that are run where their input exists, with what makes them short. Of an option that
# is given twice, the last counts.
QUICK: dict[str, list[str]] = {
    "train": ["--split", "20", "--epochs", "2"],
    "tune": ["--split", "10", "--folds", "2", "--repeats", "1"],
    "compare": ["--train", "20", "--draws", "2"],
    "evaluate": [],
    "plot": [],
    "predict": [],
    "report": ["--no-learning-curve"],
    "export": [],
    "search": ["--n", "12", "--k", "4", "--rounds", "1", "--seeds", "1"],
    "table info": [],
    "table check": [],
    "table convert": [],
    "table import": [],
    "table export": [],
}


class Block(NamedTuple):
    """A fenced block of a page."""

    language: str
    line: int
    text: str


def blocks(page: str) -> Iterator[Block]:
    """Yield the fenced blocks of a Markdown file."""
    language, start, inside = "", 0, []
    fence = ""
    for number, line in enumerate((ROOT / page).read_text(encoding="utf-8").splitlines(), 1):
        stripped = line.strip()
        if not fence and stripped.startswith("```"):
            fence, language, start, inside = "```", stripped[3:].split(" ")[0], number, []
        elif fence and stripped == fence:
            fence = ""
            yield Block(language, start + 1, "\n".join(inside) + "\n")
        elif fence:
            inside.append(line)
    assert not fence, f"{page}: the block that begins at line {start} has no end"


def commands(block: Block) -> Iterator[list[str]]:
    """Yield the arguments of every pyg-nas call of a shell block."""
    if block.language not in SHELLS:
        return
    for line in block.text.replace("\\\n", " ").splitlines():
        words = shlex.split(line.strip(), comments=True)
        if words and Path(words[0]).name == "pyg-nas":
            yield words[1:]


def split_command(arguments: list[str]) -> tuple[str, list[str], Any]:
    """Return a command's name, its own arguments and its parser."""
    command, names = typer.main.get_command(app), []
    while hasattr(command, "commands") and arguments and arguments[0] in command.commands:
        command = command.commands[arguments[0]]
        names.append(arguments[0])
        arguments = arguments[1:]
    return " ".join(names), arguments, command


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Small files of the names that the documentation uses."""
    folder = tmp_path_factory.mktemp("inputs")
    cells = sample_cells(200, seed=4)
    rng = np.random.default_rng(4)
    metrics = np.empty((200, 4, 3, 2, 4), dtype=np.float32)
    size = np.log10(cells.trainable_parameters())[:, None, None, None, None]
    metrics[:] = np.clip(0.7 + 0.03 * size + rng.normal(0, 0.005, metrics.shape), 0, 1)
    metrics[..., 0] = 60.0 * size[..., 0]
    table = Table(cells, metrics)
    table.save(folder / "nasbench101.hdf5")
    from pyg_nas.data.tables.official_file import write_official

    write_official(table, folder / "nasbench_only108.tfrecord")
    rows = ["arch,epochs,seed,validation_accuracy,test_accuracy,training_time"]
    for text in official_texts()[:80]:
        accuracy = 60 + 4 * text.count("conv_3x3") + rng.normal()
        rows += [f"{text},200,{seed},{accuracy},{accuracy - seed / 999},90" for seed in (777, 888)]
    (folder / "nasbench201.csv").write_text("\n".join(rows) + "\n")
    records = []
    for i in range(60):
        ops = ["image", *rng.choice(["conv", "attention", "pool"], 6).tolist(), "head"]
        edges = [[v, v + 1] for v in range(7)] + ([[0, 4]] if i % 2 else [])
        records.append({"ops": ops, "edges": edges, "y": 0.8 + 0.02 * ops.count("conv")})
    (folder / "graphs.jsonl").write_text("".join(json.dumps(r) + "\n" for r in records))
    return folder


@pytest.fixture
def sandbox(inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with those files."""
    shutil.copytree(inputs, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    for module, name in (
        (space_registry, "_supports"),
        (space_registry, "_references"),
        (estimator_registry, "_registered"),
        (recipes, "_recipes"),
    ):
        monkeypatch.setattr(module, name, dict(getattr(module, name)))  # what a page registers
    return tmp_path


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.filterwarnings("ignore::UserWarning")
def test_the_page_runs_from_top_to_bottom(page: str, sandbox: Path) -> None:
    names: dict[str, Any] = {"__name__": "__main__"}
    for block in blocks(page):
        if block.language == "python":
            if "import pyarrow" in block.text:
                pytest.importorskip("pyarrow")
            if named := re.match(r"# (\w+\.py)\n", block.text):  # a file that a command reads
                Path(named[1]).write_text(block.text)
            # Padded with empty lines, so that a traceback shows the page's own line numbers.
            source = "\n" * (block.line - 1) + block.text
            exec(compile(source, str(ROOT / page), "exec"), names)
        for arguments in commands(block):
            run_quickly(arguments)


def run_quickly(arguments: list[str]) -> None:
    """Run a command where its input is here and it can be short."""
    name, own, _ = split_command(arguments)
    source = Path(own[0]) if own else None
    there = source is not None and source.exists()
    there = there and (name == "table import" or "--space" not in own)
    if name not in QUICK or not there or any(word.endswith(".onnx") for word in own):
        return
    result = CliRunner().invoke(app, [*arguments, *QUICK[name]])
    assert result.exit_code == 0, f"{shlex.join(arguments)}: {result.output} {result.exception!r}"


@pytest.mark.parametrize("page", PAGES)
def test_every_command_is_valid(page: str, monkeypatch: pytest.MonkeyPatch) -> None:
    # The options are checked when a command is parsed; packages of extras need not be there.
    monkeypatch.setattr("pyg_nas.io.callbacks.find_spec", lambda name: name)
    for block in blocks(page):
        for arguments in commands(block):
            name, own, command = split_command(arguments)
            if not name:
                assert own == ["--version"] or own == ["--help"], shlex.join(arguments)
                continue
            # Raises what the command line would print for an unknown or missing option.
            if own != ["--help"]:
                command.make_context(name, list(own))


def test_the_documentation_shows_commands_and_code() -> None:
    found = [split_command(a)[0] for page in PAGES for b in blocks(page) for a in commands(b)]
    assert {*QUICK, "measure", "table download"} - {"table check"} <= set(found)
    assert sum(block.language == "python" for page in PAGES for block in blocks(page)) >= 16


@pytest.mark.parametrize("page", PAGES)
def test_links_and_pictures_are_there(page: str) -> None:
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"(https?|mailto):|#", target):
            path = (ROOT / page).parent / target.split("#")[0]
            assert path.exists(), f"{page}: {target}"


@pytest.mark.parametrize("page", PAGES)
def test_every_table_has_a_head(page: str) -> None:
    """Without its second line of dashes a table is shown as text, bars included."""
    text = re.sub(r"```.*?```", "", (ROOT / page).read_text(encoding="utf-8"), flags=re.DOTALL)
    for table in re.findall(r"(?:^\|.*\n)+", text, flags=re.MULTILINE):
        lines = table.splitlines()
        assert len(lines) > 2, lines[0]
        assert re.fullmatch(r"\|(?: *:?-+:? *\|)+", lines[1]), lines[0]
        assert len({re.sub(r"\\\||`[^`]*`", "", line).count("|") for line in lines}) == 1, lines[0]


def test_the_notebook_gives_its_saved_outputs(sandbox: Path) -> None:
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    notebook = nbformat.read(ROOT / "docs" / "dataset_reuse.ipynb", as_version=4)
    nbformat.validate(notebook)
    saved = outputs(notebook)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "", "language": "python"}
    client = nbclient.NotebookClient(
        notebook, timeout=300, resources={"metadata": {"path": str(sandbox)}}
    )
    client.execute(env=kernel_environment())
    number = re.compile(r"\b\d+\.\d+\b")
    found = outputs(notebook)
    assert [number.sub("", text) for text in found] == [number.sub("", text) for text in saved]
    for new, old in zip(found, saved, strict=True):  # rounding moves a training a little
        assert list(map(float, number.findall(new))) == pytest.approx(
            list(map(float, number.findall(old))), abs=0.02
        )


def outputs(notebook: Any) -> list[str]:
    """What the cells of a notebook show, without warnings."""
    return [
        "".join(
            output.get("text") or output["data"].get("text/html") or output["data"]["text/plain"]
            for output in cell.get("outputs", [])
            if output.get("name") != "stderr"
        )
        for cell in notebook.cells
    ]


@pytest.mark.parametrize("page", PAGES)
def test_commands_can_be_copied(page: str) -> None:
    for block in blocks(page):
        assert not re.search(r"^\s*\$ ", block.text, re.MULTILINE), f"{page}:{block.line}"


def kernel_environment() -> dict[str, str]:
    """The kernel imports the same package as the tests, installed or not."""
    import os

    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)])}


def test_the_site_builds_and_fetches_nothing(tmp_path: Path) -> None:
    pytest.importorskip("material")
    pytest.importorskip("mkdocstrings_handlers")
    from mkdocs.commands.build import build
    from mkdocs.config import load_config

    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(tmp_path / "site"), strict=True)
    build(config)
    pages = list((tmp_path / "site").rglob("*.html"))
    assert len(pages) >= 9
    for page in pages:
        text = page.read_text(encoding="utf-8")
        tags = re.findall(r"<(?:script|img|iframe|source)[^>]*\ssrc=\"([^\"]+)\"", text)
        tags += re.findall(r"<link[^>]*rel=\"(?:stylesheet|preload|icon)\"[^>]*>", text)
        assert not [tag for tag in tags if "//" in tag], page.name
    listed = (tmp_path / "site" / "reference" / "api.html").read_text(encoding="utf-8")
    for name in ("graphs.cell.Cell", "spaces.nasbench101.cells.nasbench101_cells", "testing"):
        assert f'"pyg_nas.{name}' in listed, name
    assert not re.search(r":\w+:<code>|</code>_|<p>\.\. ", listed)  # marks of docstrings
    link = "#pyg_nas.data.datasets.dataset.CellDataset"
    assert f'<a href="{link}"><code>CellDataset</code></a>' in listed
    assert "<td>423,624</td>" in listed
    assert "H' = ½ ReLU(Â H W^+)" in listed
    reference = (tmp_path / "site" / "reference" / "cli.html").read_text(encoding="utf-8")
    assert "<code>--split-seed</code>" in reference
    assert "pyg-nas table convert" in reference
