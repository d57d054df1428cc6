"""The front against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyg_nas.errors import SettingsError
from pyg_nas.metrics.pareto import pareto_front

POINTS = st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), max_size=25)


@given(points=POINTS)
def test_front_is_what_nothing_beats(points: list[tuple[int, int]]) -> None:
    accuracy = np.array([p[0] for p in points], dtype=float)
    cost = np.array([p[1] for p in points], dtype=float)
    expected = {
        (a, c)
        for a, c in points
        if not any((b >= a and d <= c) and (b, d) != (a, c) for b, d in points)
    }
    front = pareto_front(accuracy, cost)
    assert len(front) == len(expected)
    assert {(int(accuracy[i]), int(cost[i])) for i in front} == expected
    assert (np.diff(cost[front]) > 0).all()
    assert (np.diff(accuracy[front]) > 0).all()


def test_unknown_figures_are_left_out() -> None:
    accuracy = np.array([0.9, np.nan, 0.8, 0.95])
    cost = np.array([2.0, 1.0, 1.0, np.nan])
    assert pareto_front(accuracy, cost).tolist() == [2, 0]
    with pytest.raises(SettingsError, match="both be"):
        pareto_front(accuracy, cost[:2])
