from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.report.plotly_charts import plotly_figure
from pyg_nas.visualization.charts import Axis, Chart, Dots, Line
from pyg_nas.visualization.curve_charts import learning_curve_chart
from pyg_nas.visualization.prediction_charts import prediction_charts, residual_chart
from pyg_nas.visualization.search_charts import pareto_chart

HOSTILE = "<b onclick='x'>$a_b$</b>\x1b[31m\u202e\udcff"
SHOWN = "&lt;b onclick=&#x27;x&#x27;&gt;$a_b$&lt;/b&gt;\\x1b[31m\\u202e\\udcff"


def test_dots_of_cells_without_a_number_are_left_out_and_counted() -> None:
    rng = np.random.default_rng(0)
    measured, predicted = rng.uniform(size=(2, 60))
    (chart, _) = prediction_charts(measured, predicted)
    figure = plotly_figure(chart, {3: 30, 7: 70})
    dots = figure.traces[1]
    assert dots["customdata"] == [30, 70]
    np.testing.assert_allclose(dots["x"], 100 * measured[[3, 7]], rtol=1e-5)
    assert "2 of 60 cells drawn" in figure.note
    assert "drawn" not in plotly_figure(chart, {row: row for row in range(60)}).note
    assert figure.hint == "Hover for the cell, click to pin it."
    assert plotly_figure(chart).hint == ""


def test_unknown_costs_are_not_drawn() -> None:
    cost = np.array([1.0, np.nan, 3.0, 4.0, 5.0, 6.0])
    figure = plotly_figure(pareto_chart(np.full(6, 0.5), cost, "cost"), {i: i for i in range(6)})
    cells, front = figure.traces
    assert front["x"] == [1.0]
    assert cells["customdata"] == [2, 3, 4, 5]


def test_lines_have_their_band_and_steps() -> None:
    x = np.array([1.0, 2.0])
    line = Line("l", x, x, 0, steps=True, band=(x - 1, x + 1))
    band, drawn = plotly_figure(Chart("t", Axis("x"), Axis("y"), (line,))).traces
    assert band["y"] == [0.0, 1.0, 3.0, 2.0]
    assert drawn["line"]["shape"] == "hv"


def test_a_missing_value_is_null() -> None:
    dots = Dots("d", np.array([1.0, 2.0]), np.array([np.nan, 1 / 3]), 0)
    (trace,) = plotly_figure(Chart("t", Axis("x"), Axis("y"), (dots,))).traces
    assert trace["y"] == [None, 0.333333]


@pytest.mark.parametrize(
    "chart",
    [
        learning_curve_chart([1, 2], {HOSTILE: [[1], [2]]}, HOSTILE),
        pareto_chart([0.1, 0.2], [1, 2], HOSTILE, HOSTILE),
        residual_chart([1.0, 2.0], [1.0, 2.0], {HOSTILE: [HOSTILE, HOSTILE]}, HOSTILE),
    ],
)
def test_names_are_no_markup_in_a_figure(chart: Chart) -> None:
    figure = plotly_figure(chart)
    drawn = str(figure.traces) + str(figure.layout)
    assert "<" not in drawn
    assert "\x1b" not in drawn
    assert any(SHOWN in figure.layout[axis]["title"]["text"] for axis in ("xaxis", "yaxis"))
