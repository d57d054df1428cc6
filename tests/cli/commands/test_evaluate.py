"""The command evaluate, and with it plot, run as a user runs them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from pyg_nas.data.protocols.labels import PAPER_LABEL
from pyg_nas.data.tables.table import Table
from pyg_nas.metrics.regression import regression_metrics
from pyg_nas.predictors.storage.folder import load_model, save_model
from pyg_nas.predictors.trained import TrainedPredictor
from tests.cli.command import pyg_nas


def test_evaluate_writes_the_figures(
    model_path: Path,
    table_path: Path,
    small_table: Table,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "figures.json"
    assert pyg_nas("evaluate", model_path, table_path, "--json", out) == 0
    report = json.loads(out.read_text())
    unseen = np.random.RandomState(0).permutation(300)[172:]
    unseen.sort()
    predicted = TrainedPredictor.load(model_path).estimator.predict(small_table.cells[unseen])
    expected = regression_metrics(small_table.label(PAPER_LABEL)[unseen], predicted)
    for name in ("mse", "kendall_tau", "spearman", "r2", "n"):
        assert report[name] == pytest.approx(expected[name])
    assert report["n"] == 128
    assert report["left_out"] == 172
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "left out: 172 cells of the split" in shown
    assert f"Kendall τ {expected['kendall_tau']:.4f}" in shown
    assert f"best of the top 10, % {100 * expected['best_in_top_10']:.2f}" in shown
    assert f"regret of the top 10, points {100 * expected['regret_in_top_10']:.2f}" in shown
    assert "evaluated cells 128" in shown
    assert report["mse_unit"] == "points^2"


def test_figures_of_another_label_name_it(
    model_path: Path, table_path: Path, small_table: Table, tmp_path: Path
) -> None:
    out = tmp_path / "figures.json"
    arguments = ("evaluate", model_path, table_path, "--json", out, "--split", "denoise-78")
    assert pyg_nas(*arguments, "--metric", "test_accuracy", "--run", "mean") == 0
    report = json.loads(out.read_text())
    tested = small_table.metrics[:, 3, :2, 1, 3].mean(axis=1, dtype=np.float64)
    unseen = np.random.RandomState(0).permutation(300)[172:]
    unseen.sort()
    unseen = unseen[tested[unseen] > 0.78]
    predicted = TrainedPredictor.load(model_path).estimator.predict(small_table.cells[unseen])
    expected = regression_metrics(tested[unseen], predicted)
    assert report["n"] == len(unseen)
    assert report["kendall_tau"] == pytest.approx(expected["kendall_tau"])
    assert report["protocol"]["evaluate"] == "denoise-78"
    assert report["protocol"]["label"] == PAPER_LABEL.to_dict()
    compared = report["protocol"]["evaluation_label"]
    assert (compared["metric"], compared["run"]) == ("test_accuracy", "mean")


def test_costs_have_relative_errors(
    small_table: Table, table_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, scores = tmp_path / "figures.json", tmp_path / "scores.csv"
    seconds = 1000.0 + np.arange(len(small_table))
    lines = [f"{d.decode()},{s}" for d, s in zip(small_table.hashes, seconds, strict=True)]
    scores.write_text("\n".join(["hash,score", *lines]))
    label = ("--metric", "training_time", "--json", out)
    assert pyg_nas("evaluate", table_path, "--scores", scores, "--train", "none", *label) == 0
    report = json.loads(out.read_text())
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for kind, name in (("median", "median relative error"), ("mean", "mean relative error (MAPE)")):
        assert f"{name}, % {100 * report[f'{kind}_relative_error']:.2f}" in shown


def test_a_model_without_a_protocol_scores_but_is_not_evaluated(
    model_path: Path, table_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = tmp_path / "bare"
    save_model(load_model(model_path), bare, about={"note": "mine"})
    for model in (model_path, bare):
        assert pyg_nas("predict", model, table_path, "--out", tmp_path / f"{model.name}.csv") == 0
    assert (tmp_path / "bare.csv").read_text() == (tmp_path / "model.csv").read_text()
    commands = (("evaluate",), ("plot", "--out", "p.png"), ("report", "--out", "r.html"))
    for name, *rest in commands:
        capsys.readouterr()
        assert pyg_nas(name, bare, table_path, *rest) == 2
        error = capsys.readouterr().err
        assert error.startswith(f"error: {bare}: was saved without a protocol")
        assert "TrainedPredictor.save stores one" in error


def test_predictions_in_another_unit_than_the_labels_are_named(
    table_path: Path, small_table: Table, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scores = tmp_path / "scores.csv"
    accuracies = small_table.label(PAPER_LABEL)
    for factor, named in ((1, False), (100, True)):
        lines = (
            f"{digest.decode()},{factor * value}"
            for digest, value in zip(small_table.hashes, accuracies, strict=True)
        )
        scores.write_text("\n".join(["hash,score", *lines]) + "\n")
        assert pyg_nas("evaluate", table_path, "--scores", scores, "--train", "none") == 0
        shown = " ".join(capsys.readouterr().out.split())
        note = f"the predictions have the median {factor * np.median(accuracies):.4g}: they are in"
        assert (note in shown) is named


def test_evaluate_and_plot_take_the_split(
    seeded: Path,
    table_path: Path,
    small_table: Table,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    out = tmp_path / "figures.json"
    assert pyg_nas("evaluate", seeded, table_path, "--split", 100, "--json", out) == 0
    report = json.loads(out.read_text())
    rows = np.random.RandomState(3).permutation(300)[60:100]
    predicted = TrainedPredictor.load(seeded).estimator.predict(small_table.cells[rows])
    measured = small_table.metrics[rows, 3, 1, 1, 2].astype(float)
    expected = regression_metrics(measured, predicted)
    assert (report["n"], report["left_out"], report["split"]) == (40, 60, "100")
    assert report["mse"] == pytest.approx(expected["mse"])
    drawn: list[Any] = []

    def scatter(*pair: Any, **_: Any) -> Figure:
        drawn.append(pair)
        return Figure()

    monkeypatch.setattr("pyg_nas.visualization.plots.scatter", scatter)
    plot = ("plot", seeded, table_path, "--split", 100, "--out", tmp_path / "s.svg")
    assert pyg_nas(*plot) == 0
    np.testing.assert_array_equal(drawn[0][0], measured)
    np.testing.assert_allclose(drawn[0][1], predicted)


def test_figures_that_do_not_exist_and_labels_that_are_no_measurements_are_explained(
    model_path: Path,
    table_path: Path,
    tmp_path: Path,
    small_table: Table,
    capsys: pytest.CaptureFixture[str],
) -> None:
    metrics = small_table.metrics.copy()
    metrics[..., 2] = 0.1  # every run blew up
    about = {"source": "made up"}
    Table(small_table.cells, metrics, small_table.budgets, about).save(tmp_path / "t.hdf5")
    out = tmp_path / "p.svg"
    assert pyg_nas("evaluate", model_path, tmp_path / "t.hdf5") == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "not defined: all measured values are equal" in shown
    assert "have no run above 0.2; their measured value is a substitute" in shown
    assert pyg_nas("plot", model_path, tmp_path / "t.hdf5", "--out", out) == 0
    assert "no run above 0.2" in out.read_text(encoding="utf-8")
