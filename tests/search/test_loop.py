"""Every strategy through the one loop: each cell once, repeatable, resumable, no peeking."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import MeasureError, SettingsError
from pyg_nas.graphs.cell import Cell
from pyg_nas.search.constraints import Constraints
from pyg_nas.search.domain import Domain
from pyg_nas.search.early_stopping import EarlyStopping
from pyg_nas.search.evaluators.evaluator import OnEnd, Wanted
from pyg_nas.search.evaluators.table import TableEvaluator
from pyg_nas.search.history import History, Proposal
from pyg_nas.search.loop import search
from pyg_nas.search.methods.strategies import (
    PredictorSearch,
    RandomSearch,
    RegularizedEvolution,
)
from pyg_nas.search.outcome import Outcome
from pyg_nas.search.search_folder.folder import QUERIES, SearchFolder
from pyg_nas.search.search_folder.records import Records
from tests.search.conftest import SMALL
from tests.search.predictors import LinearPredictor, linear
from tests.search.samples import STRATEGIES, Interrupted, hashes


@pytest.fixture(params=["whole", "partial"])
def evaluator(
    request: pytest.FixtureRequest, whole_table: Table, partial_table: Table
) -> TableEvaluator:
    return TableEvaluator(whole_table if request.param == "whole" else partial_table)


@pytest.mark.parametrize("method", STRATEGIES)
def test_every_cell_once_and_the_same_again(method: str, evaluator: TableEvaluator) -> None:
    one = search(STRATEGIES[method](evaluator), evaluator, budget=50, seed=3)
    two = search(STRATEGIES[method](evaluator), evaluator, budget=50, seed=3)
    assert hashes(one) == hashes(two)
    assert len(set(hashes(one))) == len(hashes(one)) == 50
    assert set(hashes(one)) <= {digest.decode() for digest in evaluator.table.hashes}
    if method != "oracle":
        assert hashes(search(STRATEGIES[method](evaluator), evaluator, 50, seed=4)) != hashes(one)


@pytest.mark.parametrize("method", STRATEGIES)
def test_a_budget_beyond_the_table_asks_for_all_of_it(method: str, partial_table: Table) -> None:
    evaluator = TableEvaluator(partial_table)
    result = search(STRATEGIES[method](evaluator), evaluator, budget=1000)
    assert len(result.history) == len(partial_table)
    assert result.exhausted
    assert result.regret is not None
    answer = result.answer
    assert answer is not None
    assert answer.outcome.accuracy == evaluator.table.label().max()


@pytest.mark.parametrize("method", STRATEGIES)
def test_stopped_anywhere_it_resumes_as_if_undisturbed(
    method: str, partial_table: Table, tmp_path: Path
) -> None:
    undisturbed = search(
        STRATEGIES[method](TableEvaluator(partial_table)), TableEvaluator(partial_table), 40, 1
    )
    asked: list[str] = []
    for after in (0, 3, 14, 2, 5, 100):
        evaluator = Interrupted(partial_table, after)
        folder = SearchFolder(tmp_path / "run", {"seed": 1}, SMALL)
        try:
            result = search(STRATEGIES[method](evaluator), evaluator, 40, 1, folder=folder)
        except KeyboardInterrupt:
            with (tmp_path / "run" / QUERIES).open("ab") as file:
                file.write(b'{"ops": ["in", "ou')  # a line that a kill cut off
        asked += evaluator.asked
    assert asked == hashes(undisturbed)
    assert result.to_dict() == undisturbed.to_dict()
    assert [q.to_dict() for q in result.history] == [q.to_dict() for q in undisturbed.history]


@pytest.mark.parametrize("method", STRATEGIES)
def test_a_larger_budget_continues_as_if_it_had_been_given_first(
    method: str, partial_table: Table, tmp_path: Path
) -> None:
    evaluator = TableEvaluator(partial_table)
    folder = SearchFolder(tmp_path, {}, SMALL)
    for budget in (3, 13, 17, 32):  # also within a batch, and within evolution's first population
        search(STRATEGIES[method](evaluator), evaluator, budget, 1, folder=folder)
    grown = search(STRATEGIES[method](evaluator), evaluator, 40, 1, folder=folder)
    at_once = search(STRATEGIES[method](evaluator), evaluator, 40, 1)
    assert [q.to_dict() for q in grown.history] == [q.to_dict() for q in at_once.history]


def test_a_finished_search_is_read_without_fitting(partial_table: Table, tmp_path: Path) -> None:
    evaluator = TableEvaluator(partial_table)
    folder = SearchFolder(tmp_path, {}, SMALL)
    done = search(PredictorSearch(linear, n=15, k=6), evaluator, 25, folder=folder)

    def fails(n: int, seed: int) -> LinearPredictor:
        raise AssertionError("nothing is left to ask for")

    again = search(PredictorSearch(fails, n=15, k=6), evaluator, 25, folder=folder)
    assert again.to_dict() == done.to_dict()


class Own(TableEvaluator):
    """A user's evaluator: its fifth outcome is given."""

    def __init__(self, table: Table, fifth: Any) -> None:
        super().__init__(table)
        self.fifth = fifth
        self.evaluated = 0

    def evaluate(self, cell: Cell, budget: int | None = None) -> Outcome:
        self.evaluated += 1
        return self.fifth if self.evaluated == 5 else super().evaluate(cell, budget)


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (Outcome(float("nan")), "accuracy must be a finite number, got nan"),
        (Outcome(np.float32("inf")), "accuracy must be a finite number, got inf"),
        (Outcome(None), "accuracy must be a finite number, got None"),  # type: ignore[arg-type]
        (Outcome("0.9"), "accuracy .* got '0.9'"),  # type: ignore[arg-type]
        (Outcome(0.9, seconds=float("inf")), "seconds must be a finite number or None, got inf"),
        (Outcome(0.9, true_accuracy=np.float64("nan")), "true_accuracy .* got nan"),
        (0.9, "the evaluator must give an Outcome, or the reason of a failure as text, got 0.9"),
    ],
)
def test_an_invalid_outcome_is_refused_before_it_is_recorded(
    partial_table: Table, tmp_path: Path, outcome: Any, message: str
) -> None:
    fifth = hashes(search(RandomSearch(), TableEvaluator(partial_table), 8))[4]
    folder = SearchFolder(tmp_path, {}, SMALL)
    with pytest.raises(SettingsError, match=f"cell {fifth}: {message}"):
        search(RandomSearch(2), Own(partial_table, outcome), 8, folder=folder)
    with pytest.raises(SettingsError, match=f"cell {fifth}: {message}"):
        search(RandomSearch(), Own(partial_table, outcome), 8)  # nor is it believed elsewhere
    assert len(Records.read(folder.path, SMALL).history) == 4
    assert (
        len(search(RandomSearch(2), TableEvaluator(partial_table), 8, folder=folder).history) == 8
    )


