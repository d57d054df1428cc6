"""What several kinds of charts have in common."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.visualization.chart_parts import known_pairs, limits_around, percent_or_value


def test_fractions_are_in_percent_and_other_numbers_as_they_are() -> None:
    assert percent_or_value(np.array([0.5, 0.9])) == (100.0, ", %")
    assert percent_or_value(np.array([0.5, 90.0])) == (1.0, "")
    assert percent_or_value(np.array([0.5, 0.9]), fractions=False) == (1.0, "")


def test_equal_values_have_limits_with_room() -> None:
    assert limits_around(np.array([2.0, 4.0]), 0.25) == (1.5, 4.5)
    assert limits_around(np.array([3.0, 3.0]), 0.25) == (2.5, 3.5)


def test_pairs_are_known_in_both_lists() -> None:
    nan = float("nan")
    x, y, rows = known_pairs([1.0, nan, 3.0], [4.0, 5.0, 6.0])
    assert (x.tolist(), y.tolist(), rows.tolist()) == ([1.0, 3.0], [4.0, 6.0], [0, 2])
    with pytest.raises(SettingsError, match=r"two lists of one length, got \(2,\) and \(1,\)"):
        known_pairs([1.0, 2.0], [1.0])
    with pytest.raises(SettingsError, match="no cell has both values"):
        known_pairs([nan], [1.0])
