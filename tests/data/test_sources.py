"""What can be opened as a table, and what is named instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyg_nas.data.sources import open_table
from pyg_nas.data.table import Table
from pyg_nas.errors import TableError


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
