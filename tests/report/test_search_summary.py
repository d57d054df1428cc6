"""The figures that a search leaves in its folder."""

from __future__ import annotations

import numpy as np

from pyg_nas.graphs.enumeration import enumerate_cells
from pyg_nas.report.search_summary import plot_curves
from pyg_nas.search.evaluator import TableEvaluator
from pyg_nas.search.loop import search
from pyg_nas.search.strategies import RandomSearch
from tests.search.conftest import SMALL, made_up_table


def test_curves_are_in_percent_points_and_hours() -> None:
    evaluator = TableEvaluator(made_up_table(enumerate_cells(SMALL)))
    result = search(RandomSearch(), evaluator, 20)
    figure = plot_curves(result)
    queries, hours, regret, _ = (axes.lines[-1] for axes in figure.axes)
    accuracies = np.array([query.outcome.accuracy for query in result.history])
    np.testing.assert_allclose(queries.get_ydata(), 100 * np.maximum.accumulate(accuracies))
    seconds = [query.outcome.seconds for query in result.history]
    np.testing.assert_allclose(hours.get_xdata(), np.cumsum(seconds) / 3600)
    np.testing.assert_allclose(regret.get_ydata(), 100 * result.regret)
