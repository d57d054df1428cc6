"""Files of scores that are written block by block: CSV, or Arrow for other programs."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from pyg_nas.data.tables.scores_file import write_blocks
from pyg_nas.errors import SettingsError
from pyg_nas.io.files import atomic_path
from pyg_nas.io.formats.arrow import import_pyarrow

if TYPE_CHECKING:
    from pyg_nas.scoring.scores import Columns

CSV, ARROW = ".csv", ".arrow"
COLUMNS = ("hash", "score", "row", "arch", "operations", "parameters", "mean", "std")
"""All columns in their order."""
_OTHER_FORMATS = {
    *(".bz2", ".feather", ".gz", ".h5", ".hdf5", ".json", ".jsonl", ".npy", ".npz", ".parquet"),
    *(".pickle", ".pkl", ".tsv", ".xls", ".xlsx", ".xz", ".zip", ".zst"),
}
_TEXTS, _WHOLE = ("hash", "arch"), ("row", "operations", "parameters")


def check_score_format(path: str | os.PathLike[str]) -> str:
    """Return the format of a file of scores, ``.csv`` or ``.arrow``, by the end of its name.

    A name with another ending, or none, is CSV.

    Raises:
        SettingsError: If the ending is that of a format in which no scores are written, or the
            package of the format is not installed.
    """
    suffix = Path(path).suffix.lower()
    if suffix in _OTHER_FORMATS:
        raise SettingsError(f"{path}: scores are written as {CSV} or {ARROW}, not as {suffix}")
    if suffix != ARROW:
        return CSV
    import_pyarrow()
    return ARROW


def write_file(path: str | os.PathLike[str], blocks: Iterator[Columns]) -> None:
    """Write blocks of scores one after another: Arrow's file format for ``.arrow``, else CSV.

    Args:
        path: The file, written completely or not at all.
        blocks: At least one; all have the same columns.

    Raises:
        SettingsError: By :func:`check_score_format`.
    """
    ending = check_score_format(path)
    first = next(blocks)
    names = [name for name in COLUMNS if name in first]
    blocks = chain([first], blocks)
    if ending == ARROW:
        _write_arrow(path, names, blocks)
    else:
        write_blocks(path, names, blocks)


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
