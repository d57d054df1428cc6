"""``pyg-nas tune``: the result file, resuming, and a user's errors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import typer
from typer.testing import CliRunner, Result

from pyg_nas.cli.commands.train import train
from pyg_nas.cli.commands.tune import tune
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError
from pyg_nas.predictors.model_selection.candidates import width_candidates
from pyg_nas.predictors.trained import TrainedPredictor
from tests.cli.command import pyg_nas

app = typer.Typer()
app.command()(tune)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def test_a_grid_file_is_tuned_on_the_training_cells(table_path: Path, tmp_path: Path) -> None:
    grid, out = tmp_path / "grid.json", tmp_path / "out.json"
    grid.write_text(json.dumps({"hidden": [4, 8], "epochs": [2]}))
    arguments = (
        table_path, "--out", out, "--grid", grid, "--split", 30,
        "--folds", 3, "--repeats", 2, "--device", "cpu",
    )  # fmt: skip
    result = run(*arguments)
    assert result.exit_code == 0, result.output
    assert "label: validation accuracy at 108 epochs, run 0, runs below 0.2" in result.output
    found = json.loads(out.read_text())
    assert found["n"] == 30
    assert found["mse_unit"] == "points^2"
    assert found["protocol"]["train"] == "30"
    assert [c["params"] for c in found["candidates"]] == [
        {"hidden": 4, "epochs": 2},
        {"hidden": 8, "epochs": 2},
    ]
    for candidate in found["candidates"]:
        assert len(candidate["scores"]) == 6
        assert candidate["mean"] == pytest.approx(np.mean(candidate["scores"]))
    assert found["chosen"] in [c["params"] for c in found["candidates"]]
    fits = tmp_path / "out.fits.jsonl"
    assert len(fits.read_text().splitlines()) == 13
    assert run(*arguments).exit_code == 0
    assert len(fits.read_text().splitlines()) == 13
    assert json.loads(out.read_text()) == found
    # What was chosen is what is trained, in the recipe that was tuned.
    trained = typer.Typer()
    trained.command()(train)
    given = [str(table_path), "--out", str(tmp_path / "model"), "--split", "30", "--lr", "0.001"]
    result = CliRunner().invoke(trained, [*given, "--settings", str(out)])
    assert result.exit_code == 0, result.output
    model = TrainedPredictor.load(tmp_path / "model")
    assert model.recipe == "paper"
    assert model.estimator.hidden == found["chosen"]["hidden"]
    assert (model.estimator.epochs, model.estimator.learning_rate) == (2, 0.001)


FLAT = """
import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin


class Flat(RegressorMixin, BaseEstimator):
    def __init__(self, level=0.5):
        self.level = level

    def fit(self, X, y):
        return self

    def predict(self, X):
        return np.full(len(X), self.level)
"""


def test_a_target_is_tuned_on(small_table: Table, tmp_path: Path) -> None:
    known, grid, out = tmp_path / "known.hdf5", tmp_path / "grid.json", tmp_path / "out.json"
    seconds = np.linspace(0.1, 0.2, len(small_table))
    empty = np.full_like(small_table.metrics, np.nan)
    Table(small_table.cells, empty, small_table.budgets, targets={"latency": seconds}).save(known)
    grid.write_text(json.dumps([{"hidden": 4, "epochs": 2}, {"hidden": 8, "epochs": 2}]))
    arguments = (known, "--out", out, "--grid", grid, "--split", 30, "--folds", 3, "--repeats", 1)
    result = run(*arguments, "--label", "latency")
    assert result.exit_code == 0, result.output
    assert "label: latency" in result.output
    found = json.loads(out.read_text())
    assert found["protocol"]["label"]["metric"] == "latency"
    assert found["mse_unit"] is not None
    assert "points" not in result.output + found["mse_unit"]  # seconds below one are no fractions
    unknown = run(*arguments, "--label", "energy")
    assert isinstance(unknown.exception, SettingsError)
    assert "energy" in str(unknown.exception)
    assert run(*arguments).exit_code == 1


def test_a_rank_correlation_of_equal_predictions_is_explained(
    table_path: Path, tmp_path: Path
) -> None:
    source, grid = tmp_path / "flat_predictor.py", tmp_path / "grid.json"
    source.write_text(FLAT)
    grid.write_text('{"level": [0.5, 0.6]}')
    arguments = [
        table_path, "--recipe", f"{source}:Flat", "--grid", grid, "--split", 30, "--repeats", 1,
    ]  # fmt: skip
    note = "not defined where all predictions of a fold are equal"
    for metric, noted in (("kendall_tau", True), ("mse", False)):
        result = run(*arguments, "--metric", metric, "--out", tmp_path / f"{metric}.json")
        assert result.exit_code == 0, result.output
        assert (note in " ".join(result.output.split())) == noted


def test_the_default_grid_is_the_width_of_every_network() -> None:
    assert width_candidates("best")[0] == {"hidden": 48}
    both = {"classifier__hidden": 320, "regressor__hidden": 320}
    assert width_candidates("two-stage")[-1] == both


def test_errors_name_file_and_rule(table_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "out.json"

    def fails(*arguments: object) -> str:
        result = run(table_path, "--out", out, *arguments)
        assert isinstance(result.exception, SettingsError), result.output
        return str(result.exception)

    assert "missing.json" in fails("--grid", tmp_path / "missing.json")
    grid = tmp_path / "grid.json"
    grid.write_text('{"hidden": 3}')
    assert "grid.json: a grid must map" in fails("--grid", grid)
    grid.write_text('{"width": [3]}')
    assert "recipe 'paper' has no setting width" in fails("--grid", grid)
    refusal = fails("--recipe", "fast")
    assert "no network whose width" in refusal
    assert refusal.endswith("give a grid of its settings with --grid")
    assert "metric must be mse or kendall_tau, got 'r2'" in fails("--metric", "r2")
    assert "recipe 'nope'" in fails("--recipe", "nope")
    assert "--jobs must be" in fails("--jobs", 0)
    assert not out.exists()


def test_tune_takes_the_splits_cells_and_labels_and_every_setting(
    table_path: Path, small_table: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def stop(*arguments: Any, **named: Any) -> None:
        seen.append((arguments, named))
        raise KeyboardInterrupt

    monkeypatch.setattr("pyg_nas.predictors.model_selection.tuning.tune", stop)
    options = ("--split", 30, "--split-seed", 3, "--folds", 4, "--repeats", 2, "--seed", 9)
    out = ("--out", tmp_path / "o.json", "--metric", "kendall_tau", "--jobs", 2)
    assert pyg_nas("tune", table_path, *options, *out) == 130
    (_, _, cells, labels, settings), named = seen[0]
    rows = np.random.RandomState(3).permutation(300)[:30]
    assert cells == small_table.cells[rows]
    np.testing.assert_array_equal(labels, small_table.label()[rows])
    assert (settings.folds, settings.repeats, settings.seed) == (4, 2, 9)
    assert settings.metric == "kendall_tau"
    assert named["n_jobs"] == 2
