"""Ray Tune runs whose architectures a search chooses."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("ray.tune")

from pyg_nas.errors import SettingsError
from pyg_nas.graphs.cell import Cell
from pyg_nas.search.ask_tell import Search
from pyg_nas.search.ray_searcher import ArchitectureScheduler, ArchitectureSearcher


@pytest.mark.usefixtures("only_cluster")
def test_tune_gets_the_architectures_of_the_search(tmp_path: Path) -> None:
    import ray
    from ray import tune

    def train(config: dict[str, Any]) -> None:
        graph = config["architecture"]
        if graph["id"] == 1:
            raise RuntimeError("out of memory")
        tune.report({"accuracy": len(graph["hash"].strip("0")) / 100 + graph["id"] / 10})

    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="error")
    try:
        search = Search(tmp_path / "search", method="random")
        searcher = ArchitectureSearcher(search)
        config = tune.TuneConfig(num_samples=3, search_alg=searcher, metric="accuracy", mode="max",
                                 max_concurrent_trials=1)  # fmt: skip
        run = tune.RunConfig(storage_path=str(tmp_path / "tune"), verbose=0)
        results = tune.Tuner(train, tune_config=config, run_config=run).fit()
    finally:
        ray.shutdown()
    assert len(results) == 3
    found = search.result
    assert [len(found.history), found.failed] == [2, 1]
    best = results.get_best_result()
    assert best.config is not None
    assert search.best is not None
    assert Cell.from_dict(best.config["architecture"]) == search.best.cell
    assert search.best.outcome.accuracy == best.metrics["accuracy"]
    assert search.best.outcome.seconds is not None


@pytest.mark.usefixtures("only_cluster")
def test_tune_stops_hopeless_architectures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import ray
    from ray import tune

    def train(config: dict[str, Any]) -> None:
        final = (0.9, 0.8, 0.7, 0.4)[config["architecture"]["id"]]
        for epoch in range(1, 5):
            tune.report({"error": 1 - final * epoch / 4})

    monkeypatch.setattr("pyg_nas.search.early_stopping.LEAST", 3)
    ray.init(num_cpus=1, include_dashboard=False, log_to_driver=False, logging_level="error")
    try:
        search = Search(tmp_path / "search", method="random")
        searcher = ArchitectureSearcher(search, "error", "min")
        config = tune.TuneConfig(num_samples=4, search_alg=searcher, metric="error", mode="min",
                                 scheduler=ArchitectureScheduler(searcher, [2]),
                                 max_concurrent_trials=1)  # fmt: skip
        run = tune.RunConfig(storage_path=str(tmp_path / "tune"), verbose=0)
        results = tune.Tuner(train, tune_config=config, run_config=run).fit()
    finally:
        ray.shutdown()
    epochs = {
        result.config["architecture"]["id"]: result.metrics["training_iteration"]
        for result in results
        if result.config is not None
    }
    assert epochs == {0: 4, 1: 4, 2: 4, 3: 2}
    found = search.result
    assert found.stopped.tolist() == [False] * 3 + [True]
    assert found.saved_seconds is not None
    assert found.saved_seconds > 0
    assert found.history[3].outcome.rungs[0].accuracy == pytest.approx(0.4 / 2 - 1)


def test_a_trial_of_another_searcher_is_continued(tmp_path: Path) -> None:
    searcher = ArchitectureSearcher(Search(tmp_path / "search", method="random"))
    assert searcher.continues("other", 2, {"accuracy": 0.0})
    for epochs in ([], [0, 2]):
        with pytest.raises(SettingsError, match="epochs must be numbers from 1 on"):
            ArchitectureScheduler(searcher, epochs)


def test_a_trial_that_diverged_is_stopped_and_failed(tmp_path: Path) -> None:
    """An exception in the searcher would end the trials of all other architectures."""
    searcher = ArchitectureSearcher(Search(tmp_path / "search", method="random"))
    searcher.suggest("a")
    assert not searcher.continues("a", 2, {"accuracy": float("nan")})
    searcher.on_trial_complete("a", {"accuracy": float("nan"), "time_total_s": 3.0})
    assert searcher.search.pending() == []
    assert searcher.search.result.failure_reasons == "no finite accuracy, got nan (1)"


def test_trials_are_restored_with_their_candidates(tmp_path: Path) -> None:
    search = Search(tmp_path / "search", method="random")
    first = ArchitectureSearcher(search, "error", "min")
    (number,) = [first.suggest("a")["architecture"]["id"]]
    first.save(str(tmp_path / "state.json"))
    second = ArchitectureSearcher(Search.open(tmp_path / "search"), "error", "min")
    second.restore(str(tmp_path / "state.json"))
    second.on_trial_complete("a", {"error": 0.25, "time_total_s": 3.0})
    (query,) = search.result.history
    assert (number, query.outcome.accuracy, query.outcome.seconds) == (0, -0.25, 3.0)


def test_a_trial_that_is_repeated_after_a_restore_changes_nothing(tmp_path: Path) -> None:
    """Killed between the outcome and its own checkpoint, Ray trains the architecture again."""
    searcher = ArchitectureSearcher(Search(tmp_path / "search", method="random"))
    searcher.suggest("a")
    searcher.save(str(tmp_path / "state.json"))
    searcher.on_trial_complete("a", {"accuracy": 0.75, "time_total_s": 3.0})
    searcher.restore(str(tmp_path / "state.json"))
    searcher.on_trial_complete("a", {"accuracy": 0.5, "time_total_s": 4.0})
    (query,) = searcher.search.result.history
    assert (query.outcome.accuracy, query.outcome.seconds) == (0.75, 3.0)


def test_a_recipe_of_the_users_own_is_restored(tmp_path: Path) -> None:
    source = tmp_path / "restored_recipe.py"
    source.write_text("from pyg_nas.predictors import GCNRegressor as Mine\n")
    search = Search(tmp_path / "search", recipe=f"{source}:Mine", n=2)
    again = pickle.loads(pickle.dumps(ArchitectureSearcher(search)))
    assert again.search.strategy.describe() == search.strategy.describe()