class Miscounting(TableEvaluator):
    """A user's evaluator: it loses its fourth outcome, or repeats it."""

    def __init__(self, table: Table, times: int) -> None:
        super().__init__(table)
        self.times = times

    def train(self, wanted: Wanted, on_end: OnEnd) -> None:
        for number, (cell, budget) in enumerate(wanted):
            for _ in range(self.times if number == 3 else 1):
                on_end(cell, budget, self.evaluate(cell, budget))


@pytest.mark.parametrize(
    ("times", "message", "recorded", "stopping"),
    [
        (0, "gave no result for 1 cell", 7, None),
        (2, "gave a result for .*, not in training", 4, None),
        # The fourth outcome is then that of the second cell at the full budget.
        (0, "gave no result for 1 cell", 7, EarlyStopping((4,))),
        (2, "gave a result for .*, not in training", 2, EarlyStopping((4,))),
    ],
)
def test_an_evaluator_must_give_one_outcome_per_cell(
    partial_table: Table,
    tmp_path: Path,
    times: int,
    message: str,
    recorded: int,
    stopping: EarlyStopping | None,
) -> None:
    folder, evaluator = SearchFolder(tmp_path, {}, SMALL), Miscounting(partial_table, times)
    with pytest.raises(SettingsError, match=message):
        search(RandomSearch(4), evaluator, 8, folder=folder, early_stopping=stopping)
    assert len(Records.read(folder.path, SMALL).history) == recorded


class Renaming(TableEvaluator):
    """A user's evaluator that passes on another budget than it was given."""

    def train(self, wanted: Wanted, on_end: OnEnd) -> None:
        for cell, budget in wanted:
            on_end(cell, 108 if budget is None else None, self.evaluate(cell, budget))


