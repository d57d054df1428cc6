"""``pyg-nas ask``, and with it ``pyg-nas tell``, as shell scripts use them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pyg_nas.graphs.cell import Cell
from tests.cli.command import pyg_nas
from tests.cli.processes import run_commands


def asked(capsys: pytest.CaptureFixture[str], *arguments: object) -> list[tuple[int, str]]:
    capsys.readouterr()
    assert pyg_nas("ask", *arguments) == 0
    lines = capsys.readouterr().out.splitlines()
    return [(int(number), text) for number, text in (line.split(" ", 1) for line in lines)]


def test_a_new_search_is_named_and_a_resumed_one_is_not(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pyg_nas("ask", tmp_path / "run", "--space", "nasbench201", "--seed", 3) == 0
    assert "run: new search, space nasbench201, random seed 3" in capsys.readouterr().err
    assert pyg_nas("ask", tmp_path / "run") == 0
    assert not capsys.readouterr().err


def test_a_script_asks_trains_and_tells(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = tmp_path / "run"
    first = asked(capsys, folder, "--n", 5, "--method", "random", "--refit", 3)
    assert [number for number, _ in first] == [0, 1, 2, 3, 4]
    cells = [Cell.from_text(text) for _, text in first]
    figures = [cell.num_edges / 10 for cell in cells]
    for number in range(4):
        told = ("--accuracy", figures[number], "--seconds", 10)
        assert pyg_nas("tell", folder, number, *told) == 0
    assert pyg_nas("tell", folder, 4, "--failed", "--reason", "out of memory") == 0
    capsys.readouterr()
    assert pyg_nas("tell", folder, 4, "--failed", "--reason", "") == 0
    assert "has an outcome already" in capsys.readouterr().out
    assert pyg_nas("ask", folder, "--n", 2, "--json") == 0
    records = json.loads(capsys.readouterr().out)
    assert [record["id"] for record in records] == [5, 6]
    for record in records:
        assert Cell.from_text(record["text"]).hash == record["hash"]
        assert record["parameters"] == Cell.from_dict(record).trainable_parameters
    assert pyg_nas("tell", folder, 5, "--epochs", 3, "--accuracy", 0.2) == 0
    assert capsys.readouterr().out == "go on\n"
    reissued = asked(capsys, folder, "--n", 2, "--reissue-after", 0)
    assert [number for number, _ in reissued] == [5, 6]
    assert pyg_nas("tell", folder, 0, "--accuracy", figures[0], "--seconds", 10) == 0
    assert "has an outcome already" in capsys.readouterr().out
    lines = (folder / "queries.jsonl").read_text().splitlines()
    assert [json.loads(line)["hash"] for line in lines] == [cell.hash for cell in cells[:4]]


COMMANDS = [
    (("ask", "new", "--method", "best"), "method 'best' must be one of"),
    (("ask", "new", "--recipe", "nope"), "recipe 'nope' must be one of"),
    (("ask", "new", "--acquisition", "nope"), "acquisition 'nope' must be one of"),
    (("ask", "new", "--recipe", "paper", "--acquisition", "ei"), "needs standard deviations"),
    (("ask", "new", "--start", "3"), "is fitted to at least 4 cells"),
    (("ask", "new", "--max-macs", "9"), "no cell has at most 9 MACs"),
    (("ask", "new", "--space", "nowhere"), "search space 'nowhere' is not one of"),
    (("ask", "begun", "--seed", "3"), "seed = 0, 3 was requested"),
    (("ask", "table"), "search that trains the architectures itself"),
    (("tell", "table", "0", "--accuracy", "0.5"), "search that trains the architectures itself"),
    (("search", "digits", "--out", "begun"), "run `pyg-nas ask begun` for the next ones"),
    (("tell", "new", "0", "--accuracy", "0.5"), "is not the folder of a search"),
    (("tell", "begun", "9", "--accuracy", "0.5"), "architecture 9 was never handed out"),
    (("tell", "begun", "0"), "architecture 0: give --accuracy, or --failed if it has none"),
    (("tell", "begun", "0", "--epochs", "3"), "--epochs needs --accuracy, and no other outcome"),
    (("ask", "new", "--n", str(10**12)), "less than or equal to"),
    (("tell", "begun", "0", "--accuracy", "nan"), "must be a finite number, got nan"),
    (("tell", "begun", "0", "--accuracy", "0.5"), "recorded"),
]


def test_refusals_and_tell_need_no_torch(begun: Path) -> None:
    ended = run_commands([command for command, _ in COMMANDS], begun)
    for (command, message), done in zip(COMMANDS, ended, strict=True):
        shown = " ".join((done.out + done.err).split())
        assert message in shown, command
        assert "Traceback" not in shown
        assert done.code == (0 if message == "recorded" else 2), command
        assert "torch" not in done.modules, command
    assert not (begun / "new").exists()


@pytest.fixture(scope="module")
def begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a search in ``begun``, and with one of a table in ``table``."""
    from pyg_nas.search.ask_tell import Search

    folder = tmp_path_factory.mktemp("ask")
    Search(folder / "begun", method="random", k=3).ask(1)
    (folder / "table").mkdir()
    settings = json.loads((folder / "begun" / "settings.json").read_text())
    settings["evaluator"] = {"evaluator": "table"}
    (folder / "table" / "settings.json").write_text(json.dumps(settings))
    return folder


def test_processes_that_read_no_networks_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pyg_nas("ask", tmp_path / "run", "--workers", 2) == 2
    assert "--workers is for networks: give --networks too" in capsys.readouterr().err
