"""Numbers as a reader wants them."""

from __future__ import annotations

import math

MISSING = "–"


def number(value: float, digits: int) -> str:
    """Return a fixed number of digits; a dash where the value is not known."""
    return f"{value:,.{digits}f}" if math.isfinite(value) else MISSING


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
    if seconds >= 5400:
        return f"{seconds / 3600:,.1f} h"
    return f"{seconds / 60:.1f} min" if seconds >= 90 else f"{seconds:.1f} s"
