"""Official files of a benchmark as tables, and tables as such files."""

from __future__ import annotations

import os
from collections.abc import Callable

from pyg_nas.data.tables.checks import check_loadable
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import TableError
from pyg_nas.graphs.official_format import OfficialFormat, OfficialTable
from pyg_nas.graphs.registry import default_space
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.files import check_output


def read_official(
    source: str | os.PathLike[str],
    progress: Callable[[int, int], None] | None = None,
    space: SearchSpace | None = None,
) -> Table:
    """Read an official file.

    Args:
        progress: Called with (bytes done, bytes in all).
        space: The space whose format the file has, by default
            :func:`~pyg_nas.graphs.registry.default_space`.

    Raises:
        RecordError: If a record is damaged or invalid; the message has its byte offset.
        TableError: If the space has no official file format.
    """
    return Table(*_format(space or default_space()).read(source, progress))


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    progress: Callable[[int, int], None] | None = None,
) -> Table:
    """Convert an official file of the default space to a table in HDF5 and return the table.

    Args:
        progress: Called with (bytes done, bytes in all).

    Raises:
        RecordError: If a record is damaged or invalid; the message has its byte offset.
        SettingsError: If ``target`` is ``source``, or cannot be written.
    """
    check_output(target, source)
    table = read_official(source, progress)
    table.save(target)
    return table


def write_official(
    table: Table,
    target: str | os.PathLike[str],
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write a table in the official format of its space, completely or not at all.

    Cells that the format cannot express are refused and can be removed with :meth:`Table.subset`.
    Further targets of the table are not written.

    Args:
        progress: Called with (cells done, cells in all).

    Returns:
        The number of records.

    Raises:
        TableError: If the space has no official file format, the table cannot be written without
            loss, or the file could not be read; the message names the cell.
    """
    official = _format(table.space)
    check_loadable(table, "the table")
    content = OfficialTable(
        table.cells,
        table.metrics,
        table.budgets,
        table.about,
        table.hashes,
        table.trainable_parameters,
    )
    return official.write(content, target, progress)


def _format(space: SearchSpace) -> OfficialFormat:
    found = space.support.official_format
    if found is None:
        raise TableError(f"cells of {space.name!r} have no official file format")
    return found
