"""Scores of cells as CSV with the columns ``hash,score,row`` and further ones, best first."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from itertools import chain
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import ModelError
from pyg_nas.io.files import atomic_path

_BLOCK_ROWS = 8_192
_NUMBER = b"%.9g"


def write_scores(
    path: str | os.PathLike[str],
    hashes: NDArray[np.bytes_],
    scores: NDArray[np.float64],
    larger_is_better: bool = True,
    further: Mapping[str, NDArray[np.float64] | Sequence[str]] | None = None,
) -> None:
    """Write cells, their scores and their rows in the source, the best first.

    Scores have 9 significant digits, so that different float32 predictions differ in the file.

    Args:
        path: The CSV file.
        hashes: ``S32 [N]``.
        scores: ``[N]``.
        larger_is_better: False for predicted costs such as seconds: the smallest is first.
        further: Numbers or texts ``[N]`` of additional columns, by name.

    Raises:
        ModelError: If a score is not finite.
    """
    if not np.isfinite(scores).all():
        odd = np.flatnonzero(~np.isfinite(scores))
        raise ModelError(
            f"the model's scores must be finite, {len(odd):,} of {len(scores):,} are not: cell "
            f"{hashes[odd[0]].decode()} has {scores[odd[0]]}"
        )
    order = np.argsort(-scores if larger_is_better else scores, kind="stable")
    columns: dict[str, tuple[bytes, Callable[[NDArray[np.int64]], list[Any]]]] = {
        "hash": (b"%b", lambda rows: hashes[rows].tolist()),
        "score": (_NUMBER, lambda rows: scores[rows].tolist()),
        "row": (b"%d", lambda rows: rows.tolist()),
    }
    for name, values in (further or {}).items():
        columns[name] = _column(values)
    formats, readers = zip(*columns.values(), strict=True)
    line = b",".join(formats) + b"\n"
    with atomic_path(path) as temporary, temporary.open("wb") as file:
        file.write(",".join(columns).encode() + b"\n")
        # One formatting of many lines takes half the time of one for each line.
        for start in range(0, len(order), _BLOCK_ROWS):
            rows = order[start : start + _BLOCK_ROWS]
            fields = zip(*(read(rows) for read in readers), strict=True)
            file.write(line * len(rows) % tuple(chain.from_iterable(fields)))


def _column(
    values: NDArray[np.float64] | Sequence[str],
) -> tuple[bytes, Callable[[NDArray[np.int64]], list[Any]]]:
    """The format of a further column's fields, and the function that returns those of rows."""
    if isinstance(values, np.ndarray):
        return _NUMBER, lambda rows: values[rows].tolist()
    return b"%b", lambda rows: [_quoted(values[row]).encode() for row in rows.tolist()]


def _quoted(text: str) -> str:
    """Return a field of a CSV file."""
    if not {",", '"', "\n", "\r"} & set(text):
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
