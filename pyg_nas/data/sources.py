"""Opening what a person names: a table file, a graph file or the shipped table."""

from __future__ import annotations

import os
from pathlib import Path

from pyg_nas.data.graph_jsonl import read_graphs
from pyg_nas.data.table import Table
from pyg_nas.errors import TableError
from pyg_nas.graphs.search_space import SearchSpace

GRAPH_FILE_SUFFIX = ".jsonl"


def open_table(path: str | os.PathLike[str], space: SearchSpace | None = None) -> Table:
    """Read an HDF5 table, or a ``.jsonl`` graph file in the ids of ``space``.

    Raises:
        TableError: If the file cannot be read as what its name says.
    """
    path = Path(path)
    if path.is_dir():
        raise TableError(f"{path}: is a folder, a table or graph file is needed")
    if not path.exists():
        raise TableError(f"{path}: no such file")
    if path.suffix == GRAPH_FILE_SUFFIX:
        return read_graphs(path, space)
    return Table.load(path)
