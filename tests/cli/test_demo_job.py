"""The demo's steps: unseen cells, and live training runs."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pyg_nas.cli.demo_job import BestCells, best_unseen_cells, train_live
from pyg_nas.data.tables.table import Table
from pyg_nas.graphs.enumeration import sample_cells


def test_the_best_cells_of_the_demo_are_none_of_the_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    space = sample_cells(60, seed=2)
    monkeypatch.setattr("pyg_nas.spaces.nasbench101.support.SUPPORT.cells", lambda: space)
    scores = np.random.default_rng(0).random(60)
    order = np.argsort(-scores)
    # The table has the best, the third best and ten others.
    known = np.concatenate([order[[0, 2]], order[30:40]])
    table = Table(space[known], np.full((12, 4, 3, 2, 4), 0.5, np.float32))
    model = SimpleNamespace(estimator=SimpleNamespace(predict=lambda cells: scores))
    best = best_unseen_cells(model, table, 4)  # type: ignore[arg-type]
    expected = order[[1, 3, 4, 5]]
    assert best.cells == space[expected]
    assert best.digests == [space[int(row)].hash for row in expected]
    np.testing.assert_array_equal(best.scores, scores[expected])
    assert best.scored == 60


def test_the_demo_trains_as_the_shipped_table_was(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def measured(cells: Any, task: Any, budgets: Any, seeds: int) -> None:
        asked.append((len(cells), task.name, list(budgets), seeds))

    monkeypatch.setattr("pyg_nas.measure.measure_cells", measured)
    cells = sample_cells(5, 0)
    table = Table(cells, np.full((5, 2, 3, 2, 4), 0.5, np.float32), budgets=(4, 16))
    train_live(BestCells(cells, [], np.ones(5), 5), 3, table)
    assert asked == [(3, "digits", [16], 3)]