@pytest.mark.parametrize(
    ("stopping", "message"),
    [(None, "budget 108, .* budget None"), (EarlyStopping((4,)), "budget None, .* budget 4 ")],
)
def test_an_evaluator_must_pass_on_the_budget(
    partial_table: Table, stopping: EarlyStopping | None, message: str
) -> None:
    with pytest.raises(SettingsError, match=message):
        search(RandomSearch(), Renaming(partial_table), 8, early_stopping=stopping)


class Explaining(RandomSearch):
    """Random search that gives a reason."""

    def __init__(self, why: Any) -> None:
        super().__init__()
        self.why = why

    def propose(
        self, history: History, k: int, domain: Domain, rng: np.random.Generator
    ) -> list[Proposal]:
        return [Proposal(p.cell, why=self.why) for p in super().propose(history, k, domain, rng)]


def test_numpy_scalars_are_recorded_as_numbers(partial_table: Table, tmp_path: Path) -> None:
    outcome = Outcome(np.float32(0.5), np.float32(3.5), np.float64(0.25), np.int64(1))
    why = {"score": np.float32(1.5), "rows": [np.int64(3)], "wanted": np.bool_(True)}
    folder = SearchFolder(tmp_path, {}, SMALL)
    history = search(Explaining(why), Own(partial_table, outcome), 6, folder=folder).history
    assert history[4].outcome == Outcome(0.5, 3.5, 0.25, 1.0)
    assert history[0].proposal.why == {"score": 1.5, "rows": [3], "wanted": True}
    recorded = Records.read(folder.path, SMALL).history
    assert [query.to_dict() for query in recorded] == [query.to_dict() for query in history]


@pytest.mark.parametrize(
    "why", [{"score": np.float32("nan")}, {"scores": np.zeros(2)}, {"by": object()}, [1]]
)
def test_a_reason_that_cannot_be_recorded_is_refused_before_the_training(
    partial_table: Table, tmp_path: Path, why: Any
) -> None:
    evaluator = Own(partial_table, Outcome(0.5))
    first = hashes(search(RandomSearch(), TableEvaluator(partial_table), 1))[0]
    with pytest.raises(SettingsError, match=f"cell {first}: why must be"):
        search(Explaining(why), evaluator, 6, folder=SearchFolder(tmp_path, {}, SMALL))
    assert evaluator.evaluated == 0


@pytest.mark.parametrize("method", ["random", "evolution", "local", "predictor"])
def test_parameters_are_kept_by_every_query(method: str, small_table: Table) -> None:
    evaluator = TableEvaluator(small_table)
    limit = int(np.median(small_table.trainable_parameters))
    result = search(
        STRATEGIES[method](evaluator), evaluator, 40, constraints=Constraints(max_parameters=limit)
    )
    counts = [query.parameters for query in result.history]
    assert all(count is not None and count <= limit for count in counts)
    for query in result.history:
        assert query.parameters == query.cell.trainable_parameters


def test_time_limits_the_answer_and_the_predictors_wishes(small_table: Table) -> None:
    evaluator = TableEvaluator(small_table)
    times = small_table.metrics[:, -1, 0, 1, 0]
    limit = float(np.quantile(times, 0.3))
    result = search(RandomSearch(), evaluator, 60, constraints=Constraints(max_seconds=limit))
    assert result.answer is not None
    assert result.answer.outcome.seconds is not None
    assert result.answer.outcome.seconds <= limit
    assert any(query.outcome.seconds > limit for query in result.history)  # type: ignore[operator]
    none = search(RandomSearch(), evaluator, 20, constraints=Constraints(max_seconds=1e-3))
    assert none.answer is None
    assert none.to_dict()["simple_regret"] is None
    assert none.regret is not None
    assert np.isnan(none.regret).all()


def test_invalid_settings_are_named(small_table: Table, whole_table: Table) -> None:
    evaluator = TableEvaluator(small_table)
    with pytest.raises(SettingsError, match=r"the smallest has \S+ parameters$"):
        search(RandomSearch(), evaluator, 5, constraints=Constraints(max_parameters=10))
    with pytest.raises(SettingsError, match="not known"):
        search(
            RandomSearch(),
            TableEvaluator(whole_table),
            5,
            constraints=Constraints(max_parameters=10),
        )
    with pytest.raises(SettingsError, match="budget"):
        search(RandomSearch(), evaluator, 0)
    with pytest.raises(SettingsError, match=r"budget of a search, .* whole number, got 1\.5"):
        search(RandomSearch(), evaluator, 1.5)  # type: ignore[arg-type]
    with pytest.raises(SettingsError, match="max_seconds"):
        Constraints(max_seconds=0)
    with pytest.raises(SettingsError, match="tournament"):
        RegularizedEvolution(10, 11)
    with pytest.raises(SettingsError, match="standard deviations"):
        search(PredictorSearch(linear, n=5, k=2, acquisition="ei"), evaluator, 8)


