"""The report of a model and a table."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.protocols.protocol import Protocol
from pyg_nas.data.tables.table import Table
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.metrics.regression import kendall_tau, regression_metrics
from pyg_nas.predictors.gnn.gcn import GCNRegressor
from pyg_nas.predictors.trained import TrainedPredictor
from pyg_nas.report import write_report
from pyg_nas.report.predictions import MOST_DRAWN, prediction_page
from tests.report.conftest import HOSTILE, make_model, make_table
from tests.report.reader import Reader
from tests.search.predictors import LinearPredictor


@pytest.fixture(scope="module")
def data(page: Reader) -> Any:
    return json.loads(page.scripts[0])


def test_the_figures_are_those_of_the_evaluation(
    page: Reader, model_source: tuple[Path, Path]
) -> None:
    table = Table.load(model_source[1])
    result = TrainedPredictor.load(model_source[0], device="cpu").evaluate(table)
    expected = regression_metrics(result.measured, result.predicted)
    assert f"{expected['mse']:.3f}" in page.texts
    assert f"{expected['kendall_tau']:.3f}" in page.texts
    assert f"{100 * expected['regret_in_top_10']:.2f} points" in page.texts
    assert "80" in page.texts  # evaluated cells
    best = np.sort(result.predicted)[::-1][:10]
    shown = [a["data-sort"] for tag, a in page.tags if tag == "td" and "data-sort" in a]
    np.testing.assert_allclose([float(s or "nan") for s in shown[1::6]], 100 * best, rtol=1e-6)


def test_every_section_is_there(page: Reader, data: Any) -> None:
    for heading in (
        "Predicted and measured: all cells",
        "Best cells: measured above 90 %",
        "Prediction error by depth",
        "Prediction error by operation",
        "Learning curve",
        "Validation accuracy and trainable parameters",
        "Validation accuracy and training time",
        "The 10 best predicted cells",
        "Settings and seeds",
    ):
        assert heading in page.texts
    assert len(data["figures"]) == 7
    cells = data["cells"]
    assert len(cells["cells"]) == 80
    for figure in data["figures"]:
        for trace in figure["traces"]:
            if trace.get("meta") == "cells":
                assert len(trace["customdata"]) == len(trace["x"]) == len(trace["y"])
                assert set(trace["customdata"]) <= set(range(80))


def test_plain_graphs_of_any_vocabulary_are_reported(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    lines = []
    for i in range(60):
        ops = [HOSTILE if k == i % 3 else f"op{rng.integers(5)}" for k in range(9)]
        edges = [[a, b] for a in range(9) for b in range(a + 1, 9) if rng.random() < 0.4]
        lines.append(json.dumps({"ops": ops, "edges": edges, "y": 10.0 + len(edges)}))
    (tmp_path / "graphs.jsonl").write_text("\n".join(lines) + "\n")
    from pyg_nas.data.graph_files.jsonl import read_graphs

    table = read_graphs(tmp_path / "graphs.jsonl")
    protocol = Protocol(train="30")
    split = protocol.apply(table)
    estimator = GCNRegressor(hidden=6, head=4, epochs=3, device="cpu")
    estimator.fit(table.cells[split.train], split.train_labels)
    TrainedPredictor(estimator, "paper", protocol, table.hashes[split.train]).save(
        tmp_path / "model"
    )
    write_report(tmp_path / "model", tmp_path / "graphs.jsonl", tmp_path / "r.html")
    reader = Reader((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert "Best cells: measured in the top decile" in reader.texts
    assert not any(text.endswith(("%", "points")) for text in reader.texts)
    assert not any(tag == "img" for tag, _ in reader.tags)
    names = [trace["name"] for trace in json.loads(reader.scripts[0])["figures"][3]["traces"]]
    assert not any("<" in name for name in names)  # Plotly has a markup of its own


def test_a_large_table_is_drawn_in_part_and_counted_whole() -> None:
    cells = sample_cells(4_000, seed=0)
    metrics = np.full((4_000, 1, 1, 2, 4), np.nan, dtype=np.float32)
    metrics[..., 1, 2] = np.random.default_rng(0).uniform(0.6, 0.95, (4_000, 1, 1))
    table = Table(cells, metrics, budgets=(1,))
    page = prediction_page(make_model(table.subset(slice(0, 120))), table, "m", "t", False)
    assert page.tiles[0].value == "3,940"
    trained = "Trained on 60 cells (split 60), evaluated on all others. Label: validation accuracy"
    assert page.subtitle.startswith(trained)
    drawn = page.figures[0].traces[1]
    assert len(drawn["x"]) <= MOST_DRAWN + 200
    assert "of 3,940 cells drawn" in page.figures[0].note
    best = page.gallery.cell(page.table.cells[0])
    assert best.hash in {page.gallery.cell(n).hash for n in drawn["customdata"]}


def test_the_time_of_a_mean_is_that_of_all_its_runs() -> None:
    table = make_table()
    table.metrics[::2, :, 0, :, 0] = np.nan  # run 0 of every second cell was not timed
    model = make_model(table)
    model.protocol = Protocol(train="80", label=LabelPolicy(run="mean", resample_below=None))
    page = prediction_page(model, table, "m", "t", False)
    (front,) = [f for f in page.figures if f.title == "Validation accuracy and training time"]
    times = np.nansum(table.metrics[model.evaluate(table).rows, 0, :, 1, 0], axis=1)
    shown = front.traces[0]["x"] + front.traces[1]["x"]
    np.testing.assert_allclose(sorted(shown), sorted(times), rtol=1e-4)


def test_the_best_of_training_times_are_the_shortest() -> None:
    table = make_table()
    label = LabelPolicy("training_time")
    protocol = Protocol(train="80", label=label)
    rows = protocol.apply(table)
    estimator = GCNRegressor(hidden=6, head=4, epochs=3, device="cpu")
    estimator.fit(table.cells[rows.train], rows.train_labels)
    model = TrainedPredictor(estimator, "paper", protocol, table.hashes[rows.train])
    page = prediction_page(model, table, "m", "t", False)
    result = model.evaluate(table)
    order = np.argsort(result.predicted, kind="stable")[:10]
    assert [row[0][0] for row in page.table.rows] == result.predicted[order].tolist()
    ranks = 1 + np.argsort(np.argsort(result.measured, kind="stable"))
    assert [row[2][0] for row in page.table.rows] == ranks[order].tolist()
    titles = [figure.title for figure in page.figures]
    assert "Best cells: measured in the lowest decile" in titles
    assert not any("and training time" in title for title in titles)
    assert page.figures[0].layout["xaxis"]["title"]["text"] == "measured training time, s"
    errors = np.abs(result.predicted - result.measured) / result.measured
    median, mean = f"{100 * np.median(errors):.1f} %", f"{100 * errors.mean():.1f} %"
    (tile,) = (tile for tile in page.tiles if tile.name == "median relative error")
    assert (tile.value, tile.note) == (median, f"mean (MAPE): {mean}")
    assert f"median error {median}, mean error {mean}" in page.figures[0].note


def test_the_subtitle_names_the_evaluated_split_and_label() -> None:
    table = make_table()
    model = make_model(table)
    label = LabelPolicy(metric="test_accuracy", run="mean")
    model.protocol = replace(model.protocol, evaluate="denoise-80", evaluation_label=label)
    page = prediction_page(model, table, "m", "t", False)
    assert "evaluated on the others of denoise-80. Label: validation accuracy" in page.subtitle
    assert "compared with test accuracy at largest budget, mean of runs" in page.subtitle


def test_the_metric_of_the_runs_is_named() -> None:
    table = make_table()
    table.about["score"] = "R²"
    page = prediction_page(make_model(table), table, "m", "t", False)
    assert page.figures[0].layout["yaxis"]["title"]["text"].startswith("predicted validation R²")
    assert "Validation R² and training time" in [figure.title for figure in page.figures]
    assert page.table.columns[:2] == ["predicted validation R², %", "measured validation R², %"]


def test_no_learning_curve_where_the_training_cells_are_not(tmp_path: Path) -> None:
    table = make_table()
    model = make_model(table)
    unseen = table.subset(np.flatnonzero(~np.isin(table.hashes, model.training_hashes)))
    metrics = table.metrics.copy()
    metrics[np.isin(table.hashes, model.training_hashes)] = np.nan
    unmeasured = Table(table.cells, metrics, budgets=table.budgets)
    for other in (unseen, unmeasured):
        titles = [f.title for f in prediction_page(model, other, "m", "t").figures]
        assert "Learning curve" not in titles
        assert any(title.startswith("Prediction error") for title in titles)


def six_digits(value: float) -> float:
    return float(f"{value:.6g}")


def test_points_are_the_measured_and_predicted_values_of_their_cell() -> None:
    table = make_table()
    model = make_model(table)
    page = prediction_page(model, table, "m", "t", False)
    labels = table.label()
    for figure, least in zip(page.figures[:2], (0.0, 0.9), strict=True):
        dots = figure.traces[1]
        assert figure.layout["xaxis"]["title"]["text"] == "measured validation accuracy, %"
        rows = [table.index_of(page.gallery.cell(n).hash) for n in dots["customdata"]]
        assert sorted(rows) == [
            row
            for row in range(len(table))
            if table.hashes[row] not in model.training_hashes and labels[row] >= least
        ]
        assert dots["x"] == [six_digits(100 * labels[row]) for row in rows]
        predicted = model.estimator.predict(table.cells[rows])
        np.testing.assert_allclose(dots["y"], 100 * predicted, rtol=1e-5)


def test_residuals_are_predicted_minus_measured() -> None:
    table = make_table()
    model = make_model(table)
    predict = model.estimator.predict
    model.estimator.predict = lambda cells: predict(cells) + 0.5  # far too high
    page = prediction_page(model, table, "m", "t", False)
    by_depth, by_operation = page.figures[2:4]
    assert min(by_depth.traces[0]["median"]) > 40
    assert min(by_operation.traces[0]["median"]) > 40


def test_ranks_and_times_in_the_table_of_the_best() -> None:
    table = make_table()
    metrics = np.repeat(table.metrics, 2, axis=1)  # two budgets
    metrics[:, 1, :, :, 0] *= 2
    table = Table(table.cells, metrics, budgets=(4, 12), about=table.about)
    model = make_model(table)
    model.protocol = Protocol(train="80", label=LabelPolicy(budget=4, resample_below=None))
    page = prediction_page(model, table, "m", "t", False)
    unseen = np.flatnonzero(~np.isin(table.hashes, model.training_hashes))
    labels = table.metrics[unseen, 0, 0, 1, 2]
    columns = page.table.columns
    for number_, row in zip(page.table.cells, page.table.rows, strict=True):
        at = table.index_of(page.gallery.cell(number_).hash)
        rank = 1 + (labels > table.metrics[at, 0, 0, 1, 2]).sum()
        assert row[columns.index("measured rank")][0] == rank
        assert row[columns.index("training time")][0] == table.metrics[at, 0, 0, 1, 0]


def test_the_learning_curve_is_of_models_refitted_on_parts() -> None:
    table = make_table()
    protocol = Protocol(train="80", label=table.default_label)
    split = protocol.apply(table)
    estimator = LinearPredictor(alpha=1e-3).fit(table.cells[split.train], split.train_labels)
    model = TrainedPredictor(estimator, "paper", protocol, table.hashes[split.train], seed=4)
    page = prediction_page(model, table, "m", "t")
    (curve,) = [figure for figure in page.figures if figure.title == "Learning curve"]
    _, mean = curve.traces
    assert mean["x"] == [10, 20, 40, 80]
    cells = table.cells[split.evaluate]
    for i, size in enumerate((10, 20, 40)):
        taus = []
        for repeat in range(3):
            rows = split.train[np.random.default_rng([4, repeat]).permutation(80)[:size]]
            part = LinearPredictor(alpha=1e-3).fit(table.cells[rows], table.label()[rows])
            taus.append(kendall_tau(split.evaluate_labels, part.predict(cells)))
        assert mean["y"][i] == pytest.approx(np.mean(taus), abs=1e-5)
    assert mean["y"][3] == pytest.approx(
        kendall_tau(split.evaluate_labels, estimator.predict(cells)), abs=1e-5
    )


def test_constant_predictions_have_no_rank_and_the_page_explains_it() -> None:
    table = make_table()
    model = make_model(table)
    model.estimator.predict = lambda cells: np.full(len(cells), 0.9)
    page = prediction_page(model, table, "m", "t")
    (tau,) = [tile for tile in page.tiles if tile.name == "Kendall τ"]
    assert (tau.value, tau.note) == ("–", "not defined: all predictions are equal")
    assert "Kendall τ not defined: all predictions are equal" in page.figures[0].note


def test_labels_that_are_no_measurements_are_counted() -> None:
    table = make_table()
    model = make_model(table)
    unseen = np.flatnonzero(~np.isin(table.hashes, model.training_hashes))
    table.metrics[unseen[:7], ..., 2] = 0.1  # blown up in every run
    model.protocol = Protocol(train="80", label=LabelPolicy(resample_below=0.2))
    page = prediction_page(model, table, "m", "t", False)
    assert page.note.startswith("7 of 80 evaluated cells have no run above 0.2")
    model.protocol = Protocol(train="80", label=LabelPolicy(resample_below=None))
    assert prediction_page(model, table, "m", "t", False).note == ""
