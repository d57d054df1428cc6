"""The command compare, as a user runs it."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path

import pytest

from pyg_nas.data.tables.table import Table
from tests import own_predictor
from tests.cli.command import pyg_nas


@pytest.fixture
def here(small_table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a table and a module of the user's."""
    small_table.save(tmp_path / "small.hdf5")
    shutil.copy(own_predictor.__file__, tmp_path / "compared_module.py")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_compare_a_module_of_the_working_folder(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("compare", "small.hdf5", "--train", "20,40", "--draws", 2, "--out", "out")
    assert pyg_nas(*arguments, "--predictors", "compared_module:Few") == 0
    printed = capsys.readouterr().out
    assert "95 % interval" in printed
    assert "random seeds 0-1" in printed
    assert (here / "out" / "comparison.pdf").read_bytes().startswith(b"%PDF")
    assert pyg_nas(*arguments, "--predictors", "compared_module:Few", "--run", "mean") == 2
    error = capsys.readouterr().err
    assert "label.run = 0, 'mean' was requested" in error
    assert pyg_nas(*arguments, "--predictors", "compared_module:Nothing") == 2


def test_compare_by_a_published_protocol(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The same figure as by train and evaluate, with their options."""
    command = ("compare", "small.hdf5", "--predictors", "fast", "--train", "40", "--draws", 1)
    other = ("--evaluation-metric", "test_accuracy", "--evaluation-run", "mean")
    assert pyg_nas(*command, *other, "--out", "out") == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert "Predictions are compared with: test accuracy at 108 epochs, mean of runs" in printed
    with (here / "out" / "comparison.csv").open() as file:
        (tau,) = [row["mean"] for row in csv.DictReader(file) if row["figure"] == "kendall_tau"]
    train = ("train", "small.hdf5", "--split", 40, "--recipe", "fast", "--out", "model")
    assert pyg_nas(*train) == 0
    evaluate = ("evaluate", "model", "small.hdf5", "--metric", "test_accuracy", "--run", "mean")
    assert pyg_nas(*evaluate, "--json", "figures.json") == 0
    found = json.loads((here / "figures.json").read_text())["kendall_tau"]
    assert float(tau) == pytest.approx(found, abs=1e-8)
    capsys.readouterr()
    assert pyg_nas(*command, "--evaluation-run", "best", "--out", "other") == 2
    assert "run 'best' must be 'mean', a whole number" in capsys.readouterr().err
    assert not (here / "other").exists()
