"""Files of scores that are written block by block: CSV, or Arrow for other programs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from pyg_nas.data.tables.scores_file import write_columns
from pyg_nas.errors import SettingsError
from pyg_nas.io.arrow import import_pyarrow
from pyg_nas.io.files import atomic_path

if TYPE_CHECKING:
    from pyg_nas.scoring.scores import Columns

CSV, ARROW = ".csv", ".arrow"
COLUMNS = ("hash", "score", "row", "arch", "operations", "parameters", "mean", "std")
"""All columns in their order."""
_TEXTS, _WHOLE = ("hash", "arch"), ("row", "operations", "parameters")


def check_format(path: str | os.PathLike[str]) -> None:
    """Check that a file's name ends in a known format, whose package is installed.

    Raises:
        SettingsError: If it does not or is not.
    """
    suffix = Path(path).suffix
    if suffix not in (CSV, ARROW):
        raise SettingsError(f"{path}: the name of a file of scores must end in {CSV} or {ARROW}")
    if suffix == ARROW:
        import_pyarrow()


def write_file(path: str | os.PathLike[str], blocks: Iterator[Columns]) -> None:
    """Write blocks of scores one after another: Arrow's file format for ``.arrow``, else CSV.

    Args:
        path: The file, written completely or not at all.
        blocks: At least one; all have the same columns.

    Raises:
        SettingsError: If pyarrow is needed and not installed.
    """
    first = next(blocks)
    names = [name for name in COLUMNS if name in first]
    blocks = chain([first], blocks)
    if Path(path).suffix == ARROW:
        _write_arrow(path, names, blocks)
    else:
        write_columns(path, names, blocks)


def _write_arrow(path: str | os.PathLike[str], names: list[str], blocks: Iterator[Columns]) -> None:
    arrow = import_pyarrow()
    kinds = (
        dict.fromkeys(COLUMNS, arrow.float64())
        | dict.fromkeys(_TEXTS, arrow.string())
        | dict.fromkeys(_WHOLE, arrow.int64())
    )
    schema = arrow.schema([(name, kinds[name]) for name in names])
    with (
        atomic_path(path) as temporary,
        arrow.OSFile(str(temporary), "wb") as file,
        arrow.ipc.new_file(file, schema) as writer,
    ):
        for block in blocks:
            columns = [
                arrow.array(block[name].tolist(), arrow.binary()).cast(kinds[name])
                if block[name].dtype.kind == "S"
                else arrow.array(block[name], kinds[name])
                for name in names
            ]
            writer.write_batch(arrow.record_batch(columns, schema=schema))
