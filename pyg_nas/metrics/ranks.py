"""Ranks of numbers: ``scipy.stats``, which has them too, takes half a second to import."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

Ties = Literal["average", "ordinal"]


def ranks(values: NDArray[Any], ties: Ties = "average") -> NDArray[np.float64]:
    """Return the ranks, from 1, of finite numbers ``[N, ...]``; each column has its own.

    Args:
        values: The numbers.
        ties: Whether equal numbers share their mean rank, or take ranks in their order.
    """
    order = np.argsort(values, axis=0, kind="stable")
    places = np.arange(1.0, len(values) + 1).reshape(-1, *[1] * (values.ndim - 1))
    found = np.empty(values.shape)
    np.put_along_axis(found, order, np.broadcast_to(places, values.shape), axis=0)
    if ties == "ordinal" or not values.size:
        return found
    return np.asarray(np.apply_along_axis(_mean_ranks, 0, values), dtype=np.float64)


def _mean_ranks(column: NDArray[Any]) -> NDArray[np.float64]:
    _, group, count = np.unique(column, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(count) - (count - 1) / 2)[group])
