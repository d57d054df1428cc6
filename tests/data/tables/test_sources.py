"""What can be opened as a table, and what is named instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyg_nas.data.tables.sources import open_any_table, open_table
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SpaceError, TableError
from pyg_nas.spaces.nasbench101 import NASBENCH101


def test_a_table_and_a_graph_file_by_their_names(small_table: Table, tmp_path: Path) -> None:
    small_table.save(tmp_path / "t.hdf5")
    assert open_table(tmp_path / "t.hdf5").cells == small_table.cells
    (tmp_path / "g.jsonl").write_text('{"ops": ["a", "b"], "edges": [[0, 1]], "y": 0.5}\n')
    graphs = open_table(str(tmp_path / "g.jsonl"))
    assert graphs.space.operations == ("a", "b")
    assert graphs.label().tolist() == [0.5]


def test_folders_and_missing_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(TableError, match=f"{tmp_path}: is a folder"):
        open_table(tmp_path)
    with pytest.raises(TableError, match=r"gone\.hdf5: no such file"):
        open_table(tmp_path / "gone.hdf5")
    for opened in (open_table, open_any_table):
        with pytest.raises(TableError, match=r"mine\.CSV: is no table; `pyg-nas table import` mak"):
            opened(tmp_path / "mine.CSV")


CELL = '{"ops": ["input", "maxpool3x3", "output"], "edges": [[0, 1], [1, 2]], "y": 0.5}\n'


def test_the_space_of_a_graph_file_is_named_or_recognized(tmp_path: Path) -> None:
    path = tmp_path / "g.jsonl"
    path.write_text(CELL)
    for space in (None, "nasbench101", NASBENCH101):
        assert open_table(path, space).space == NASBENCH101
    plain = open_table(path, "plain").space
    assert (plain.name, plain.terminals) == ("g", ())
    with pytest.raises(SpaceError, match=r"'nasbench102' is not one of .*nasbench101"):
        open_table(path, "nasbench102")


def test_a_table_of_another_space_than_named_is_refused(small_table: Table, tmp_path: Path) -> None:
    small_table.save(tmp_path / "t.hdf5")
    assert open_table(tmp_path / "t.hdf5", "nasbench101").space == NASBENCH101
    (tmp_path / "g.jsonl").write_text(CELL)
    open_table(tmp_path / "g.jsonl", "plain").save(tmp_path / "plain.hdf5")
    with pytest.raises(TableError, match=r"plain\.hdf5: its cells are of 'g', not"):
        open_table(tmp_path / "plain.hdf5", "nasbench101")
