"""Official files through tables; their records are tested in ``tests/spaces/nasbench101``."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyg_nas.data.tables.official_file import convert, read_official, write_official
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError, TableError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.search_space import SearchSpace


def test_a_table_goes_through_an_official_file(tmp_path: Path) -> None:
    metrics = np.random.default_rng(1).random((6, 4, 3, 2, 4)).astype(np.float32)
    table = Table(sample_cells(6, seed=1), metrics)
    official, done = tmp_path / "t.tfrecord", []
    assert write_official(table, official, lambda *state: done.append(state)) == 6 * 4 * 3
    assert done[-1] == (6, 6)
    for again in (read_official(official), convert(official, tmp_path / "t.hdf5")):
        assert again.cells == table.cells
        np.testing.assert_array_equal(again.metrics, metrics)
        assert again.about == {"source": "t.tfrecord"}
    assert Table.load(tmp_path / "t.hdf5").hashes.tolist() == table.hashes.tolist()


def test_a_file_is_not_converted_onto_itself(tmp_path: Path) -> None:
    table = Table(sample_cells(2, seed=1), np.full((2, 4, 1, 2, 4), 0.5, np.float32))
    write_official(table, tmp_path / "t.tfrecord")
    content = (tmp_path / "t.tfrecord").read_bytes()
    with pytest.raises(SettingsError, match="cannot be the output too"):
        convert(tmp_path / "t.tfrecord", tmp_path / "t.tfrecord")
    assert (tmp_path / "t.tfrecord").read_bytes() == content


def test_cells_of_another_space_are_refused(tmp_path: Path) -> None:
    space = SearchSpace("plain", ("a",), 3, 3)
    cells = CellArray.from_cells([Cell([[0, 1], [0, 0]], ["a", "a"], space)])
    table = Table(cells, np.full((1, 1, 1, 2, 4), 0.5, np.float32), budgets=(1,))
    with pytest.raises(TableError, match="cells of 'plain' have no official file format"):
        write_official(table, tmp_path / "t.tfrecord")
    assert not list(tmp_path.iterdir())
