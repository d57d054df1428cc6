"""Accuracies beside a decimal threshold: in the precision of tables, in fractions or percent."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray


def above(values: ArrayLike, threshold: float) -> NDArray[np.bool_]:
    """Return which values, ``[...]``, are above a threshold, of the same shape; NaN is not.

    Tables store float32, in which 0.91 is a little more than the decimal number. So both sides
    are rounded to float32: a label of 0.91 is not above 0.91.
    """
    return np.asarray(_single(values) > np.float32(threshold))


def below(values: ArrayLike, threshold: float) -> NDArray[np.bool_]:
    """Return which values are below a threshold, compared as :func:`above` does; NaN is not."""
    return np.asarray(_single(values) < np.float32(threshold))


def accuracy_unit(accuracies: ArrayLike) -> float | None:
    """Return what a fraction is multiplied by to compare it with accuracies.

    Args:
        accuracies: All that there are; NaN where not measured.

    Returns:
        1.0 where all lie from 0 to 1, 100.0 where all lie from 0 to 100 and most above 1, None for
        numbers that are neither fractions nor percent.
    """
    known = np.asarray(accuracies, dtype=np.float64)
    known = known[~np.isnan(known)]
    if len(known) == 0 or (known.min() >= 0 and known.max() <= 1):
        return 1.0
    percent = known.min() >= 0 and known.max() <= 100 and np.median(known) > 1
    return 100.0 if percent else None


def _single(values: ArrayLike) -> NDArray[Any]:
    return np.asarray(values, dtype=np.float64).astype(np.float32)
