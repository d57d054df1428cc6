"""SplitMix64 (Steele, Lea and Flood, 2014): a 64-bit mixing function for hashes and random bits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
"""The step between two states."""

FIRST, SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
"""The multipliers of the finaliser."""


def mix(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Return the finaliser's output: equal for equal values, unrelated for others."""
    value = (value ^ (value >> np.uint64(30))) * FIRST
    value = (value ^ (value >> np.uint64(27))) * SECOND
    return np.asarray(value ^ (value >> np.uint64(31)))
