"""The commands evaluate and plot, run as a user runs them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from pyg_nas.data.protocols.labels import PAPER_LABEL
from pyg_nas.data.tables.table import Table
from pyg_nas.metrics.regression import regression_metrics
from pyg_nas.predictors.storage import registry
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
    assert "left out: 172 architectures of the split" in shown
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
    model_path: Path, table_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "figures.json"
    arguments = ("evaluate", model_path, table_path, "--metric", "training_time", "--json", out)
    assert pyg_nas(*arguments) == 0
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


def test_plot_writes_a_picture(model_path: Path, table_path: Path, tmp_path: Path) -> None:
    out = tmp_path / "scatter.png"
    assert pyg_nas("plot", model_path, table_path, "--out", out) == 0
    assert out.read_bytes().startswith(b"\x89PNG")


def test_scores_from_elsewhere_are_compared_as_those_of_a_model(
    seeded: Path,
    table_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By what ``predict`` writes: the figures are those of the model itself."""
    scores, own, other = tmp_path / "s.csv", tmp_path / "own.json", tmp_path / "other.json"
    assert pyg_nas("predict", seeded, table_path, "--out", scores) == 0
    assert pyg_nas("evaluate", seeded, table_path, "--json", own) == 0
    evaluate = ("evaluate", table_path, "--scores", scores)
    settings = ("--train", 60, "--split-seed", 3, "--run", 1)
    assert pyg_nas(*evaluate, *settings, "--json", other) == 0
    reports = [json.loads(path.read_text()) for path in (own, other)]
    for name in ("mse", "kendall_tau", "n", "left_out"):
        # Scores have 9 digits, and predictions of other batches differ by rounding.
        assert reports[1][name] == pytest.approx(reports[0][name], abs=1e-3), name
    assert reports[1]["protocol"] == reports[0]["protocol"]
    assert reports[1]["scores"] == "s.csv"
    assert (
        pyg_nas("plot", table_path, "--scores", scores, *settings, "--out", tmp_path / "s.svg") == 0
    )
    # Half of the scores, which no cell of the table trained.
    scores.write_text("\n".join(scores.read_text().splitlines()[:151]) + "\n")
    assert pyg_nas(*evaluate, "--train", "none", "--json", other) == 0
    report = json.loads(other.read_text())
    assert (report["n"], report["left_out"], report["without_score"]) == (150, 0, 150)
    capsys.readouterr()
    assert pyg_nas(*evaluate) != 0
    assert "--scores needs --train" in capsys.readouterr().err
    assert pyg_nas("evaluate", seeded) != 0
    assert "Missing argument 'TABLE'" in capsys.readouterr().err


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


OWN = """
import numpy as np
from sklearn.base import BaseEstimator

from pyg_nas.predictors import Array, FittedState, register_estimator


@register_estimator
class {name}(BaseEstimator):
    fitted_state = FittedState(arrays={{"line": Array("float64", (2,))}})

    def fit(self, cells, y):
        self.line_ = np.polyfit(cells.num_edges, y, 1)
        return self

    def predict(self, cells):
        return np.polyval(self.line_, cells.num_edges)
"""


def test_a_model_of_ones_own_predictor_is_read_with_its_class(
    table_path: Path,
    small_table: Table,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Every command on a model, in a process that has not imported the class before."""
    code, model = tmp_path / "own_edges.py", tmp_path / "model"
    code.write_text(OWN.format(name="OwnEdges"))
    recipe = ("--recipe", f"{code}:OwnEdges")
    assert pyg_nas("train", table_path, "--split", 60, "--out", model, *recipe) == 0
    commands = {
        "evaluate": (table_path,),
        "plot": (table_path, "--out", tmp_path / "p.svg"),
        "predict": (table_path, "--out", tmp_path / "s.csv"),
        "report": (table_path, "--no-learning-curve", "--out", tmp_path / "r.html"),
    }
    for name, arguments in commands.items():
        monkeypatch.setattr(registry, "_registered", {})
        monkeypatch.delitem(sys.modules, "own_edges")
        capsys.readouterr()
        assert pyg_nas(name, model, *arguments) == 2
        assert "(a command does with --recipe file.py:Class)" in capsys.readouterr().err
        assert pyg_nas(name, model, *arguments, *recipe) == 0, name
    assert len((tmp_path / "s.csv").read_text().splitlines()) == 1 + len(small_table.cells)
    lines = tmp_path / "g.jsonl"
    lines.write_text(json.dumps(small_table.cells[0].to_dict()) + "\n")
    assert pyg_nas("predict", model, *recipe, "--space", lines, "--out", tmp_path / "t.csv") == 2
    assert "g.jsonl: cannot be read without its space" in capsys.readouterr().err
    top = ("--space", "nasbench101", "--top", 3, "--out", tmp_path / "t.csv")
    assert pyg_nas("predict", model, *recipe, *top) == 0
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 4
    assert pyg_nas("evaluate", model, table_path, "--recipe", "best") == 2
    assert "--recipe 'best' must be module:Class" in capsys.readouterr().err


def test_options_of_scores_are_refused_for_a_model(
    model_path: Path, table_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert pyg_nas("evaluate", model_path, table_path, "--train", "60") == 2
    assert "--train is used with --scores alone" in capsys.readouterr().err
