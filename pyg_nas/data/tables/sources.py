"""Opening a table by its path: a table file or a graph file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TypeAlias

from pyg_nas.data.graph_files.jsonl import PLAIN, read_graphs
from pyg_nas.data.networks.table import NetworkTable, is_network_table
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import TableError
from pyg_nas.graphs.registry import open_space, space_names
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.regular_files import check_regular

AnyTable: TypeAlias = "Table | NetworkTable"
"""A table of cells or of whole networks."""

GRAPH_FILE_SUFFIX = ".jsonl"


def open_any_table(
    path: str | os.PathLike[str], space: SearchSpace | str | None = None
) -> AnyTable:
    """Read a table of cells as :func:`open_table` does, or one of whole networks.

    Raises:
        TableError: As :func:`open_table`.
        SpaceError: If no space has that name.
    """
    return NetworkTable.load(path) if has_networks(path) else open_table(path, space)


def has_networks(path: str | os.PathLike[str]) -> bool:
    """Return whether a file is a table of whole networks.

    Raises:
        TableError: If it is neither a graph file nor a readable HDF5 file.
    """
    path = Path(path)
    _check_no_csv(path)
    return path.is_file() and path.suffix != GRAPH_FILE_SUFFIX and is_network_table(path)


def check_table_file(path: str | os.PathLike[str]) -> None:
    """Check that a table or graph file can be read, before work that needs it.

    Raises:
        TableError: If it is not a regular file that can be read.
    """
    if Path(path).is_dir():
        raise TableError(f"{path}: is a folder, a table or graph file is needed")
    _check_no_csv(Path(path))
    check_regular(path, TableError)


def _check_no_csv(path: Path) -> None:
    if path.suffix.lower() == ".csv":
        raise TableError(
            f"{path}: is no table; `pyg-nas table import` makes one of a CSV file of architectures"
        )


def open_table(path: str | os.PathLike[str], space: SearchSpace | str | None = None) -> Table:
    """Read an HDF5 table, or a ``.jsonl`` graph file.

    Args:
        path: The file.
        space: The space of a graph file's records (see
            :func:`~pyg_nas.data.graph_files.jsonl.read_graphs`), the name of a registered space,
            ``file.py:NAME`` of the user's own, or ``"plain"``. An HDF5 table contains its space,
            which must be the named one.

    Raises:
        TableError: If the file is not of the type of its ending, or has another space.
        SpaceError: If no space has that name.
    """
    path = Path(path)
    check_table_file(path)
    named = open_space(space) if isinstance(space, str) and space != PLAIN else None
    if path.suffix == GRAPH_FILE_SUFFIX:
        return read_graphs(path, named or space)
    if is_network_table(path):
        raise TableError(
            f"{path}: is a table of whole networks, a table of cells is needed; train, evaluate, "
            f"predict, plot, report, search and table take both"
        )
    table = Table.load(path)
    wanted = named or space
    is_plain = wanted == PLAIN and table.space.name not in space_names()
    if wanted not in (None, table.space) and not is_plain:
        name = wanted.name if isinstance(wanted, SearchSpace) else wanted
        raise TableError(f"{path}: its cells are of {table.space.name!r}, not of {name!r}")
    return table
