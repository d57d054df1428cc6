"""What several kinds of charts have in common: units, limits, and pairs of known numbers."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyg_nas.errors import SettingsError
from pyg_nas.io.text import counted
from pyg_nas.metrics.regression import are_fractions
from pyg_nas.visualization.charts import GREY, NUM_COLOURS, Floats

CURVE_COLOURS = tuple(colour for colour in range(NUM_COLOURS) if colour != GREY)
"""Colours of curves, in this order."""


def percent_or_value(values: Floats, fractions: bool | None = None) -> tuple[float, str]:
    """Return the factor and the unit of an axis: percent for fractions, which None looks up."""
    fractions = are_fractions(values) if fractions is None else fractions
    return (100.0, ", %") if fractions else (1.0, "")


def limits_of_best(
    values: Floats, left_out: float, margin: float, thing: str, larger_is_better: bool
) -> tuple[tuple[float, float], str]:
    """Return limits of an axis without the worst of many values, and a sentence that says so.

    A few failed or very costly cells would press all others into one line.

    Args:
        values: ``[N]``.
        left_out: Share of the values that may be left out.
        margin: Margin at both ends, a share of the range of the others.
        thing: What has these values: a cell or a network.
        larger_is_better: Whether the smallest are the worst.
    """
    if larger_is_better:
        shown = np.quantile(values, left_out, method="lower"), values.max()
    else:
        shown = values.min(), np.quantile(values, 1 - left_out, method="higher")
    limits = limits_around(np.array(shown), margin)
    outside = int(((values < limits[0]) | (values > limits[1])).sum())
    side = "below" if larger_is_better else "above"
    return limits, f" Not shown: {counted(outside, thing)} {side} the axis." if outside else ""


def limits_around(values: Floats, share: float) -> tuple[float, float]:
    """Return the limits of an axis with a margin, a share of the range of values, at both ends."""
    low, high = float(values.min()), float(values.max())
    margin = share * (high - low) or 0.5
    return low - margin, high + margin


def known_pairs(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Return two lists ``[N]`` where both are known, ``[K]`` each, and the rows of these ``[K]``.

    Raises:
        SettingsError: If the lengths differ or no pair is left.
    """
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise SettingsError(f"a figure needs two lists of one length, got {x.shape} and {y.shape}")
    rows = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if not len(rows):
        raise SettingsError("there is nothing to draw: no cell has both values")
    return x[rows], y[rows], rows
