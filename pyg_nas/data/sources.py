"""Opening a table by its path: a table file or a graph file."""

from __future__ import annotations

import os
from pathlib import Path

from pyg_nas.data.graph_jsonl import read_graphs
from pyg_nas.data.network_table import NetworkTable, is_network_table
from pyg_nas.data.table import Table
from pyg_nas.errors import TableError
from pyg_nas.graphs.registry import open_space
from pyg_nas.graphs.search_space import SearchSpace

GRAPH_FILE_SUFFIX = ".jsonl"


def open_any_table(
    path: str | os.PathLike[str], space: SearchSpace | str | None = None
) -> Table | NetworkTable:
    """Read a table of cells as :func:`open_table` does, or one of whole networks.

    Raises:
        TableError: As :func:`open_table`.
        SpaceError: If no space has that name.
    """
    path = Path(path)
    hdf5 = path.is_file() and path.suffix != GRAPH_FILE_SUFFIX
    return NetworkTable.load(path) if hdf5 and is_network_table(path) else open_table(path, space)


def open_table(path: str | os.PathLike[str], space: SearchSpace | str | None = None) -> Table:
    """Read an HDF5 table, or a ``.jsonl`` graph file.

    Args:
        path: The file.
        space: The space of a graph file's records (see
            :func:`~pyg_nas.data.graph_jsonl.read_graphs`), the name of a registered space,
            ``file.py:NAME`` of the user's own, or ``"plain"``. An HDF5 table contains its space,
            which must be that one.

    Raises:
        TableError: If the file is not of the type of its ending, or has another space.
        SpaceError: If no space has that name.
    """
    path = Path(path)
    if path.is_dir():
        raise TableError(f"{path}: is a folder, a table or graph file is needed")
    if not path.exists():
        raise TableError(f"{path}: no such file")
    named = isinstance(space, str) and space != "plain"
    wanted = open_space(space) if isinstance(space, str) and space != "plain" else space
    if path.suffix == GRAPH_FILE_SUFFIX:
        return read_graphs(path, wanted)
    if is_network_table(path):
        raise TableError(
            f"{path}: is a table of whole networks, a table of cells is needed; train, evaluate, "
            f"predict, plot, report and table take both, and ask --networks searches in it"
        )
    table = Table.load(path)
    if named and table.space != wanted:
        raise TableError(f"{path}: its cells are of {table.space.name!r}, not of {space!r}")
    return table
