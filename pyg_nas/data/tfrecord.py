"""Google's NAS-Bench-101 TFRecord files as tables, and tables as such files."""

from __future__ import annotations

import os
from collections.abc import Callable

from pyg_nas.data.table import Table
from pyg_nas.errors import TableError
from pyg_nas.io.files import check_output
from pyg_nas.spaces.nasbench101.space import NASBENCH101
from pyg_nas.spaces.nasbench101.tfrecord_reader import Records, read_records
from pyg_nas.spaces.nasbench101.tfrecord_writer import write_records


def read_table(
    source: str | os.PathLike[str], progress: Callable[[int, int], None] | None = None
) -> Table:
    """Read an official file (:func:`~pyg_nas.spaces.nasbench101.tfrecord_reader.read_records`).

    Args:
        progress: Called with (bytes done, bytes in all).

    Raises:
        RecordError: If a record is damaged or invalid; the message has its byte offset.
    """
    return Table(*read_records(source, progress))


def convert(
    source: str | os.PathLike[str],
    target: str | os.PathLike[str],
    progress: Callable[[int, int], None] | None = None,
) -> Table:
    """Convert an official file to a table in HDF5 and return the table.

    Args:
        progress: Called with (bytes done, bytes in all).

    Raises:
        RecordError: If a record is damaged or invalid; the message has its byte offset.
        SettingsError: If ``target`` is ``source``, or cannot be written.
    """
    check_output(target, source)
    table = read_table(source, progress)
    table.save(target)
    return table


def write_tfrecord(
    table: Table,
    target: str | os.PathLike[str],
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write a table in the official NAS-Bench-101 format, completely or not at all.

    Cells that :func:`~pyg_nas.spaces.nasbench101.tfrecord_writer.write_records` refuses can be
    removed with :meth:`Table.subset`. Further targets of the table are not written.

    Args:
        table: A table of NAS-Bench-101 cells.
        progress: Called with (cells done, cells in all).

    Returns:
        The number of records.

    Raises:
        TableError: If the table cannot be written without loss, or the file could not be read;
            the message names the cell.
    """
    if table.space != NASBENCH101:
        raise TableError(
            f"the TFRecord format is for cells of {NASBENCH101.name!r}, the table has cells of "
            f"{table.space.name!r}"
        )
    table.check_loadable("the table")
    records = Records(
        table.cells,
        table.metrics,
        table.budgets,
        table.about,
        table.hashes,
        table.trainable_parameters,
    )
    return write_records(records, target, progress)
