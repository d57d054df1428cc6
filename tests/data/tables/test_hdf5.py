"""What is refused when a table is read from HDF5."""

from __future__ import annotations

from pathlib import Path

import h5py
import numpy as np
import pytest

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import TableError


def test_damaged_targets_of_a_file_are_refused(tmp_path: Path, small_table: Table) -> None:
    for name, values, message in (
        ("targets/a", np.zeros(5), "targets/a has 5 cells, hash has 300"),
        ("targets/a", np.zeros((300, 2)), "targets/a must have 1 dimensions"),
        ("targets", np.zeros(300), "'targets' must be a group"),
        ("targets/a/b", np.zeros(300), "'targets/a' is not a dataset"),
    ):
        small_table.save(tmp_path / "t.hdf5")
        with h5py.File(tmp_path / "t.hdf5", "a") as file:
            file[name] = values
        with pytest.raises(TableError, match=f"t.hdf5: .*{message}"):
            Table.load(tmp_path / "t.hdf5")


def test_missing_datasets_are_one_clear_error(tmp_path: Path, small_table: Table) -> None:
    for name in ("hash", "trainable_parameters", "metrics"):
        small_table.save(tmp_path / "t.hdf5")
        with h5py.File(tmp_path / "t.hdf5", "a") as file:
            del file[name]
        with pytest.raises(TableError, match=rf"t\.hdf5: not a table: the dataset '{name}' is"):
            Table.load(tmp_path / "t.hdf5")
