"""Intervals with a stated coverage, from residuals of cells that were left out of the fit."""

from __future__ import annotations

import warnings

import numpy as np
from numpy.typing import ArrayLike

from pyg_nas.errors import SettingsError


def conformal_quantile(sizes: ArrayLike, coverage: float) -> float:
    """Return the size below which an unseen residual is with probability ``coverage``.

    The ``ceil((n + 1) coverage)``-th smallest (Lei et al., 2018, Distribution-free predictive
    inference for regression). With too few residuals no size has this coverage; then the largest
    is returned, with a warning.

    Args:
        sizes: Absolute residuals ``[n]``, divided by their predicted scale or not.
        coverage: Between 0 and 1.

    Raises:
        SettingsError: If ``coverage`` is not between 0 and 1 or there is no residual.
    """
    ordered = np.sort(np.asarray(sizes, dtype=np.float64))
    if not 0 < coverage < 1:
        raise SettingsError(f"coverage must be between 0 and 1, got {coverage!r}")
    if ordered.ndim != 1 or not len(ordered):
        raise SettingsError(f"sizes must be [n] with n >= 1, got shape {ordered.shape}")
    rank = int(np.ceil((len(ordered) + 1) * coverage))
    if rank > len(ordered):
        warnings.warn(
            f"{len(ordered)} residuals are too few for intervals of {100 * coverage:g} %: they "
            f"reach as far as the largest, and contain fewer labels",
            stacklevel=3,
        )
    return float(ordered[min(rank, len(ordered)) - 1])
