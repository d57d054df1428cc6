"""Intervals that hold their coverage, from residuals of cells that were not fitted on."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pyg_nas.errors import SettingsError


def conformal_quantile(sizes: ArrayLike, coverage: float) -> float:
    """Return the size that an unseen residual stays under with probability ``coverage``.

    The ``ceil((n + 1) coverage)``-th smallest, or the largest where there are too few for that
    (Lei et al., 2018, Distribution-free predictive inference for regression).

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
    return float(ordered[min(rank, len(ordered)) - 1])
