"""Every strategy through the one loop: each cell once, repeatable, resumable, no peeking."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from pyg_nas.data.shipped import shipped_table
from pyg_nas.data.table import Table
from pyg_nas.errors import SettingsError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.mutation import neighbours
from pyg_nas.predictors.training_time import TimeRegressor
from pyg_nas.report.search_summary import plot_curves
from pyg_nas.search.domain import Domain
from pyg_nas.search.evaluator import Outcome, TableEvaluator
from pyg_nas.search.folder import QUERIES, SearchFolder
from pyg_nas.search.history import History, Proposal, Query
from pyg_nas.search.loop import Constraints, SearchResult, search
from pyg_nas.search.methods import make_strategy
from pyg_nas.search.strategies import (
    LocalSearch,
    PredictorSearch,
    RandomSearch,
    Ranking,
    RegularizedEvolution,
    Strategy,
)
from tests.search.conftest import SMALL
from tests.search.predictors import LinearPredictor, gaussian, linear


class Short(RandomSearch):
    """Proposes at least one cell, but often fewer than asked for."""

    def propose(
        self, history: History, k: int, domain: Domain, rng: np.random.Generator
    ) -> list[Proposal]:
        return super().propose(history, int(rng.integers(1, k + 1)), domain, rng)


class Long(RandomSearch):
    """Proposes more cells than asked for."""

    def propose(
        self, history: History, k: int, domain: Domain, rng: np.random.Generator
    ) -> list[Proposal]:
        return super().propose(history, k + 3, domain, rng)


STRATEGIES: dict[str, Callable[[TableEvaluator], Strategy]] = {
    "random": lambda _: RandomSearch(),
    "evolution": lambda _: RegularizedEvolution(population=20, tournament=5),
    "local": lambda _: LocalSearch(),
    "oracle": lambda evaluator: Ranking(evaluator.oracle(), at_once=4),
    "predictor": lambda _: PredictorSearch(linear, n=15, k=6),
    "ei": lambda _: PredictorSearch(gaussian, n=15, k=6, acquisition="ei"),
    "thompson": lambda _: PredictorSearch(gaussian, n=15, k=6, acquisition="thompson"),
    "short": lambda _: Short(at_once=6),
    "long": lambda _: Long(at_once=4),
    "ucb": lambda _: PredictorSearch(gaussian, n=15, k=6, acquisition="ucb"),
}


@pytest.fixture(params=["whole", "partial"])
def evaluator(
    request: pytest.FixtureRequest, whole_table: Table, partial_table: Table
) -> TableEvaluator:
    return TableEvaluator(whole_table if request.param == "whole" else partial_table)


def hashes(result: SearchResult) -> list[str]:
    return [query.cell.hash for query in result.history]


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


class Interrupted(TableEvaluator):
    """Stops after so many outcomes, as Ctrl-C would."""

    def __init__(self, table: Table, after: int) -> None:
        super().__init__(table)
        self.left = after
        self.asked: list[str] = []

    def evaluate(self, cells: Sequence[Cell]) -> Iterator[Outcome]:
        for cell, outcome in zip(cells, super().evaluate(cells), strict=True):
            if not self.left:
                raise KeyboardInterrupt
            self.left -= 1
            self.asked.append(cell.hash)
            yield outcome


@pytest.mark.parametrize("method", STRATEGIES)
def test_stopped_anywhere_it_goes_on_as_if_undisturbed(
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
def test_a_larger_budget_goes_on_as_if_it_had_been_given_first(
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


def test_records_without_batches_are_of_full_ones(partial_table: Table, tmp_path: Path) -> None:
    evaluator = TableEvaluator(partial_table)
    folder = SearchFolder(tmp_path, {}, SMALL)
    strategy = PredictorSearch(linear, n=15, k=6)
    search(strategy, evaluator, 23, folder=folder)
    path = tmp_path / QUERIES
    records = [json.loads(line) for line in path.read_text().splitlines()]
    for record in records:
        del record["batch"]
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    resumed = search(strategy, evaluator, 40, folder=folder)
    assert hashes(resumed) == hashes(search(strategy, evaluator, 40))


def test_batches_that_begin_elsewhere_cannot_be_resumed(
    partial_table: Table, tmp_path: Path
) -> None:
    evaluator = TableEvaluator(partial_table)
    folder = SearchFolder(tmp_path, {}, SMALL)
    search(RandomSearch(at_once=10), evaluator, 12, folder=folder)
    with pytest.raises(SettingsError, match=r"query 5 .* together with query 0"):
        search(RandomSearch(at_once=5), evaluator, 20, folder=folder)


def test_a_folder_is_for_one_search(partial_table: Table, tmp_path: Path) -> None:
    SearchFolder(tmp_path, {"seed": 1, "n": [1]}, SMALL)
    SearchFolder(tmp_path, {"seed": 1, "n": (1,)}, SMALL)
    with pytest.raises(SettingsError, match="seed = 1, asked for is 2"):
        SearchFolder(tmp_path, {"seed": 2, "n": [1]}, SMALL)
    (tmp_path / QUERIES).write_text("{}\n")
    with pytest.raises(SettingsError, match="line 1"):
        SearchFolder(tmp_path, {"seed": 1, "n": [1]}, SMALL).read()


def test_a_larger_budget_is_written_when_the_folder_is_free(
    partial_table: Table, tmp_path: Path
) -> None:
    def stored() -> Any:
        return json.loads((tmp_path / "settings.json").read_text())

    small = SearchFolder(tmp_path, {"seed": 1, "budget": 5}, SMALL)
    large = SearchFolder(tmp_path, {"seed": 1, "budget": 8}, SMALL)
    with small.locked(), pytest.raises(SettingsError, match="another search"), large.locked():
        pass
    assert stored()["budget"] == 5
    with large.locked():
        assert stored() == {"seed": 1, "budget": 8}
    with pytest.raises(SettingsError, match=r"budget = 8, asked for is 5; .* or a larger budget"):
        SearchFolder(tmp_path, {"seed": 1, "budget": 5}, SMALL)
    with pytest.raises(SettingsError, match="budget = 8, asked for is 5"), small.locked():
        pass
    assert stored()["budget"] == 8
    with pytest.raises(SettingsError, match="seed = 1, asked for is 2"):
        SearchFolder(tmp_path, {"seed": 2, "budget": 9}, SMALL)


def test_a_folder_of_another_seed_cannot_be_resumed(partial_table: Table, tmp_path: Path) -> None:
    evaluator = Interrupted(partial_table, 10)
    folder = SearchFolder(tmp_path, {}, SMALL)
    with pytest.raises(KeyboardInterrupt):
        search(PredictorSearch(linear, n=15), evaluator, 30, seed=1, folder=folder)
    with pytest.raises(SettingsError, match="query 0"):
        search(PredictorSearch(linear, n=15), evaluator, 30, seed=2, folder=folder)


def test_isomorphic_copies_are_one_cell() -> None:
    one = Cell([[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0] * 4], ["in", "a", "b", "out"], SMALL)
    two = Cell(one.adjacency, ["in", "b", "a", "out"], SMALL)
    history = History()
    history.append(Query(Proposal(one), Outcome(0.5)))
    with pytest.raises(ValueError, match="twice"):
        history.append(Query(Proposal(two), Outcome(0.5)))


class Own(TableEvaluator):
    """A person's evaluator: its fifth outcome is given."""

    def __init__(self, table: Table, fifth: Outcome) -> None:
        super().__init__(table)
        self.fifth = fifth
        self.evaluated = 0

    def evaluate(self, cells: Sequence[Cell]) -> Iterator[Outcome]:
        for outcome in super().evaluate(cells):
            self.evaluated += 1
            yield self.fifth if self.evaluated == 5 else outcome


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (Outcome(float("nan")), "accuracy must be a finite number, got nan"),
        (Outcome(np.float32("inf")), "accuracy must be a finite number, got inf"),
        (Outcome(None), "accuracy must be a finite number, got None"),  # type: ignore[arg-type]
        (Outcome("0.9"), "accuracy .* got '0.9'"),  # type: ignore[arg-type]
        (Outcome(0.9, seconds=float("inf")), "seconds must be a finite number or None, got inf"),
        (Outcome(0.9, true_accuracy=np.float64("nan")), "true_accuracy .* got nan"),
    ],
)
def test_an_outcome_that_is_no_number_is_refused_before_it_is_recorded(
    partial_table: Table, tmp_path: Path, outcome: Outcome, message: str
) -> None:
    fifth = hashes(search(RandomSearch(), TableEvaluator(partial_table), 8))[4]
    folder = SearchFolder(tmp_path, {}, SMALL)
    with pytest.raises(SettingsError, match=f"cell {fifth}: {message}"):
        search(RandomSearch(2), Own(partial_table, outcome), 8, folder=folder)
    with pytest.raises(SettingsError, match=f"cell {fifth}: {message}"):
        search(RandomSearch(), Own(partial_table, outcome), 8)  # nor is it believed elsewhere
    assert len(folder.read()) == 4
    assert (
        len(search(RandomSearch(2), TableEvaluator(partial_table), 8, folder=folder).history) == 8
    )


