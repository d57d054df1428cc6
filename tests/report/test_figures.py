"""The data of a report's figures."""

from __future__ import annotations

import numpy as np

from pyg_nas.report.figures import pareto_figure, scatter_figures


def test_equal_values_and_unknown_costs_are_drawn() -> None:
    same = np.full(6, 0.5)
    figures = scatter_figures(same, same, np.arange(6), list(range(6)))
    low, high = figures[0].layout["xaxis"]["range"]
    assert low < 50 < high
    cost = np.array([1.0, np.nan, 3.0, 4.0, 5.0, 6.0])
    front = pareto_figure(same, cost, "cost", {i: i for i in range(6)})
    assert front.traces[1]["x"] == [1.0]
    assert front.traces[0]["customdata"] == [2, 3, 4, 5]
