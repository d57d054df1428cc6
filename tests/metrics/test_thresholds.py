from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.metrics.thresholds import above, accuracy_unit, below


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.7, 0.8, 0.91, 91.0, 92.3])
def test_a_number_is_neither_above_nor_below_itself(threshold: float) -> None:
    single = np.float32(threshold)
    values = [threshold, single, float(single), np.nan]
    assert not above(values, threshold).any()
    assert not below(values, threshold).any()
    assert above([np.nextafter(single, np.float32(200))], threshold).all()
    assert below([np.nextafter(single, np.float32(0))], threshold).all()


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        ([0.0, 1.0, np.nan], 1.0),
        ([], 1.0),
        ([0.5, 93.1, 10.0], 100.0),
        ([0.5, 0.6, 9.0], None),
        ([-0.1, 0.5], None),
        ([50.0, 101.0], None),
    ],
)
def test_fractions_percent_and_neither(values: list[float], unit: float | None) -> None:
    assert accuracy_unit(values) == unit