class Miscounting(TableEvaluator):
    """A person's evaluator: it loses the last outcome of each batch, or repeats it."""

    def __init__(self, table: Table, last: int) -> None:
        super().__init__(table)
        self.last = last

    def evaluate(self, cells: Sequence[Cell]) -> Iterator[Outcome]:
        *others, last = super().evaluate(cells)
        yield from [*others, *[last] * self.last]


@pytest.mark.parametrize(
    ("last", "message", "recorded"),
    [(0, "gave 3 outcomes for 4 cells", 3), (2, "more outcomes than the 4 it owes", 4)],
)
def test_an_evaluator_owes_one_outcome_a_cell(
    partial_table: Table, tmp_path: Path, last: int, message: str, recorded: int
) -> None:
    folder = SearchFolder(tmp_path, {}, SMALL)
    with pytest.raises(SettingsError, match=message):
        search(RandomSearch(4), Miscounting(partial_table, last), 8, folder=folder)
    assert len(folder.read()) == recorded


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
    assert [query.to_dict() for query in folder.read()] == [query.to_dict() for query in history]


@pytest.mark.parametrize(
    "why", [{"score": np.float32("nan")}, {"scores": np.zeros(2)}, {"by": object()}, [1]]
)
def test_a_reason_that_cannot_be_recorded_is_refused_before_the_training(
    partial_table: Table, tmp_path: Path, why: Any
) -> None:
    evaluator = Own(partial_table, Outcome(0.5))
    first = hashes(search(RandomSearch(), TableEvaluator(partial_table), 1))[0]
    with pytest.raises(SettingsError, match=f"cell {first}: why it is asked for must be"):
        search(Explaining(why), evaluator, 6, folder=SearchFolder(tmp_path, {}, SMALL))
    assert evaluator.evaluated == 0


