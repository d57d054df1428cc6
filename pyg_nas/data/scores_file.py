"""Scores of cells as CSV with the columns ``hash,score,row``, best first."""

from __future__ import annotations

import os

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import ModelError
from pyg_nas.io.files import atomic_path


def write_scores(
    path: str | os.PathLike[str],
    hashes: NDArray[np.bytes_],
    scores: NDArray[np.float64],
    larger_is_better: bool = True,
) -> None:
    """Write cells, their scores and the rows they came from, the best first.

    Scores have 9 significant digits, enough to tell float32 predictions apart.

    Args:
        path: The CSV file.
        hashes: ``S32 [N]``.
        scores: ``[N]``.
        larger_is_better: False for predicted costs such as seconds: the smallest comes first.

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
    with atomic_path(path) as temporary, temporary.open("w", encoding="ascii") as file:
        file.write("hash,score,row\n")
        columns = (hashes[order].tolist(), scores[order].tolist(), order.tolist())
        file.writelines(
            f"{digest.decode()},{score:.9g},{row}\n"
            for digest, score, row in zip(*columns, strict=True)
        )
