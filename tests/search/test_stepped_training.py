"""Training budget by budget: what is trained and recorded, and that nothing else changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError
from pyg_nas.graphs.cell import Cell
from pyg_nas.measure import Executor, Journal
from pyg_nas.measure.tasks.task import Task
from pyg_nas.search.domain import Domain
from pyg_nas.search.early_stopping import LEAST, EarlyStopping
from pyg_nas.search.evaluators.live import LiveEvaluator
from pyg_nas.search.evaluators.table import TableEvaluator
from pyg_nas.search.history import Query
from pyg_nas.search.loop import search
from pyg_nas.search.methods.strategies import PredictorSearch, RandomSearch
from pyg_nas.search.outcome import Outcome, Rung
from pyg_nas.search.search_folder.folder import SearchFolder
from pyg_nas.search.search_folder.records import Records
from pyg_nas.spaces.nasbench101 import NASBENCH101, nasbench101_cells
from tests.search.predictors import linear
from tests.search.samples import hashes

STOPPING = EarlyStopping((4,))


def test_a_search_of_a_table(whole_table: Table) -> None:
    evaluator = TableEvaluator(whole_table)
    assert EarlyStopping.of(evaluator) == STOPPING
    plain = search(RandomSearch(), evaluator, 60)
    result = search(RandomSearch(), evaluator, 60, early_stopping=STOPPING)
    assert hashes(result) == hashes(plain)
    assert 20 < result.stopped.sum() < 60 - LEAST
    # No stopped cell is the answer, and complete cells have the table's accuracy.
    answer = result.answer
    assert answer is not None
    assert not answer.outcome.stopped
    for one, other in zip(result.history, plain.history, strict=True):
        if not one.outcome.stopped:
            assert one.outcome.accuracy == other.outcome.accuracy
    # Seconds: half of the full time at the smaller budget, and all of it again if not stopped.
    full = plain.history.seconds
    spent = np.where(result.stopped, 0.5, 1.5) * full
    assert result.history.seconds == pytest.approx(spent)
    assert result.saved_seconds == pytest.approx(full.sum() - spent.sum())
    assert result.to_dict()["stopped_early"] == result.stopped.sum()
    assert plain.saved_seconds is None


@pytest.mark.parametrize("strategy", [RandomSearch(), PredictorSearch(linear, n=15, k=6)])
def test_killed_and_resumed_it_asks_for_the_same_cells(
    whole_table: Table, tmp_path: Path, strategy: RandomSearch | PredictorSearch
) -> None:
    evaluator = TableEvaluator(whole_table)
    space = whole_table.space

    def stop(index: int, query: Query) -> None:
        if index in (7, 21):
            raise KeyboardInterrupt

    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            search(
                strategy, evaluator, 40, folder=SearchFolder(tmp_path / "a", {}, space),
                on_query=stop, early_stopping=STOPPING,
            )  # fmt: skip
    folder = SearchFolder(tmp_path / "a", {}, space)
    result = search(strategy, evaluator, 40, folder=folder, early_stopping=STOPPING)
    whole = search(strategy, evaluator, 40, early_stopping=STOPPING)
    assert list(result.history) == list(whole.history)
    assert list(Records.read(tmp_path / "a", space).history) == list(whole.history)


def test_training_on_a_task_with_workers(
    task: Task, journal: Journal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyg_nas.search.early_stopping.LEAST", 3)
    cells = nasbench101_cells()
    domain = Domain(NASBENCH101, cells[np.flatnonzero(cells.num_vertices <= 4)])
    executor = Executor("threading", workers=2)
    evaluator = LiveEvaluator(task, 3, 1, journal, executor, domain)
    result = search(RandomSearch(), evaluator, 7, early_stopping=EarlyStopping.of(evaluator))
    assert len(result.history) == 7
    trained = {(digest, budget) for digest, budget, _ in journal.finished()}
    for query in result.history:
        outcome, digest = query.outcome, query.cell.hash
        assert ((digest, 3) in trained) != outcome.stopped
        (first,) = journal.runs(query.cell, 1)
        assert outcome.rungs == (Rung(1, first.end.validation_accuracy, first.end.wall_seconds),)
        if outcome.stopped:
            assert outcome.full_seconds == pytest.approx(3 * first.end.wall_seconds)
        else:
            (last,) = journal.runs(query.cell, 3)
            assert outcome.accuracy == last.end.validation_accuracy


class AtRung(TableEvaluator):
    """A user's evaluator, which gives the same for every cell at a smaller budget."""

    given: Any

    def evaluate(self, cell: Cell, budget: int | None = None) -> Outcome:
        return super().evaluate(cell) if budget is None else self.given


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (Outcome(float("nan")), "accuracy must be a finite number, got nan"),
        (Outcome(0.5, seconds=float("inf")), "seconds must be a finite number or None, got inf"),
        (0.5, "the evaluator must give an Outcome, or the reason of a failure as text, got 0.5"),
    ],
)
def test_an_invalid_outcome_of_a_smaller_budget_names_its_cell(
    whole_table: Table, tmp_path: Path, given: Any, message: str
) -> None:
    evaluator = AtRung(whole_table)
    evaluator.given = given
    folder = SearchFolder(tmp_path, {}, whole_table.space)
    with pytest.raises(SettingsError, match=f"cell [0-9a-f]{{32}}: {message}"):
        search(RandomSearch(), evaluator, 3, folder=folder, early_stopping=STOPPING)
    assert len(Records.read(tmp_path, whole_table.space).history) == 0