def test_predictor_sees_only_what_was_asked(whole_table: Table) -> None:
    sizes: list[int] = []

    class Watching(LinearPredictor):
        def fit(self, X: Any, y: Any) -> Watching:
            assert len(X) == len(y)
            sizes.append(len(X))
            return super().fit(X, y)  # type: ignore[return-value]

    evaluator = TableEvaluator(whole_table)
    result = search(PredictorSearch(lambda n, seed: Watching(), n=20, k=5), evaluator, 35)
    assert sizes == [20, 25, 30]
    predicted = [query.proposal.why.get("predicted") for query in result.history]
    assert predicted[:20] == [None] * 20
    first = [value for value in predicted[20:25] if value is not None]
    assert first == sorted(first, reverse=True)
    assert len(first) == 5


def test_oracle_asks_for_the_best_first(whole_table: Table) -> None:
    evaluator = TableEvaluator(whole_table)
    result = search(Ranking(evaluator.oracle()), evaluator, 10)
    means = whole_table.metrics[:, 1, :, 1, 2].astype(float).mean(axis=1)
    expected = [whole_table.hashes[row].decode() for row in np.argsort(-means)[:10]]
    assert hashes(result) == expected


def test_evolution_descends_from_the_best_of_the_living(whole_table: Table) -> None:
    evaluator = TableEvaluator(whole_table)
    result = search(RegularizedEvolution(30, 30), evaluator, 60)
    for position in range(30, 60):
        alive = [result.history[i] for i in range(position - 30, position)]
        best = max(alive, key=lambda query: query.outcome.accuracy)
        assert result.history[position].proposal.why == {"parent": best.cell.hash}


def test_local_search_climbs_from_the_best_of_the_climb(whole_table: Table) -> None:
    evaluator = TableEvaluator(whole_table)
    result = search(LocalSearch(), evaluator, 80)
    centre: Query | None = None
    for query in result.history:
        source = query.proposal.why["from"]
        if source is None:
            centre = query
            continue
        assert centre is not None
        assert source == centre.cell.hash
        if query.outcome.accuracy > centre.outcome.accuracy:
            centre = query


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


