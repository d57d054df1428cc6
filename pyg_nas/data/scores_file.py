"""Scores of cells as CSV with the columns ``hash,score,row`` and further ones, best first."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import ModelError
from pyg_nas.io.files import atomic_path


def write_scores(
    path: str | os.PathLike[str],
    hashes: NDArray[np.bytes_],
    scores: NDArray[np.float64],
    larger_is_better: bool = True,
    further: Mapping[str, NDArray[np.float64] | Sequence[str]] | None = None,
) -> None:
    """Write cells, their scores and the rows they came from, the best first.

    Scores have 9 significant digits, enough to tell float32 predictions apart.

    Args:
        path: The CSV file.
        hashes: ``S32 [N]``.
        scores: ``[N]``.
        larger_is_better: False for predicted costs such as seconds: the smallest comes first.
        further: Numbers or texts ``[N]`` of further columns, by name.

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
    columns = [[digest.decode() for digest in hashes[order].tolist()], _numbers(scores[order])]
    columns.append(list(map(str, order.tolist())))
    for values in (further or {}).values():
        if isinstance(values, np.ndarray):
            columns.append(_numbers(values[order]))
        else:
            columns.append([_quoted(values[row]) for row in order.tolist()])
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write(",".join(["hash", "score", "row", *(further or {})]) + "\n")
        file.writelines(f"{','.join(fields)}\n" for fields in zip(*columns, strict=True))


def _numbers(values: NDArray[np.float64]) -> list[str]:
    return [f"{value:.9g}" for value in values.tolist()]


def _quoted(text: str) -> str:
    """Return a field of a CSV file."""
    if not {",", '"', "\n", "\r"} & set(text):
        return text
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
