"""Mean and scale of labels and features."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

# Standard deviation of normal numbers over their median absolute deviation.
_NORMAL_DEVIATION = 1.4826
_ROUNDING = 1e-9
_LEAST_SPREAD = 1e-6


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


def robust_std(deviations: ArrayLike) -> float:
    """Return the standard deviation of normal numbers, given ``[N]`` deviations from a centre.

    It follows from the median size of a deviation and hardly depends on a few failed runs. Where
    more than half of the deviations are 0 but for rounding, as those of accuracies on a small
    validation set often are, that median says nothing of the others, and this is the root of the
    mean square.
    """
    sizes = np.abs(np.asarray(deviations, dtype=np.float64))
    median = np.median(sizes)
    informative = median > _ROUNDING * sizes.max()
    return float(_NORMAL_DEVIATION * median if informative else np.sqrt(np.mean(sizes**2)))


def offset_and_range(labels: NDArray[np.float64]) -> tuple[float, float]:
    """Return what trees subtract from labels ``[N]`` and then divide them by.

    scikit-learn's trees take labels whose variance is below 2e-16 for equal, and add up squares,
    which round away a spread that is small beside the labels. Others stay as they are: 0 and 1.
    """
    spread = float(np.ptp(labels))
    is_small = 0 < spread < _LEAST_SPREAD * max(1.0, np.abs(labels).max())
    return (float(labels.min()), spread) if is_small else (0.0, 1.0)