def test_better_methods_win_on_average(whole_table: Table) -> None:
    evaluator = TableEvaluator(whole_table)

    def mean_regret(method: str) -> float:
        finals = []
        for seed in range(12):
            result = search(STRATEGIES[method](evaluator), evaluator, 40, seed)
            assert result.regret is not None
            finals.append(result.regret[-1])
        return float(np.mean(finals))

    assert mean_regret("predictor") < mean_regret("random")
    assert mean_regret("local") < mean_regret("random")


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


def test_predicted_time_keeps_slow_cells_out(whole_table: Table) -> None:
    evaluator = TableEvaluator(whole_table)  # a cell takes 10 s an edge
    result = search(
        PredictorSearch(linear, n=30, k=10, max_seconds=45.0),
        evaluator,
        50,
        constraints=Constraints(max_seconds=45.0),
    )
    cells, seconds = result.history.cells, result.history.seconds
    predicted = TimeRegressor().fit(cells[:30], seconds[:30]).predict(cells[30:40])
    assert (predicted <= 45.0).all()
    assert (seconds[:30] > 45.0).mean() > (seconds[30:] > 45.0).mean() + 0.2
    assert result.answer is not None
    assert result.answer.cell.num_edges <= 4


def test_wrong_settings_are_named(small_table: Table, whole_table: Table) -> None:
    evaluator = TableEvaluator(small_table)
    with pytest.raises(SettingsError, match="the smallest has"):
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
    with pytest.raises(SettingsError, match="max_seconds"):
        Constraints(max_seconds=0)
    with pytest.raises(SettingsError, match="tournament"):
        RegularizedEvolution(10, 11)
    with pytest.raises(SettingsError, match="standard deviations"):
        search(PredictorSearch(linear, n=5, k=2, acquisition="ei"), evaluator, 8)


@pytest.mark.parametrize(
    ("method", "wrong"),
    [
        ("predict", "mean"),
        ("predict with std", "mean"),
        ("predict with std", "std"),
        ("predict_latent", "mean"),
        ("predict_latent", "std"),
    ],
)
@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda values: np.where(np.arange(len(values)) == 7, np.nan, values), "got nan for cell"),
        (lambda values: np.where(np.arange(len(values)) == 7, np.inf, values), "got inf for cell"),
        (lambda values: values[:, None], r"got an array of shape \[\d+, 1\]"),
        (lambda values: values[:-1], r"got an array of shape \[\d+\]"),
    ],
)
def test_predictions_that_are_not_one_finite_number_a_cell_are_refused(
    whole_table: Table, method: str, wrong: str, change: Callable[[Any], Any], message: str
) -> None:
    class Plain(LinearPredictor):
        def predict(self, X: CellArray) -> Any:
            return change(super().predict(X))

    class WithStd(LinearPredictor):
        def predict(self, X: CellArray, return_std: bool = False) -> Any:
            mean, std = super().predict(X), np.full(len(X), 0.01)
            return (change(mean), std) if wrong == "mean" else (mean, change(std))

    class Latent(WithStd):
        def predict_latent(self, X: CellArray) -> Any:
            return self.predict(X, return_std=True)

        def label_at(self, scores: Any) -> Any:
            return scores

    kind = {"predict": Plain, "predict with std": WithStd, "predict_latent": Latent}[method]
    strategy = PredictorSearch(
        lambda n, seed: kind(),
        n=15,
        k=6,
        acquisition="mean" if method == "predict" else "ucb",
        predictor="my model",
    )
    what = "mean" if wrong == "mean" else "standard deviation"
    with pytest.raises(SettingsError, match=f"my model must predict one finite {what}.*{message}"):
        search(strategy, TableEvaluator(whole_table), 21)


def test_two_searches_never_share_a_folder(partial_table: Table, tmp_path: Path) -> None:
    evaluator = TableEvaluator(partial_table)
    folders = [SearchFolder(tmp_path / "run", {"seed": 1}, SMALL) for _ in range(2)]
    with folders[0].locked():
        with pytest.raises(SettingsError, match="another search is at work in this folder"):
            search(RandomSearch(), evaluator, 5, 1, folder=folders[1])
        search(RandomSearch(), evaluator, 5, 1, folder=folders[0])
    assert len(search(RandomSearch(), evaluator, 8, 1, folder=folders[1]).history) == 8


