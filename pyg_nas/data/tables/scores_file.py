"""Scores of cells as CSV with the columns ``hash,score,row`` and others."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.data.tables.sources import AnyTable
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import CellError, ModelError, SettingsError, SpaceError, quoted
from pyg_nas.graphs.cell import Cell
from pyg_nas.io.files import atomic_path
from pyg_nas.io.formats.csv_rows import finite_number, read_csv
from pyg_nas.io.limits import LARGEST_LABEL
from pyg_nas.io.text import counted

_SCORE = "score"
_BLOCK_ROWS = 8_192
_SPECIAL = (b",", b'"', b"\n", b"\r")  # bytes for which a field is quoted
_FORMATS = {"f": b"%.9g", "i": b"%d", "S": b"%b"}  # by the kind of a column's type

Columns = Mapping[str, NDArray[Any]]
"""Numbers or UTF-8 bytes ``[n]`` of each column."""


def write_scores(
    path: str | os.PathLike[str],
    hashes: NDArray[np.bytes_],
    scores: NDArray[np.float64],
    larger_is_better: bool = True,
    further: Mapping[str, NDArray[np.float64] | Sequence[str]] | None = None,
) -> None:
    """Write cells, their scores and their rows in the source, the best first.

    Args:
        hashes: ``S32 [N]``.
        scores: ``[N]``.
        larger_is_better: False for predicted costs such as seconds: the smallest is first.
        further: Numbers or texts ``[N]`` of additional columns, by name.

    Raises:
        ModelError: If a score is not finite.
    """
    _check_finite(scores, hashes)
    order = np.argsort(rank_keys(scores, larger_is_better), kind="stable")
    columns = {"hash": hashes, "score": scores, **(further or {})}
    blocks = (order[start : start + _BLOCK_ROWS] for start in range(0, len(order), _BLOCK_ROWS))
    names = ("hash", "score", "row", *(further or {}))
    write_blocks(
        path,
        names,
        (
            {name: rows if name == "row" else _taken(columns[name], rows) for name in names}
            for rows in blocks
        ),
    )


def write_blocks(
    path: str | os.PathLike[str], names: Sequence[str], blocks: Iterable[Columns]
) -> None:
    """Write blocks of rows one after another.

    Scores have 9 significant digits, so that different float32 predictions differ in the file.
    """
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(",".join(names).encode() + b"\n")
        for block in blocks:
            columns = [block[name] for name in names]
            # One formatting of many lines takes half the time of one for each line.
            for start in range(0, len(columns[0]), _BLOCK_ROWS):
                parts = [_fields(values[start : start + _BLOCK_ROWS]) for values in columns]
                line = b",".join(form for form, _ in parts) + b"\n"
                fields = [listed for _, listed in parts]
                count = len(fields[0])
                file.write(line * count % tuple(chain.from_iterable(zip(*fields, strict=True))))


def read_scores(path: str | os.PathLike[str], table: AnyTable) -> NDArray[np.float64]:
    """Return scores of a table's rows from a CSV file, NaN where it has none, ``[N]``.

    Args:
        path: The file, with the columns ``score`` and ``hash`` or, where architectures have a text
            form, ``arch``. Other columns and cells are ignored.

    Raises:
        SettingsError: If a column is missing, a score is no number or too large, an architecture is
            not valid or has two different scores, or none is in the table.
    """
    header, rows = read_csv(path)
    texts = table.texts if isinstance(table, Table) else None
    # Several architectures that the table lists by their texts may be the same cell.
    keys = ("hash", "arch") if texts is None else ("arch", "hash")
    key = next((name for name in keys if name in header), None)
    if key is None or _SCORE not in header:
        raise SettingsError(
            f"{path}: line 1: needs the columns {keys[0]} or {keys[1]}, and {_SCORE}, "
            f"has {quoted(header)}"
        )
    by_text = texts is not None and key == "arch"
    wanted: Sequence[Any] = (texts or ()) if by_text else table.hashes.tolist()
    scores: dict[str | bytes, float] = {}
    count = 0
    for line, fields in rows:
        count += 1
        name, text = fields[key].strip(), fields[_SCORE]
        score = finite_number(text)
        if score is None or abs(score) > LARGEST_LABEL:
            raise SettingsError(
                f"{path}: line {line}: score must be a number from {-LARGEST_LABEL:g} to "
                f"{LARGEST_LABEL:g}, got {quoted(text)}"
            )
        try:
            known = name.lower().encode() if key == "hash" else _known(name, table)
        except (CellError, SpaceError) as error:
            raise SettingsError(f"{path}: line {line}: {error}") from None
        if scores.setdefault(known, score) != score:
            raise SettingsError(
                f"{path}: line {line}: {quoted(name)} has the score {score:g}, and "
                f"{scores[known]:g} in another line"
            )
    found = np.array([scores.get(one, np.nan) for one in wanted])
    if not count:
        raise SettingsError(f"{path}: has no score")
    if np.isnan(found).all():
        raise SettingsError(f"{path}: none of its {counted(count, 'architecture')} is in the table")
    return found


def _known(text: str, table: AnyTable) -> str | bytes:
    """The canonical text of an architecture, or its hash where the table has no texts."""
    if not isinstance(table, Table):
        raise SpaceError("networks have no text form, a column hash is needed")
    if table.texts is not None:
        return table.space.support.canonical_text(text)
    return Cell.from_text(text, table.space).hash.encode()


def rank_keys(scores: NDArray[np.float64], larger_is_better: bool) -> NDArray[np.float64]:
    """Return numbers ``[N]`` whose ascending order has the best of the scores ``[N]`` first."""
    return -scores if larger_is_better else scores


def _check_finite(scores: NDArray[np.float64], hashes: NDArray[np.bytes_]) -> None:
    odd = np.flatnonzero(~np.isfinite(scores))
    if len(odd):
        raise ModelError(
            f"the model's scores must be finite, {len(odd):,} of {len(scores):,} are not: cell "
            f"{hashes[odd[0]].decode()} has {scores[odd[0]]}"
        )


def _taken(values: NDArray[Any] | Sequence[str], rows: NDArray[np.int64]) -> NDArray[Any]:
    if isinstance(values, np.ndarray):
        return values[rows]
    return np.array([values[row].encode() for row in rows.tolist()])


def _fields(values: NDArray[Any]) -> tuple[bytes, list[Any]]:
    """Return the format of a column's fields, and what is formatted."""
    form, listed = _FORMATS[values.dtype.kind], values.tolist()
    if values.dtype.kind != "S":
        return form, listed
    content = values.tobytes()
    special = [sign for sign in _SPECIAL if sign in content]
    # Text forms have commas, all of them: quoting one by one takes half the time of writing.
    if special == [b","] and (np.char.find(values, b",") >= 0).all():
        return b'"%b"', listed
    return form, [_quoted(text) for text in listed] if special else listed


def _quoted(text: bytes) -> bytes:
    """Return a field of a CSV file."""
    if not any(sign in text for sign in _SPECIAL):
        return text
    return b'"' + text.replace(b'"', b'""') + b'"'
