"""Checks of tables, whose errors name the first wrong cell."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import TableError
from pyg_nas.graphs.enumeration import sample_cells


@pytest.mark.parametrize(
    ("index", "value", "message"),
    [
        ((2, 0, 0, 0, 0), -1.0, "cell 2: training time must be >= 0"),
        ((2, 0, 0, 0, 1), 1.5, "cell 2: accuracies must be fractions"),
        ((2, 0, 0, 0, 3), -0.5, "cell 2: accuracies must be fractions"),
    ],
)
def test_check_finds_values_out_of_range(
    small_table: Table, index: tuple[int, ...], value: float, message: str
) -> None:
    table = small_table.subset(np.arange(5))
    table.metrics[index] = value
    with pytest.raises(TableError, match=message):
        table.check()
    if "accuracies" in message:  # R², for one, may be negative
        table.about["score"] = "R²"
        table.check()


def test_check_finds_an_invalid_hash_that_loading_may_pass_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = Table(sample_cells(20, 1), np.full((20, 4, 3, 2, 4), np.nan, np.float32))
    hashes = table.hashes.copy()
    hashes[3] = b"f" * 32
    wrong = Table(table.cells, table.metrics, hashes=hashes)
    with monkeypatch.context() as patched:
        patched.setattr(
            "pyg_nas.data.tables.checks._HASHES_CHECKED_ON_LOAD", 10
        )  # every second one
        wrong.save(tmp_path / "t.hdf5")
        loaded = Table.load(tmp_path / "t.hdf5")
    with pytest.raises(TableError, match=r"cell 3: the stored hash f{32} does not match"):
        Table.load(tmp_path / "t.hdf5")
    with pytest.raises(TableError, match=r"name: cell 3: the stored hash f{32}"):
        loaded.check("name")


def test_parameters_of_another_network_are_accepted_when_marked(small_table: Table) -> None:
    table = small_table.subset(np.arange(5))
    table.trainable_parameters[:] = 1000
    with pytest.raises(TableError, match="trainable_parameters is 1000, its graph has"):
        table.check()
    table.about["network"] = "8 channels"
    table.check()
