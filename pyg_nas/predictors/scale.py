"""Mean and scale of labels and features."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def mean_and_std(
    values: NDArray[np.float64], weights: NDArray[np.float64] | None = None
) -> tuple[Any, Any]:
    """Return weighted mean and standard deviation of ``[N, ...]`` along the first axis."""
    if weights is None:
        return values.mean(axis=0), values.std(axis=0)
    mean = np.average(values, axis=0, weights=weights)
    return mean, np.sqrt(np.average((values - mean) ** 2, axis=0, weights=weights))


def mean_and_scale(
    values: NDArray[np.float64], weights: NDArray[np.float64] | None = None
) -> tuple[Any, Any]:
    """Return :func:`mean_and_std`, with 1 for the deviation of values that are all equal."""
    mean, deviation = mean_and_std(values, weights)
    return mean, np.where(deviation > 0, deviation, 1.0)
