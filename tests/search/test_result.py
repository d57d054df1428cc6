"""The regret of a search."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.data.tables.table import Table
from pyg_nas.search.constraints import Constraints
from pyg_nas.search.evaluators.table import TableEvaluator
from pyg_nas.search.loop import search
from pyg_nas.search.methods.strategies import RandomSearch


def test_regret_by_hand(whole_table: Table) -> None:
    evaluator = TableEvaluator(whole_table)
    result = search(RandomSearch(), evaluator, 25)
    labels = [query.outcome.accuracy for query in result.history]
    truth = whole_table.metrics[:, 1, :, 1, 3].astype(float).mean(axis=1)
    assert result.regret is not None
    for position in range(25):
        best = int(np.argmax(labels[: position + 1]))
        row = whole_table.index_of(result.history[best].cell)
        assert result.regret[position] == pytest.approx(truth.max() - truth[row], abs=1e-12)
        assert result.best_accuracy[position] == max(labels[: position + 1])
    assert result.seconds[-1] == pytest.approx(
        sum(query.outcome.seconds or 0.0 for query in result.history)
    )


def test_regret_is_against_the_best_within_the_constraints(small_table: Table) -> None:
    evaluator = TableEvaluator(small_table)
    counts = small_table.trainable_parameters
    seconds = small_table.metrics[:, -1, 0, 1, 0]
    limits = Constraints(int(np.quantile(counts, 0.5)), float(np.quantile(seconds, 0.4)))
    result = search(RandomSearch(), evaluator, 200, constraints=limits)
    truth = small_table.metrics[:, -1, :2, 1, 3].astype(float).mean(axis=1)
    feasible = (counts <= limits.max_parameters) & (seconds <= limits.max_seconds)
    assert result.reference is not None
    assert result.reference.best == pytest.approx(truth[feasible].max(), abs=1e-9)
    assert result.reference.best < truth.max()
    none = search(RandomSearch(), evaluator, 20, constraints=Constraints(max_seconds=1e-3))
    assert none.reference == evaluator.reference
    assert none.answer is None
    assert repr(none) == "SearchResult(20 trained cells, answer: none)"
    assert result.answer is not None
    accuracy = f"{result.answer.outcome.accuracy:.4g}"
    shown = f"answer: {result.answer.cell.hash} with accuracy {accuracy})"
    assert repr(result) == f"SearchResult({len(result.history)} trained cells, {shown}"
