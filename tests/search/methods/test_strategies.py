"""What each strategy proposes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from scipy.stats import norm

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import ModelError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.mutation import neighbours
from pyg_nas.predictors.cost.training_time import TimeRegressor
from pyg_nas.predictors.gaussian_process.regressor import GaussianProcess
from pyg_nas.search.constraints import Constraints
from pyg_nas.search.evaluators.table import TableEvaluator
from pyg_nas.search.history import History, Proposal, Query
from pyg_nas.search.loop import search
from pyg_nas.search.methods.strategies import (
    LocalSearch,
    PredictorSearch,
    RandomSearch,
    Ranking,
    RegularizedEvolution,
)
from pyg_nas.search.outcome import Outcome
from tests.search.predictors import LinearPredictor, linear
from tests.search.samples import STRATEGIES, hashes


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


def test_a_predictor_with_update_is_fitted_on_the_schedule(whole_table: Table) -> None:
    fits: list[int] = []
    updates: list[tuple[int, int]] = []

    class Watching(GaussianProcess):
        def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Watching:
            fits.append(len(X))
            return super().fit(X, y)  # type: ignore[return-value]

        def update(self, X: Any, y: Any) -> Watching:
            updates.append((len(self.dual_), len(X)))
            return super().update(X, y)  # type: ignore[return-value]

    def make(n: int, seed: int) -> Watching:
        return Watching(steps=20, random_state=seed)

    evaluator = TableEvaluator(whole_table)
    strategy = PredictorSearch(make, n=20, k=2)
    result = search(strategy, evaluator, 36)
    # 1.25 * 20 = 25 and 1.25 * 25 = 31.25, rounded up.
    assert fits == [20, 25, 32]
    assert updates == [(20, 2), (20, 4), (25, 1), (25, 3), (25, 5), (32, 2)]
    # The last round's predictions are those of a predictor made by hand.
    cells, labels = result.history.cells[:34], result.history.accuracies[:34]
    by_hand = make(32, 0).fit(cells[:32], labels[:32]).update(cells[32:], labels[32:])
    predicted = [query.proposal.why["predicted"] for query in list(result.history)[34:]]
    np.testing.assert_allclose(by_hand.predict(result.history.cells[34:]), predicted, rtol=1e-9)
    # The kept fit of one search is none of another's.
    other = hashes(search(PredictorSearch(make, n=20, k=2), evaluator, 36, seed=1))
    assert hashes(search(strategy, evaluator, 36, seed=1)) == other


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


@pytest.mark.parametrize(("limit", "trained"), [(45.0, 50), (5.0, 30)])
def test_times_that_cells_do_not_explain_end_no_search(
    whole_table: Table, limit: float, trained: int
) -> None:
    metrics, rng = whole_table.metrics.copy(), np.random.default_rng(0)
    metrics[..., 0] = rng.choice([40.0, 60.0], len(metrics))[:, None, None, None]
    table = Table(whole_table.cells, metrics, whole_table.budgets)
    evaluator, limits = TableEvaluator(table), Constraints(max_seconds=limit)
    strategy = PredictorSearch(linear, n=30, k=10, max_seconds=limit)
    history = search(strategy, evaluator, 50, seed=1, constraints=limits).history
    predicted = TimeRegressor().fit(history.cells[:30], history.seconds[:30]).predict(table.cells)
    assert (predicted > 45.0).all()  # although half of the cells take 40 s
    assert len(history) == trained


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
def test_predictions_that_are_not_one_finite_number_per_cell_are_refused(
    whole_table: Table, method: str, wrong: str, change: Callable[[Any], Any], message: str
) -> None:
    class Plain(LinearPredictor):
        def predict(self, X: CellArray) -> Any:
            return change(super().predict(X))

    class WithStd(LinearPredictor):
        provides_std = True

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
    with pytest.raises(ModelError, match=f"my model must predict one finite {what}.*{message}"):
        search(strategy, TableEvaluator(whole_table), 21)


def test_searches_of_neighbouring_seeds_are_independent(whole_table: Table) -> None:
    evaluator = TableEvaluator(whole_table)
    one, two = (hashes(search(RandomSearch(), evaluator, 30, seed)) for seed in (0, 1))
    # A stream that depends on seed + position would give the one what the other asked before.
    assert sum(a == b for a, b in zip(one[1:], two, strict=False)) < 5


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

    provides_std = True

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
