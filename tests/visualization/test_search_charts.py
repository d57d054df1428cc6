"""Charts of searches: what they leave out, and what they name."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.visualization.charts import Dots, Line
from pyg_nas.visualization.curve_charts import learning_curve_chart
from pyg_nas.visualization.prediction_charts import prediction_charts
from pyg_nas.visualization.search_charts import pareto_chart, regret_chart, search_charts

RNG = np.random.default_rng(2)
MEASURED = RNG.uniform(0.85, 0.95, 400)
PREDICTED = MEASURED + RNG.normal(0, 0.01, 400)


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


def test_regret_without_information_is_left_out() -> None:
    def titles(*regret: float) -> list[str]:
        accuracy = np.full(len(regret), 0.9)
        return [chart.title for chart in search_charts(accuracy, accuracy, np.array(regret))]

    assert "Regret by trained cells" in titles(0.1, 0.0)
    for regret in ((0.1,), (0.0, 0.0), (np.nan, np.nan)):
        assert titles(*regret) == ["Accuracy by trained cells"]


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


@pytest.mark.parametrize(
    ("regret", "rises"), [((0.3, 0.1, 0.2), True), ((0.3, 0.1, 0.1), False), ((np.nan, 0.1), False)]
)
def test_regret_that_rises_is_explained(regret: tuple[float, ...], rises: bool) -> None:
    """A best so far that gets worse looks like an error."""
    values = np.array(regret)
    own = search_charts(np.full(len(values), 0.9), np.full(len(values), 0.9), values)[-1]
    curve = np.arange(1.0, len(values) + 1), np.stack([values, values, values])
    for chart in (own, regret_chart({"a": curve}, fractions=True)):
        assert chart.title == "Regret by trained cells"
        assert (
            "Regret rises where a cell looked better to a search than it is" in chart.note
        ) == rises
