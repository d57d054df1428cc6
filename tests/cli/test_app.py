"""The command line's entry."""

from __future__ import annotations

import itertools
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner

from pyg_nas.cli.app import app, main
from pyg_nas.io.user_code import object_named
from tests.cli.command import pyg_nas

VERSION = """
import os, sys
from pyg_nas.cli.app import main
sys.argv = ["pyg-nas", "--version"]
try:
    main()
except SystemExit:
    pass
print(os.environ["OMP_WAIT_POLICY"], "torch" in sys.modules)
"""


@pytest.mark.parametrize(
    ("own", "expected"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")]
)
def test_threads_are_set_to_wait_asleep_before_torch_is_there(
    own: dict[str, str], expected: str
) -> None:
    environment = {k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"} | own
    run = subprocess.run(
        [sys.executable, "-c", VERSION],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.split()[-2:] == [expected, "False"]


@pytest.mark.parametrize("raised", ["ValueError('two\\nlines')", "SystemExit(0)", "OSError('x')"])
def test_what_the_users_code_raises_is_one_line(
    raised: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "modules", dict(sys.modules))
    path = tmp_path / "users_command.py"
    path.write_text(f"def work(**_):\n    raise {raised}\n")
    monkeypatch.setattr("pyg_nas.cli.app.app", object_named(f"{path}:work"))
    with pytest.raises(SystemExit) as exit_:
        main()
    assert exit_.value.code == 2
    kind = raised.partition("(")[0]
    assert capsys.readouterr().err.startswith(f"error: users_command.py, line 2: {kind}: ")


LAST = """
import atexit, gc, sys
atexit.register(lambda: print(gc.get_freeze_count() > 0))
from pyg_nas.cli.app import main
sys.argv = ["pyg-nas", "--version"]
main()
"""


def test_the_process_does_not_look_for_garbage_when_it_ends() -> None:
    run = subprocess.run([sys.executable, "-c", LAST], capture_output=True, text=True, check=True)
    assert run.stdout.split()[-1] == "True"


def commands(group: Any, name: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, command in group.commands.items():
        inner = f"{name} {key}"
        found |= commands(command, inner) if hasattr(command, "commands") else {inner: command}
    return found


def test_every_command_shows_an_example() -> None:
    listed = commands(typer.main.get_command(app), "pyg-nas")
    assert "pyg-nas table import" in listed
    for name, command in listed.items():
        assert f"Example: {name}" in " ".join((command.help or "").split()), name


def test_help_fills_the_lines_of_the_terminal() -> None:
    """The first word of a line had no room in the line before it."""
    width = 60
    for name, command in commands(typer.main.get_command(app), "pyg-nas").items():
        arguments = [*name.split()[1:], "--help"]
        shown = CliRunner(env={"COLUMNS": str(width)}).invoke(app, arguments).output
        described = shown.partition("Usage")[2].partition("\n \n")[0].partition("╭")[0]
        # Older versions of typer show no empty line between paragraphs.
        paragraphs = command.help.split("\n\n")
        for paragraph in re.split(r"\n\s*\n", described)[1:]:
            lines = [line.strip() for line in paragraph.splitlines() if line.strip()]
            for line, following in itertools.pairwise(lines):
                is_full = len(line) + 1 + len(following.split()[0]) > width - 2
                is_last = any(text.endswith(line) for text in paragraphs)
                assert is_full or is_last, (name, line)


def test_help_is_there_for_every_command() -> None:
    for command in ("", "train", "evaluate", "predict", "plot", "table", "demo"):
        assert pyg_nas(*command.split(), "--help") == 0


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("train", "{table}", "--out", "m", "--settings", "nowhere.json"), "nowhere.json"),
        (("train", "nowhere.hdf5", "--out", "m"), "nowhere.hdf5"),
        (("train", "{table}", "--out", "m", "--split", "9999"), "9999"),
        (("train", "{table}", "--out", "m", "--split", "best"), "best"),
        (("train", "{table}", "--out", "m", "--recipe", "magic"), "magic"),
        (("train", "{table}", "--out", "m", "--budget", "5"), "5 was requested"),
        (("train", "{table}", "--out", "m", "--run", "first"), "first"),
        (("train", "{table}", "--out", "m", "--metric", "loss"), "loss"),
        (("train", "{table}", "--out", "m", "--device", "cuda:99"), "cuda:99"),
        (("train", "{table}", "--out", "m", "--epochs", "0"), "epochs"),
        (("evaluate", "nowhere", "{table}"), "nowhere"),
        (("evaluate", "{model}", "{model}"), "model"),
        (("predict", "{model}", "--out", "s.csv"), "--space"),
        (("predict", "{model}", "{table}", "--space", "nasbench101", "--out", "s.csv"), "--space"),
        (("predict", "{model}", "--space", "darts", "--out", "s.csv"), "darts"),
        (("plot", "{model}", "{table}", "--out", "scatter.docx"), "docx"),
        # As a variable of a shell that is not set; a path would be the working folder.
        (("ask", ""), "the argument after ask is empty"),
        (("ask", "--json", ""), "the argument after --json is empty"),
        (("search", "digits", "--out", ""), "the argument after --out is empty"),
        (("report", "{model}", "{table}", "--out="), "the argument after --out is empty"),
    ],
)
def test_errors_are_one_clear_line(
    arguments: tuple[str, ...],
    named: str,
    table_path: Path,
    model_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [a.format(table=table_path, model=model_path) for a in arguments]
    assert pyg_nas(*given) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert named in error
    assert len(error.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "{model}", "{table}", "--json", "{table}"),
        ("predict", "{model}", "{table}", "--out", "{table}"),
        ("predict", "{model}", "{table}", "--out", "{model}/weights.safetensors"),
        ("plot", "{model}", "{table}", "--out", "{table}"),
        ("report", "{model}", "{table}", "--out", "{table}"),
        ("export", "{model}", "--out", "{model}/settings.json"),
        ("tune", "{table}", "--out", "{table}"),
        ("table", "export", "{table}", "{table}"),
        ("table", "convert", "{table}", "{table}"),
    ],
)
def test_what_is_read_is_never_written_over(
    arguments: tuple[str, ...],
    table_path: Path,
    model_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = [table_path, *model_path.iterdir()]
    before = [file.read_bytes() for file in files]
    assert pyg_nas(*(a.format(table=table_path, model=model_path) for a in arguments)) == 2
    assert "is read by this command" in capsys.readouterr().err
    assert [file.read_bytes() for file in files] == before