class TwoWorkers(TableEvaluator):
    """Trains two cells at a time; the first one takes longer than all others together."""

    def __init__(self, table: Table, failing: int | None = None) -> None:
        super().__init__(table)
        self.failing = failing

    def train(self, wanted: Wanted, on_end: OnEnd) -> None:
        waiting = iter(wanted)
        slow, _ = next(waiting)
        for number, (cell, _) in enumerate(waiting):
            failed = number == self.failing
            on_end(cell, None, "out of memory" if failed else self.evaluate(cell))
        on_end(slow, None, self.evaluate(slow))


def test_a_slow_run_delays_no_other(partial_table: Table, tmp_path: Path) -> None:
    folder = SearchFolder(tmp_path, {}, SMALL)
    strategy = PredictorSearch(linear, n=6, k=2)
    result = search(strategy, TwoWorkers(partial_table), 20, folder=folder)
    assert len(result.history) == 20
    # Its outcome is the last, and the predictor was fitted without it many times.
    assert result.history[19].proposal.why == {}
    assert sum(bool(query.proposal.why) for query in result.history) == 14


def test_a_failed_run_is_counted_and_the_search_continues(partial_table: Table) -> None:
    result = search(RandomSearch(), TwoWorkers(partial_table, failing=3), 10)
    assert (len(result.history), result.failed) == (9, 1)


class FailingFirst(TableEvaluator):
    """One whose first runs fail."""

    def __init__(self, table: Table, count: int) -> None:
        super().__init__(table)
        self.count = count

    def evaluate(self, cell: Cell, budget: int | None = None) -> Outcome:
        self.count -= 1
        if self.count >= 0:
            raise MeasureError("out of memory")
        return super().evaluate(cell, budget)


@pytest.mark.parametrize("count", [1, 2])
def test_a_first_cell_that_fails_is_one_of_the_failed_cells(
    count: int, partial_table: Table, tmp_path: Path
) -> None:
    folder = SearchFolder(tmp_path, {}, SMALL)
    result = search(RandomSearch(), FailingFirst(partial_table, count), 10, folder=folder)
    plain = hashes(search(RandomSearch(), TableEvaluator(partial_table), 10))
    assert list(result.history.failures) == plain[:count]
    assert hashes(result) == plain[count:]
    assert Records.read(folder.path, SMALL).history.failures == result.history.failures


@pytest.mark.parametrize(("count", "budget", "named"), [(9, 10, 3), (9, 2, 2), (9, 1, 1)])
def test_a_search_whose_first_cells_fail_ends_and_trains_them_again(
    count: int, budget: int, named: int, partial_table: Table, tmp_path: Path
) -> None:
    folder = SearchFolder(tmp_path, {}, SMALL)
    first = hashes(search(RandomSearch(), TableEvaluator(partial_table), 10))[0]
    message = f"cell {first}: out of memory"
    if named > 1:
        message = f"the first {named} cells failed, {message}"
    with pytest.raises(MeasureError, match=f"^{message}$"):
        search(RandomSearch(), FailingFirst(partial_table, count), budget, folder=folder)
    # They are trained when the cause is removed, and nothing else is asked for.
    again = search(RandomSearch(), TableEvaluator(partial_table), 10, folder=folder)
    assert (len(again.history), again.failed) == (10, 0)
    assert hashes(again) == hashes(search(RandomSearch(), TableEvaluator(partial_table), 10))


class Failing(TableEvaluator):
    """A user's evaluator, some of whose runs fail."""

    def evaluate(self, cell: Cell, budget: int | None = None) -> Outcome:
        if int(cell.hash, 16) % 3 == 1:
            raise MeasureError("out of memory")
        return super().evaluate(cell, budget)


def test_a_training_that_raises_has_failed(partial_table: Table) -> None:
    plain = hashes(search(RandomSearch(), TableEvaluator(partial_table), 30))
    lost = [digest for digest in plain if int(digest, 16) % 3 == 1]
    assert lost
    assert plain[0] not in lost
    result = search(RandomSearch(), Failing(partial_table), 30)
    assert list(result.history.failures) == lost
    assert hashes(result) == [digest for digest in plain if digest not in lost]
