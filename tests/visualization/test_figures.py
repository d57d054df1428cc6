"""What each chart contains, drawn by either back end."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.visualization.charts import Boxes, Dots, Line
from pyg_nas.visualization.figures import (
    best_end,
    comparison_chart,
    learning_curve_chart,
    pareto_chart,
    prediction_charts,
    regret_chart,
    residual_chart,
    residual_charts,
    search_charts,
)

RNG = np.random.default_rng(2)
MEASURED = RNG.uniform(0.85, 0.95, 400)
PREDICTED = MEASURED + RNG.normal(0, 0.01, 400)


def test_the_second_panel_has_the_best_measured_cells() -> None:
    for measured, predicted, larger, name, count in (
        (MEASURED, PREDICTED, True, "above 90 %", (MEASURED >= 0.9).sum()),
        (MEASURED - 0.2, PREDICTED - 0.2, True, "in the top decile", 40),
        (MEASURED * 40, PREDICTED * 40, False, "in the lowest decile", 40),
    ):
        _, chart = prediction_charts(measured, predicted, larger)
        assert chart.title == f"Best cells: measured {name}"
        assert chart.results[0] == f"{count} cells"
    best, _ = best_end(np.arange(20.0), larger_is_better=False)
    assert np.flatnonzero(best).tolist() == [0, 1]


def test_charts_of_networks_name_no_cells() -> None:
    cost = np.linspace(1, 2, 400)
    low = np.where(np.arange(400) < 4, 0.1, MEASURED)
    charts = [
        *prediction_charts(MEASURED, PREDICTED, thing="network"),
        pareto_chart(low, cost, "latency, s", thing="network"),
        learning_curve_chart([10, 20], {"a": np.ones((2, 1))}, thing="network"),
    ]
    for chart in charts:
        marks = [mark.name for mark in chart.marks]
        texts = [chart.title, chart.note, *chart.results, chart.x.label, chart.y.label, *marks]
        assert "network" in " ".join(texts)
        assert "cell" not in " ".join(texts)


def test_a_panel_of_few_cells_is_left_out() -> None:
    assert len(prediction_charts(10 * MEASURED[:50], 10 * PREDICTED[:50])) == 2  # five are best
    (chart,) = prediction_charts(10 * MEASURED[:40], 10 * PREDICTED[:40], name="R²")
    assert chart.x.label == "measured R²"
    assert chart.y.label == "predicted R²"
    best = MEASURED >= 0.9  # the second panel would be the first one again
    assert len(prediction_charts(MEASURED[best], PREDICTED[best])) == 1


def test_regret_without_information_is_left_out() -> None:
    def titles(*regret: float) -> list[str]:
        accuracy = np.full(len(regret), 0.9)
        return [chart.title for chart in search_charts(accuracy, accuracy, np.array(regret))]

    assert "Regret by trained cells" in titles(0.1, 0.0)
    for regret in ((0.1,), (0.0, 0.0), (np.nan, np.nan)):
        assert titles(*regret) == ["Accuracy by trained cells"]


def test_rows_are_those_of_the_cells_with_both_values() -> None:
    measured = MEASURED.copy()
    measured[::2] = np.nan
    dots = prediction_charts(measured, PREDICTED)[0].marks[1]
    assert isinstance(dots, Dots)
    assert dots.rows is not None
    assert dots.rows.tolist() == list(range(1, 400, 2))
    np.testing.assert_array_equal(dots.x, 100 * MEASURED[1::2])


@pytest.mark.parametrize(
    ("measured", "predicted", "why"),
    [
        ([0.5, 0.5], [0.1, 0.2], "all measured values are equal"),
        ([0.4, 0.5], [0.2, 0.2], "all predictions are equal"),
        ([0.4], [0.2], "one cell has no order"),
    ],
)
def test_a_correlation_that_does_not_exist_is_explained(
    measured: list[float], predicted: list[float], why: str
) -> None:
    assert prediction_charts(measured, predicted)[0].results[-1] == (
        f"Kendall τ not defined: {why}"
    )


def test_equal_values_have_an_axis_with_room() -> None:
    low, high = prediction_charts(np.full(6, 0.5), np.full(6, 0.5))[0].x.limits or (0, 0)
    assert low < 50 < high


def test_small_groups_are_left_out_only_beside_larger_ones() -> None:
    groups = ["a"] * 6 + ["b"] * 2
    chart = residual_chart(np.zeros(8), np.ones(8), {"g": groups}, "g")
    boxes = chart.marks[0]
    assert isinstance(boxes, Boxes)
    assert (boxes.groups, boxes.counts) == (["a"], [6])
    assert "fewer than 5 cells" in chart.note
    few = residual_chart(np.zeros(2), np.ones(2), {"g": ["a", "b"]}, "g").marks[0]
    assert isinstance(few, Boxes)
    assert few.groups == ["a", "b"]


def test_residuals_of_cells_are_by_depth_and_by_operation() -> None:
    cells = sample_cells(200, seed=0)
    by_depth, by_operation = residual_charts(MEASURED[:200], PREDICTED[:200], cells)
    (depths,) = by_depth.marks
    assert isinstance(depths, Boxes)
    for group, quantiles in zip(depths.groups, depths.quantiles, strict=True):
        errors = 100 * (PREDICTED - MEASURED)[:200][cells.depths == int(group)]
        assert quantiles[2] == pytest.approx(np.median(errors))
    names = ["conv 3×3", "conv 1×1", "max pool 3×3"]
    assert [mark.name for mark in by_operation.marks] == names


def test_the_front_of_a_chart_keeps_the_rows_of_its_cells() -> None:
    rest, front = pareto_chart([0.8, np.nan, 0.9, 0.7], [1.0, 1.0, 2.0, 3.0], "cost").marks
    assert isinstance(rest, Dots)
    assert isinstance(front, Dots)
    assert front.rows is not None
    assert rest.rows is not None
    assert (front.rows.tolist(), rest.rows.tolist()) == ([0, 2], [3])


@pytest.mark.parametrize(("cells", "hidden"), [(10, 0), (200, 3)])
def test_the_worst_of_many_cells_are_not_shown_and_counted(cells: int, hidden: int) -> None:
    """Three failed runs of 200 would press all others into one line; of ten cells each counts."""
    accuracy = np.linspace(0.85, 0.95, cells)
    accuracy[: max(hidden, 1)] = 0.1
    seconds = np.arange(1.0, cells + 1)
    charts = search_charts(accuracy, np.maximum.accumulate(accuracy), None, seconds)
    charts.append(pareto_chart(accuracy, seconds, "cost"))
    for chart in charts:
        assert chart.y.limits is not None
        assert (chart.y.limits[0] < 10) == (not hidden)
        said = f" Not shown: {hidden} cells below the axis."
        assert chart.note.endswith(said) == bool(hidden)
        assert ("Not shown" in chart.note) == bool(hidden)


def test_unknown_times_and_regrets_have_no_chart() -> None:
    accuracy = np.array([0.5, 0.6])
    charts = search_charts(accuracy, accuracy, np.full(2, np.nan), None)
    assert [chart.title for chart in charts] == ["Accuracy by trained cells"]
    line = charts[0].marks[1]
    assert isinstance(line, Line)
    np.testing.assert_allclose(line.y, [50, 60])


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


def test_regret_of_zero_has_a_place_on_the_logarithmic_axis() -> None:
    quartiles = np.array([[0.01, 0.0], [0.02, 0.001], [0.03, 0.002]])
    chart = regret_chart({"a": (np.array([1.0, 2.0]), quartiles)}, fractions=True)
    (line,) = chart.marks
    assert isinstance(line, Line)
    assert line.band is not None
    assert line.y == pytest.approx([2, 0.1])  # points
    assert chart.y.ticks is not None
    assert chart.y.tick_labels is not None
    assert line.band[0][1] == chart.y.ticks[0] > 0
    assert chart.y.tick_labels[:2] == ("0", "0.1")
    assert "At 0 the best architecture was found" in chart.note
