"""Folds of cross validation: all rows of a graph are in the same one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.data.protocols.splits import Rows
from pyg_nas.errors import SettingsError, check_count
from pyg_nas.io.limits import MOST_SEED


def grouped_folds(
    splitter: Any, hashes: NDArray[np.bytes_], classes: NDArray[Any] | None = None
) -> Iterator[tuple[Rows, Rows]]:
    """Yield a splitter's (training, held-out) rows, all rows of a graph on the same side.

    If no graph appears twice, they are the splitter's folds of the rows.

    Args:
        splitter: A scikit-learn splitter without groups.
        hashes: ``S32 [N]``.
        classes: ``[N]``, for a stratified splitter; the class of a graph is that of its first row.
    """
    _, first, graph = np.unique(hashes, return_index=True, return_inverse=True)
    # Graphs numbered by their first rows.
    rows = np.sort(first)
    graph = np.argsort(np.argsort(first))[graph]
    for train, held_out in splitter.split(rows, None if classes is None else classes[rows]):
        yield _rows_of(graph, train), _rows_of(graph, held_out)


def _rows_of(graph: NDArray[np.int64], chosen: Rows) -> Rows:
    """Return the rows of the chosen graphs, in the order of ``chosen``."""
    order = np.argsort(graph, kind="stable")
    start = np.searchsorted(graph[order], chosen, "left")
    end = np.searchsorted(graph[order], chosen, "right")
    return np.concatenate([order[a:b] for a, b in zip(start, end, strict=True)])


def stratified_folds(
    labels: NDArray[np.float64],
    folds: int = 5,
    repeats: int = 1,
    seed: int = 0,
    hashes: NDArray[np.bytes_] | None = None,
) -> Iterator[tuple[Rows, Rows]]:
    """Yield (training, held-out) positions of repeated K-fold, stratified by label quintile.

    Args:
        labels: ``[N]``.
        repeats: Repeats, each with its own shuffle.
        seed: Random seed of the shuffles.
        hashes: ``S32 [N]``; rows of one graph are then in one fold.

    Raises:
        SettingsError: If there are fewer labels than folds, fewer than 2 folds, or the seed is no
            whole number from 0.
    """
    from sklearn.model_selection import RepeatedStratifiedKFold

    check_count("seed", seed, MOST_SEED, least=0)
    if not 2 <= folds <= len(labels):
        raise SettingsError(f"{folds} folds need 2 to {len(labels)} (the number of labels)")
    # A stratum must have a member for every fold.
    strata = max(1, min(5, len(labels) // folds))
    ranks = np.argsort(np.argsort(labels, kind="stable"), kind="stable")
    groups = ranks * strata // len(labels)
    splitter = RepeatedStratifiedKFold(n_splits=folds, n_repeats=repeats, random_state=seed)
    if hashes is None:
        yield from splitter.split(np.zeros(len(labels)), groups)
    else:
        yield from grouped_folds(splitter, hashes, groups)
