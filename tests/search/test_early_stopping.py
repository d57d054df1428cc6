"""Early stopping: which cells are stopped, and where it is refused."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError
from pyg_nas.graphs.cell import Cell
from pyg_nas.search.constraints import Constraints
from pyg_nas.search.early_stopping import LEAST, EarlyStopping, expected_if_stopped
from pyg_nas.search.evaluators.table import TableEvaluator
from pyg_nas.search.history import History, Proposal, Query
from pyg_nas.search.loop import search
from pyg_nas.search.methods.strategies import RandomSearch
from pyg_nas.search.outcome import Outcome, Rung

STOPPING = EarlyStopping((4,))


def queries(table: Table, accuracies: list[float], **why: float) -> History:
    """Complete queries that gain 0.1, give or take 0.001, between budget 4 and the full one."""
    history = History()
    for row, accuracy in enumerate(accuracies):
        final = accuracy + 0.1 + 0.001 * (-1) ** row
        outcome = Outcome(final, 8.0, rungs=(Rung(4, accuracy, 4.0),), full_seconds=4.0)
        history.append(Query(Proposal(table.cells[row], why=why), outcome))
    return history


@pytest.fixture
def history(whole_table: Table) -> History:
    return queries(whole_table, [0.5 + 0.02 * row for row in range(9)])


@pytest.fixture
def cell(whole_table: Table) -> Cell:
    return whole_table.cells[30]


def test_a_cell_far_below_is_stopped_with_what_it_would_reach(history: History, cell: Cell) -> None:
    expected = expected_if_stopped(history, cell, [Rung(4, 0.4)])
    assert expected == pytest.approx(0.5, abs=0.005)


def test_the_better_third_of_a_rung_is_trained_further(history: History, cell: Cell) -> None:
    assert expected_if_stopped(history, cell, [Rung(4, 0.63)]) is None
    assert expected_if_stopped(history, cell, [Rung(4, 0.59)]) is not None


def test_no_cell_is_stopped_before_enough_are_complete(whole_table: Table, cell: Cell) -> None:
    early = queries(whole_table, [0.5 + 0.02 * row for row in range(LEAST - 1)])
    assert expected_if_stopped(early, cell, [Rung(4, 0.1)]) is None


def test_a_prediction_that_it_is_good_has_it_trained_further(
    whole_table: Table, cell: Cell
) -> None:
    # Predictions were exact for cells whose accuracy at the rung says little.
    rng = np.random.default_rng(0)
    history = History()
    for row in range(12):
        outcome = Outcome(0.9 + 0.005 * row, rungs=(Rung(4, 0.5 + 0.1 * rng.random()),))
        history.append(
            Query(Proposal(whole_table.cells[row], why={"predicted": 0.9 + 0.005 * row}), outcome)
        )
    for predicted, stopped in ((0.97, False), (0.8, True)):
        asked = history.first(12)
        asked.expect(Proposal(cell, why={"predicted": predicted}))
        found = expected_if_stopped(asked, cell, [Rung(4, 0.5)])
        assert (found is not None) == stopped


def test_equal_accuracies_at_a_rung(whole_table: Table, cell: Cell) -> None:
    history = queries(whole_table, [0.5] * 9)
    assert expected_if_stopped(history, cell, [Rung(4, 0.5)]) is None


def test_gains_of_which_most_are_equal_do_not_make_the_others_impossible(
    whole_table: Table, cell: Cell
) -> None:
    """Of twelve cells eight gain exactly 0.1, the others 0.1 more or less than that."""
    history = History()
    for row in range(12):
        gain = 0.2 if row in (4, 5) else 0.0 if row in (6, 7) else 0.1
        accuracy = 0.5 + 0.01 * row
        outcome = Outcome(accuracy + gain, 8.0, rungs=(Rung(4, accuracy, 4.0),), full_seconds=4.0)
        history.append(Query(Proposal(whole_table.cells[row]), outcome))
    assert expected_if_stopped(history, cell, [Rung(4, 0.56)]) is None


@pytest.mark.parametrize("budgets", [(), (0,), (4, 4), (8, 4)])
def test_invalid_budgets(budgets: tuple[int, ...]) -> None:
    with pytest.raises(SettingsError, match="ascending positive budgets"):
        EarlyStopping(budgets)


def test_a_table_with_one_budget(whole_table: Table) -> None:
    one = Table(whole_table.cells, whole_table.metrics[:, 1:], budgets=(8,))
    with pytest.raises(SettingsError, match="needs a smaller budget"):
        EarlyStopping.of(TableEvaluator(one))
    with pytest.raises(SettingsError, match="needs a smaller budget"):
        search(RandomSearch(), TableEvaluator(one), 3, early_stopping=STOPPING)


def test_training_time_cannot_be_limited_too(whole_table: Table) -> None:
    evaluator = TableEvaluator(whole_table)
    with pytest.raises(SettingsError, match="with early stopping"):
        search(RandomSearch(), evaluator, 3, 0, Constraints(max_seconds=3), early_stopping=STOPPING)
