"""Numbers and names in readable form, safe to write into a page."""

from __future__ import annotations

import math
from typing import Any

from pyg_nas.io.text import time_unit

MISSING = "–"
_TWO_DECIMALS = 0.1  # from here on they have two significant digits or more
_DEEPEST, _MOST_ITEMS, _LONGEST = 8, 100, 2_000


def excerpt(value: Any, depth: int = _DEEPEST) -> Any:
    """Return nested JSON values, cut where they are too deep, too long or too many.

    Args:
        depth: Number of levels that are kept.
    """
    if isinstance(value, str):
        return value if len(value) <= _LONGEST else value[:_LONGEST] + "…"
    if not isinstance(value, dict | list | tuple):
        return value
    if depth == 0:
        return "…"
    more = len(value) - _MOST_ITEMS
    if isinstance(value, dict):
        items = list(value.items())[:_MOST_ITEMS]
        found = {excerpt(str(name)): excerpt(inner, depth - 1) for name, inner in items}
        return {**found, "…": f"{more:,} more"} if more > 0 else found
    listed = [excerpt(inner, depth - 1) for inner in value[:_MOST_ITEMS]]
    return [*listed, f"… {more:,} more"] if more > 0 else listed


def number(value: float, digits: int) -> str:
    """Return a fixed number of digits; a dash where the value is not known."""
    return f"{value:,.{digits}f}" if math.isfinite(value) else MISSING


def rounded(value: float) -> str:
    """Return a number with two decimals; with three significant digits if it is below 0.1."""
    return f"{value:.3g}" if 0 < abs(value) < _TWO_DECIMALS else f"{value:,.2f}"


def quantity(value: float) -> str:
    """Return a count with k or M."""
    if not math.isfinite(value):
        return MISSING
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.2f} {letter}"
    return f"{value:.0f}"


def duration(seconds: float) -> str:
    """Return seconds, minutes or hours."""
    if not math.isfinite(seconds):
        return MISSING
    size, unit = time_unit(seconds)
    return f"{seconds / size:,.1f} {unit}"
