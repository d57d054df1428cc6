"""The command compare-searches, as a user runs it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from pyg_nas.data.tables.table import Table
from tests.cli.command import pyg_nas


@pytest.fixture
def here(small_table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a table."""
    small_table.save(tmp_path / "small.hdf5")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_seeds_of_one_search_are_one_curve(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for method in ("random", "evolution"):
        code = pyg_nas(
            "search", "small.hdf5", "--method", method, "--start", 5, "--refit", 5,
            "--seeds", 2, "--out", f"runs/{method}",
        )  # fmt: skip
        assert code == 0
    capsys.readouterr()
    assert pyg_nas("compare-searches", "runs/*", "--out", "c") == 0
    printed = capsys.readouterr().out
    assert printed.count("2 searches, to 10 trained cells; regret ") == 2
    table = (here / "c" / "searches.tex").read_text()
    assert "how far the mean test accuracy of the answer stays below" in table
    for shown in re.findall(r"regret (\S+ \[\S+ \S+\])", printed):
        assert shown in table


def test_the_caption_states_constraints(here: Path) -> None:
    limit = ("--max-params", 9_000_000)
    for number, given in enumerate(((), limit)):
        command = ("search", "small.hdf5", "--method", "random", "--start", 9, "--refit", 1)
        assert pyg_nas(*command, *given, "--out", f"run-{number}") == 0
        assert pyg_nas("compare-searches", f"run-{number}", "--out", f"c-{number}") == 0
        caption = (here / f"c-{number}" / "searches.tex").read_text()
        assert ("best architecture within the constraints." in caption) == bool(given)


@pytest.mark.parametrize("pattern", ["runs**", "a**/b", "[", "*"])
def test_a_pattern_without_folders_is_refused(
    pattern: str, here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code = pyg_nas("compare-searches", pattern, "--out", "c")
    assert code == 2
    assert f"{pattern}: no folder matches this pattern" in capsys.readouterr().err
