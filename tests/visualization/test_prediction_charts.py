"""Charts of predictions: their cells, panels and results."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.visualization.charts import Boxes, Dots
from pyg_nas.visualization.prediction_charts import (
    best_end,
    prediction_charts,
    residual_chart,
    residual_charts,
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


def test_a_panel_of_few_cells_is_left_out() -> None:
    assert len(prediction_charts(10 * MEASURED[:50], 10 * PREDICTED[:50])) == 2  # five are best
    (chart,) = prediction_charts(10 * MEASURED[:40], 10 * PREDICTED[:40], name="R²")
    assert chart.x.label == "measured R²"
    assert chart.y.label == "predicted R²"
    best = MEASURED >= 0.9  # the second panel would be the first one again
    assert len(prediction_charts(MEASURED[best], PREDICTED[best])) == 1


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
