"""The command compare, as a user runs it."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyg_nas.data.tables.table import Table
from tests.cli.command import pyg_nas

MINE = """
import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin


class Mine(RegressorMixin, BaseEstimator):
    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.log10(X.trainable_parameters())
"""


@pytest.fixture
def here(small_table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with a table and a module of the user's."""
    small_table.save(tmp_path / "small.hdf5")
    (tmp_path / "compared_module.py").write_text(MINE)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_compare_a_module_of_the_working_folder(
    here: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ("compare", "small.hdf5", "--train", "20,40", "--draws", 2, "--out", "out")
    assert pyg_nas(*arguments, "--predictors", "compared_module:Mine") == 0
    printed = capsys.readouterr().out
    assert "95 % interval" in printed
    assert "random seeds 0-1" in printed
    assert (here / "out" / "comparison.pdf").read_bytes().startswith(b"%PDF")
    assert pyg_nas(*arguments, "--predictors", "compared_module:Mine", "--run", "mean") == 2
    error = capsys.readouterr().err
    assert "label.run = 0, 'mean' was requested" in error
    assert pyg_nas(*arguments, "--predictors", "compared_module:Nothing") == 2
