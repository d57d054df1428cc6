"""The Pareto front of accuracy and a cost: the cells that no other cell dominates."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import SettingsError


def pareto_front(accuracy: NDArray[np.float64], cost: NDArray[np.float64]) -> NDArray[np.int64]:
    """Return the indices of the cells on the front, cheapest first.

    A cell is on the front if no other cell is at least as accurate and at most as costly, and
    better in one of the two. Of cells that are equal in both, only the first is returned. Cells
    with NaN in either are left out.

    Args:
        accuracy: ``[N]``, larger is better.
        cost: ``[N]`` parameters or seconds, smaller is better.

    Raises:
        SettingsError: If the lengths differ.
    """
    if accuracy.shape != cost.shape or accuracy.ndim != 1:
        raise SettingsError(
            f"accuracy and cost must both be [N], got {accuracy.shape} and {cost.shape}"
        )
    known = np.flatnonzero(~(np.isnan(accuracy) | np.isnan(cost)))
    order = known[np.lexsort((known, -accuracy[known], cost[known]))]
    best_so_far = np.maximum.accumulate(np.concatenate([[-np.inf], accuracy[order]]))
    return np.asarray(order[accuracy[order] > best_so_far[:-1]], dtype=np.int64)