def test_a_cell_whose_time_is_not_known_keeps_no_time_limit() -> None:
    query = Query(Proposal(sample_cells(1, 0)[0]), Outcome(0.9, None))
    assert not Constraints(max_seconds=1e9).keeps(query)
    assert Constraints().keeps(query)


def test_searches_of_neighbouring_seeds_are_independent(whole_table: Table) -> None:
    evaluator = TableEvaluator(whole_table)
    one, two = (hashes(search(RandomSearch(), evaluator, 30, seed)) for seed in (0, 1))
    # A stream that depends on seed + position would give the one what the other asked before.
    assert sum(a == b for a, b in zip(one[1:], two, strict=False)) < 5


def test_every_query_is_on_disk_before_the_next_one_is_asked(
    whole_table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines: list[int] = []
    path = tmp_path / QUERIES
    monkeypatch.setattr(os, "fsync", lambda _: lines.append(path.read_bytes().count(b"\n")))
    search(RandomSearch(), TableEvaluator(whole_table), 3, folder=SearchFolder(tmp_path, {}, SMALL))
    assert lines == [1, 2, 3]


def test_a_tournament_is_of_the_cells_asked_for(whole_table: Table) -> None:
    evaluator = TableEvaluator(whole_table)
    result = search(RegularizedEvolution(population=20, tournament=1), evaluator, 120)
    # Of one rival the winner is anybody: its rank among the living is uniform.
    ranks = []
    for position in range(20, 120):
        alive = [result.history[i] for i in range(position - 20, position)]
        order = sorted(alive, key=lambda query: query.outcome.accuracy)
        parents = [query.cell.hash for query in order]
        ranks.append(parents.index(result.history[position].proposal.why["parent"]))
    assert np.mean(ranks) == pytest.approx(9.5, abs=2.0)  # 3.5 standard errors


def test_a_climb_stays_where_a_step_gains_nothing(whole_table: Table) -> None:
    start, step = whole_table.cells[40], neighbours(whole_table.cells[40])[0]
    history = History()
    history.append(Query(Proposal(start, why={"from": None}), Outcome(0.5)))
    history.append(Query(Proposal(step, why={"from": start.hash}), Outcome(0.5)))
    domain, rng = TableEvaluator(whole_table).domain, np.random.default_rng(0)
    (proposal,) = LocalSearch().propose(history, 1, domain, rng)
    assert proposal.why == {"from": start.hash}


class Oracle:
    """Knows means and standard deviations beforehand; keeps what it is asked."""

    def __init__(self, mean: np.ndarray, std: np.ndarray) -> None:
        self.mean, self.std = mean, std

    def fit(self, X: CellArray, y: np.ndarray) -> Oracle:
        self.best_ = float(np.max(y))
        return self

    def predict(self, X: CellArray, return_std: bool = False) -> Any:
        return (self.mean, self.std) if return_std else self.mean


def first_after(whole_table: Table, strategy: PredictorSearch) -> tuple[History, Query]:
    evaluator = TableEvaluator(whole_table)
    result = search(strategy, evaluator, strategy.n + 1, seed=2)
    return result.history, result.history[strategy.n]


def test_improvement_is_counted_from_the_best_cell_so_far(whole_table: Table) -> None:
    rng = np.random.default_rng(0)
    labels = whole_table.label()
    mean = rng.normal(labels.mean(), 0.01, len(whole_table))
    std = rng.uniform(0.0, 0.05, len(whole_table))
    strategy = PredictorSearch(lambda n, seed: Oracle(mean, std), n=30, k=1, acquisition="ei")
    history, asked = first_after(whole_table, strategy)
    best = history.accuracies[:30].max()
    z = (mean - best) / std
    wanted = std * (z * norm.cdf(z) + norm.pdf(z))
    wanted[[whole_table.index_of(history[i].cell) for i in range(30)]] = -1
    assert whole_table.index_of(asked.cell) == wanted.argmax()


def test_improvement_goes_through_the_predictors_map(whole_table: Table) -> None:
    """Scores are no accuracies: without their map nothing would be an improvement."""
    rng = np.random.default_rng(1)
    mean, std = rng.normal(0, 1, len(whole_table)), rng.uniform(0.1, 1, len(whole_table))

    class Latent(Oracle):
        def predict_latent(self, X: CellArray) -> Any:
            return self.mean, self.std

        def label_at(self, scores: np.ndarray) -> np.ndarray:
            return 0.8 + 0.02 * scores

    strategy = PredictorSearch(lambda n, seed: Latent(mean, std), n=30, k=1, acquisition="ei")
    history, asked = first_after(whole_table, strategy)
    best = history.accuracies[:30].max()
    centre, spread = 0.8 + 0.02 * mean, 0.02 * std
    z = (centre - best) / spread
    wanted = spread * (z * norm.cdf(z) + norm.pdf(z))
    wanted[[whole_table.index_of(history[i].cell) for i in range(30)]] = -1
    row = whole_table.index_of(asked.cell)
    assert wanted[row] == pytest.approx(wanted.max(), rel=0.05)
    # And what is said of it is an accuracy.
    assert asked.proposal.why["predicted"] == pytest.approx(centre[row])
    assert asked.proposal.why["std"] == pytest.approx(spread[row])


def test_every_fit_has_its_own_seed(whole_table: Table) -> None:
    seeds: list[int] = []

    def make(n: int, seed: int) -> Oracle:
        seeds.append(seed)
        return Oracle(np.arange(len(whole_table), dtype=float), np.ones(len(whole_table)))

    search(PredictorSearch(make, n=10, k=2), TableEvaluator(whole_table), 16, seed=1)
    search(PredictorSearch(make, n=10, k=2), TableEvaluator(whole_table), 16, seed=2)
    assert len(set(seeds)) == len(seeds) == 6


def test_a_method_has_every_setting(small_table: Table) -> None:
    evaluator = TableEvaluator(small_table)
    strategy = make_strategy(
        "predictor", evaluator, n=20, k=3, recipe="fast", acquisition="ucb",
        constraints=Constraints(max_seconds=150.0), label=small_table.default_label, device="cpu",
    )  # fmt: skip
    assert isinstance(strategy, PredictorSearch)
    assert strategy.describe() == {
        "method": "predictor",
        "predictor": "recipe fast",
        "n": 20,
        "k": 3,
        "acquisition": "ucb",
        "max_seconds": 150.0,
    }
    predictor = strategy.make_predictor(20, 9)
    assert (predictor.random_state, predictor.device, predictor.prior) == (9, "cpu", True)
    paper = make_strategy(
        "predictor", evaluator, n=20, k=3, recipe="paper", label=small_table.default_label
    )
    assert paper.make_predictor(20, 0).target_mean == 0.908192  # type: ignore[attr-defined]


def test_the_shipped_table_is_searched_without_what_it_says_itself() -> None:
    evaluator = TableEvaluator(shipped_table())
    strategy = make_strategy("predictor", evaluator, n=20, k=3, recipe="fast")
    assert isinstance(strategy, PredictorSearch)
    assert strategy.make_predictor(20, 0).prior is False


def test_the_oracle_keeps_a_limit_that_a_cell_just_meets(small_table: Table) -> None:
    evaluator = TableEvaluator(small_table)
    constraints = Constraints(max_parameters=int(np.sort(small_table.trainable_parameters)[100]))
    strategy = make_strategy("oracle", evaluator, n=1, k=5, recipe="fast", constraints=constraints)
    result = search(strategy, evaluator, 200, constraints=constraints)
    allowed = small_table.trainable_parameters <= constraints.max_parameters
    means = small_table.metrics[:, 3, :2, 1, 2].astype(float).mean(axis=1)
    rows = np.flatnonzero(allowed)
    expected = [small_table.hashes[row].decode() for row in rows[np.argsort(-means[rows])]]
    assert hashes(result) == expected


def test_curves_are_in_percent_points_and_hours(whole_table: Table) -> None:
    evaluator = TableEvaluator(whole_table)
    result = search(RandomSearch(), evaluator, 20)
    figure = plot_curves(result)
    queries, hours, regret, _ = (axes.lines[-1] for axes in figure.axes)
    accuracies = np.array([query.outcome.accuracy for query in result.history])
    np.testing.assert_allclose(queries.get_ydata(), 100 * np.maximum.accumulate(accuracies))
    seconds = [query.outcome.seconds for query in result.history]
    np.testing.assert_allclose(hours.get_xdata(), np.cumsum(seconds) / 3600)
    np.testing.assert_allclose(regret.get_ydata(), 100 * result.regret)
