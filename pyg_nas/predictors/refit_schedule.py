"""The schedule by which a predictor with new labels is fitted again."""

from __future__ import annotations

import math

REFIT_GROWTH = 1.25
"""A predictor is fitted again when its number of cells has grown by this factor."""


def cells_of_last_fit(first: int, total: int) -> int:
    """Return to how many of ``total`` cells, the earliest ones, the last fit was made.

    The largest number on the schedule ``first``, ``1.25 first``, ``1.25² first``, ..., rounded up;
    all cells where there are fewer than ``first``. It depends on numbers of cells alone, so that
    a stopped search and its resumption fit to the same cells.
    """
    fitted, growing = min(first, total), first * REFIT_GROWTH
    while growing <= total:
        fitted, growing = math.ceil(growing), growing * REFIT_GROWTH
    return fitted
