"""SplitMix64 gives its published numbers."""

from __future__ import annotations

import numpy as np

from pyg_nas.compute.splitmix import GOLDEN, mix


def test_first_numbers_of_seed_zero() -> None:
    # The reference implementation's output (Vigna, splitmix64.c) from the state 0.
    with np.errstate(over="ignore"):
        states = np.arange(1, 4, dtype=np.uint64) * GOLDEN
        found = [hex(value) for value in mix(states).tolist()]
    assert found == ["0xe220a8397b1dcdaf", "0x6e789e6aa1b965f4", "0x6c45d188009454f"]
