"""Charts of scores by training cells: means, intervals and single draws."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.visualization.charts import Dots, Line
from pyg_nas.visualization.curve_charts import comparison_chart


def test_a_comparison_has_means_and_intervals() -> None:
    scores = {"a": [[0.5, 0.6, 0.7], [0.7, 0.7, 0.7]], "b": [[0.1, np.nan, 0.2], [0.3, 0.3, 0.3]]}
    chart = comparison_chart([424, 172], scores)
    a, b = chart.marks
    assert isinstance(a, Line)
    assert isinstance(b, Line)
    assert a.band is not None
    assert a.x.tolist() == [172, 424]
    assert a.y == pytest.approx([0.7, 0.6])
    half = 4.302653 * 0.1 / np.sqrt(3)  # t(0.975) of 2 degrees of freedom
    assert a.band[0] == pytest.approx([0.7, 0.6 - half], abs=1e-6)
    assert a.band[1] == pytest.approx([0.7, 0.6 + half], abs=1e-6)
    assert b.x.tolist() == [172]


def test_intervals_of_correlations_end_at_one() -> None:
    chart = comparison_chart([20, 50], {"a": [[0.9, 1.0], [-0.95, -1.0]], "b": [[np.nan] * 2] * 2})
    a, b = chart.marks
    assert isinstance(a, Line)
    assert a.band is not None
    assert a.band[0][1] == -1
    assert a.band[1][0] == 1
    assert b.name == "b (not defined)"
    _, interval, _ = comparison_chart([20], {"a": [[0.9, 1.0]]}).marks
    assert isinstance(interval, Line)
    assert interval.y[1] == 1


def test_a_comparison_without_a_value_has_the_range_of_correlations() -> None:
    chart = comparison_chart([100], {"a": [[np.nan, np.nan]]})
    assert chart.y.limits == (-1, 1)
    assert chart.x.tick_labels == ("a (not defined)",)


def test_one_draw_is_one_dot() -> None:
    (dot,) = comparison_chart([100], {"a": [[0.5]]}).marks
    assert isinstance(dot, Dots)
    assert (dot.x.tolist(), dot.y.tolist()) == ([0], [0.5])


def test_a_comparison_of_one_size_shows_every_draw() -> None:
    chart = comparison_chart([100], {"a": [[0.5, 0.6, 0.7]], "b": [[0.1, np.nan, 0.2]]})
    dots = [mark for mark in chart.marks if isinstance(mark, Dots)]
    assert [mark.y.tolist() for mark in dots] == [[0.5, 0.6, 0.7], [0.1, 0.2]]
    assert chart.x.tick_labels == ("a", "b")
    assert len(chart.marks) == 4  # b has no mean of all its draws
