"""Optuna studies whose architectures a search chooses."""

from __future__ import annotations

from pathlib import Path

import pytest

optuna = pytest.importorskip("optuna")

from pyg_nas.data.tables.table import Table  # noqa: E402
from pyg_nas.search.ask_tell import Search  # noqa: E402
from pyg_nas.search.domain import Domain  # noqa: E402
from pyg_nas.search.methods.strategies import PredictorSearch  # noqa: E402
from pyg_nas.search.optuna_sampler import ArchitecturePruner, ArchitectureSampler  # noqa: E402
from tests.search.conftest import SMALL  # noqa: E402
from tests.search.predictors import linear  # noqa: E402

optuna.logging.set_verbosity(optuna.logging.WARNING)


def make_search(table: Table, folder: Path | None = None) -> Search:
    strategy = PredictorSearch(linear, n=8, k=4)
    return Search(folder, SMALL, strategy=strategy, domain=Domain(SMALL, table.cells))


def accuracies(table: Table) -> dict[str, float]:
    labels = table.label(table.default_label)
    return {digest.decode(): float(y) for digest, y in zip(table.hashes, labels, strict=True)}


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_a_study_gets_the_architectures_of_the_search(
    whole_table: Table, tmp_path: Path, direction: str
) -> None:
    known = accuracies(whole_table)
    sign = 1 if direction == "maximize" else -1
    search = make_search(whole_table, tmp_path / "search")
    sampler = ArchitectureSampler(search)
    rates: list[float] = []

    def objective(trial: optuna.Trial) -> float:
        rates.append(trial.suggest_float("learning_rate", 1e-3, 1e-1, log=True))
        if trial.number == 3:
            raise optuna.TrialPruned
        return sign * known[sampler.suggest(trial).cell.hash]

    study = optuna.create_study(direction=direction, sampler=sampler)
    study.optimize(objective, n_trials=21, n_jobs=2)
    assert len(set(rates)) == 21
    assert len(search.result.history) == 20
    assert search.best is not None
    assert sign * study.best_value == pytest.approx(search.best.outcome.accuracy)
    best = search.candidate(study.best_trial.params["architecture"])
    assert known[best.cell.hash] == search.best.outcome.accuracy
    alone = make_search(whole_table)
    for _ in range(20):
        (candidate,) = alone.ask(1)
        alone.tell(candidate.id, known[candidate.cell.hash])
    # The first batch; with two jobs, the outcome of a later architecture may come before one of it.
    assert [search.candidate(n).cell for n in range(8)] == [
        alone.candidate(n).cell for n in range(8)
    ]


@pytest.mark.parametrize("direction", ["maximize", "minimize"])
def test_trials_of_hopeless_architectures_are_pruned(whole_table: Table, direction: str) -> None:
    known = accuracies(whole_table)
    sign = 1 if direction == "maximize" else -1
    search = make_search(whole_table)
    sampler = ArchitectureSampler(search)

    def objective(trial: optuna.Trial) -> float:
        value = sign * known[sampler.suggest(trial).cell.hash]
        trial.report(value / 2, step=4)
        if trial.should_prune():
            raise optuna.TrialPruned
        return value

    study = optuna.create_study(
        direction=direction, sampler=sampler, pruner=ArchitecturePruner(search)
    )
    study.optimize(objective, n_trials=40)
    states = [trial.state for trial in study.trials]
    assert 5 < states.count(optuna.trial.TrialState.PRUNED) == search.result.stopped.sum()
    assert search.result.failed == 0
    assert search.best is not None
    assert sign * study.best_value == pytest.approx(search.best.outcome.accuracy)


def test_trials_that_diverged_are_pruned(whole_table: Table) -> None:
    search = make_search(whole_table)
    sampler = ArchitectureSampler(search)

    def objective(trial: optuna.Trial) -> float:
        sampler.suggest(trial)
        trial.report(float("nan"), step=4)
        if trial.should_prune():
            raise optuna.TrialPruned
        return 0.5

    optuna.create_study(sampler=sampler, pruner=ArchitecturePruner(search)).optimize(objective, 1)
    assert search.result.failure_reasons == "pruned (1)"


def test_a_trial_with_an_infinite_value_is_failed(whole_table: Table) -> None:
    """Optuna takes it as complete, unlike NaN."""
    search = make_search(whole_table)
    sampler = ArchitectureSampler(search)

    def objective(trial: optuna.Trial) -> float:
        sampler.suggest(trial)
        return float("inf") if trial.number == 0 else 0.5

    optuna.create_study(direction="minimize", sampler=sampler).optimize(objective, 2)
    assert search.result.failure_reasons == "no finite value, got inf (1)"
    assert [query.outcome.accuracy for query in search.result.history] == [-0.5]


def test_an_enqueued_trial_may_repeat_an_architecture(whole_table: Table) -> None:
    search = make_search(whole_table)
    sampler = ArchitectureSampler(search)

    def objective(trial: optuna.Trial) -> float:
        sampler.suggest(trial)
        return 0.5 + 0.1 * trial.number

    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, 1)
    study.enqueue_trial(study.best_params)
    study.optimize(objective, 1)
    assert [trial.params["architecture"] for trial in study.trials] == [0, 0]
    assert study.best_value == 0.6
    (query,) = search.result.history
    assert query.outcome.accuracy == 0.5


def test_failed_trials_and_the_end_of_the_space(partial_table: Table) -> None:
    known = accuracies(partial_table)
    search = make_search(partial_table.subset(list(range(12))))
    sampler = ArchitectureSampler(search)

    def objective(trial: optuna.Trial) -> float:
        candidate = sampler.suggest(trial)
        if candidate.id == 2:
            raise ValueError("out of memory")
        return known[candidate.cell.hash]

    study = optuna.create_study(direction="maximize", sampler=sampler)
    study.optimize(objective, n_trials=30, catch=(ValueError,))
    assert len(search.result.history) == 11
    assert search.result.failed == 1
    assert len(study.trials) == 13  # the last one found nothing left
    several = optuna.create_study(directions=["maximize", "minimize"], sampler=sampler)
    with pytest.raises(ValueError, match="one objective, got 2"):
        several.optimize(lambda trial: (sampler.suggest(trial).id, 0), n_trials=1)
