"""The command train, run as a user runs it."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyg_nas.data.protocols.labels import PAPER_LABEL
from pyg_nas.data.tables.shipped import shipped_latencies
from pyg_nas.data.tables.table import Table
from pyg_nas.predictors.storage.folder import load_model
from pyg_nas.predictors.trained import TrainedPredictor
from pyg_nas.spaces.nasbench101 import NASBENCH101
from tests.cli.command import pyg_nas


def test_train_writes_a_model_that_describes_itself(model_path: Path, small_table: Table) -> None:
    model = TrainedPredictor.load(model_path)
    assert model.recipe == "paper"
    assert model.protocol.train == "172"
    assert model.protocol.label == PAPER_LABEL
    assert model.estimator.epochs == 2
    assert model.estimator.learning_rate == 1e-3
    order = np.random.RandomState(0).permutation(300)[:172]
    assert np.array_equal(model.training_hashes, small_table.hashes[order])


def test_train_names_a_model_that_it_replaces(
    table_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for lines, seed in ((0, 0), (1, 1)):
        arguments = ("--out", tmp_path / "m", "--epochs", 1, "--recipe", "paper", "--seed", seed)
        assert pyg_nas("train", table_path, *arguments) == 0
        shown = capsys.readouterr().out.replace("\n", " ")
        assert shown.count("m has a model, which is replaced") == lines


def test_other_targets(table_path: Path, tmp_path: Path, small_table: Table) -> None:
    arguments = ("train", table_path, "--out", tmp_path / "m", "--epochs", 1, "--recipe", "paper")
    target = ("--metric", "training_time", "--budget", 36, "--run", "mean")
    assert pyg_nas(*arguments, *target) == 0
    model = TrainedPredictor.load(tmp_path / "m")
    assert model.protocol.label.metric == "training_time"
    assert model.protocol.label.fallback is None
    order = np.random.RandomState(0).permutation(300)[:172]
    expected = small_table.label(model.protocol.label)[order].mean()
    assert model.estimator.mean_ == pytest.approx(expected)
    assert expected > 50  # seconds
    out = tmp_path / "scores.csv"
    assert pyg_nas("predict", tmp_path / "m", table_path, "--out", out) == 0
    with out.open() as file:
        scores = [float(row["score"]) for row in csv.DictReader(file)]
    assert scores == sorted(scores)  # the best first: the shortest
    figures = tmp_path / "figures.json"
    assert pyg_nas("evaluate", tmp_path / "m", table_path, "--json", figures) == 0
    assert json.loads(figures.read_text())["mse_unit"] == "label^2"
    picture = tmp_path / "scatter.svg"
    assert pyg_nas("plot", tmp_path / "m", table_path, "--out", picture) == 0
    assert "lowest decile" in picture.read_text(encoding="utf-8")


def test_default_recipe_takes_a_graph_file_of_its_space(
    table_path: Path, tmp_path: Path, small_table: Table, capsys: pytest.CaptureFixture[str]
) -> None:
    model, graphs = tmp_path / "model", tmp_path / "cells.jsonl"
    assert pyg_nas("train", table_path, "--split", 60, "--out", model, "--recipe", "fast") == 0
    y = small_table.label(PAPER_LABEL)
    with graphs.open("w") as file:
        for row in range(0, 300, 3):
            cell = small_table.cells[row]
            record = {"ops": cell.operations, "edges": cell.edges, "y": y[row]}
            file.write(json.dumps(record) + "\n")
    reports = []
    for source in (table_path, graphs):
        assert pyg_nas("predict", model, source, "--out", tmp_path / "s.csv") == 0
        with (tmp_path / "s.csv").open() as scores:
            reports.append({row["hash"]: float(row["score"]) for row in csv.DictReader(scores)})
    with (tmp_path / "s.csv").open() as scores:
        for row in csv.DictReader(scores):
            assert small_table.index_of(row["hash"]) == 3 * int(row["row"])
    assert len(reports[1]) == 100
    assert {key: reports[0][key] for key in reports[1]} == pytest.approx(reports[1])
    # Training cells are recognised by their hashes.
    out = tmp_path / "figures.json"
    assert pyg_nas("evaluate", model, graphs, "--budget", 1, "--json", out) == 0
    known = TrainedPredictor.load(model).training_hashes
    assert json.loads(out.read_text())["left_out"] == np.isin(small_table.hashes[::3], known).sum()
    # A graph that is not a cell of the space has no such statistics.
    graphs.write_text('{"ops": ["input", "output", "output"], "edges": [[0, 1], [0, 2]]}\n')
    assert pyg_nas("predict", model, graphs, "--out", tmp_path / "s.csv") == 2
    assert (
        "line 1: a cell of 'nasbench101' has one 'output' vertex, got 2" in capsys.readouterr().err
    )


def made_up_graphs(path: Path, total: int, seed: int) -> None:
    """Random graphs of up to 9 vertices and 6 operations whose figure is their number of edges."""
    rng = np.random.default_rng(seed)
    with path.open("w") as file:
        for _ in range(total):
            v = int(rng.integers(3, 10))
            matrix = np.triu(rng.random((v, v)) < 0.5, 1)
            names = rng.permutation(v)  # vertex numbers in no particular order
            edges = [[int(names[a]), int(names[b])] for a, b in np.argwhere(matrix)]
            ops = rng.choice(["stem", "sep3", "sep5", "pool", "skip", "head"], v).tolist()
            json.dump({"ops": ops, "edges": edges, "y": len(edges) / 36}, file)
            file.write("\n")


def test_own_graphs_take_every_step(tmp_path: Path) -> None:
    train, test = tmp_path / "train.jsonl", tmp_path / "test.jsonl"
    made_up_graphs(train, 200, seed=0)
    made_up_graphs(test, 100, seed=1)
    model = tmp_path / "model"
    settings = ("--recipe", "paper", "--epochs", 20, "--lr", 1e-3)
    assert pyg_nas("train", train, "--split", "all", "--out", model, *settings) == 0
    report = tmp_path / "figures.json"
    assert pyg_nas("evaluate", model, test, "--json", report) == 0
    figures = json.loads(report.read_text())
    assert figures["n"] == 100
    assert figures["kendall_tau"] > 0.3
    assert pyg_nas("predict", model, test, "--out", tmp_path / "s.csv") == 0
    assert len((tmp_path / "s.csv").read_text().splitlines()) == 101


def test_unknown_operation_in_own_graphs_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train, odd = tmp_path / "train.jsonl", tmp_path / "odd.jsonl"
    made_up_graphs(train, 40, seed=0)
    odd.write_text('{"ops": ["stem", "attention"], "edges": [[0, 1]]}\n')
    model = tmp_path / "model"
    settings = ("--recipe", "paper", "--epochs", 1)
    assert pyg_nas("train", train, "--split", "all", "--out", model, *settings) == 0
    capsys.readouterr()
    assert pyg_nas("predict", model, odd, "--out", tmp_path / "s.csv") == 2
    error = capsys.readouterr().err
    assert "attention" in error
    assert len(error.strip().splitlines()) == 1
    assert not (tmp_path / "s.csv").exists()


@pytest.mark.parametrize("command", ["train", "demo"])
def test_a_class_that_is_not_registered_is_refused_before_it_is_fitted(
    command: str, table_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / f"not_registered_{command}.py"
    file.write_text(
        "class Mine:\n"
        "    def fit(self, X, y): raise AssertionError('fitted')\n"
        "    def predict(self, X): ...\n"
        "    def get_params(self, deep=True): return {}\n"
        "    def set_params(self): return self\n"
    )
    table = () if command == "demo" else (table_path,)
    arguments = (*table, "--out", tmp_path / "out", "--recipe", f"{file}:Mine")
    assert pyg_nas(command, *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: class Mine is not registered")
    assert "pyg_nas.predictors.register_estimator" in error
    assert len(error.splitlines()) == 1


def test_settings_of_a_file_are_trained_with(table_path: Path, tmp_path: Path) -> None:
    file, out = tmp_path / "mine.json", tmp_path / "model"
    arguments = ("train", table_path, "--split", 60, "--out", out, "--settings", file)
    file.write_text('{"hidden": 8, "dropout": 0.3, "epochs": 50, "learning_rate": 0.5}')
    assert pyg_nas(*arguments, "--recipe", "paper", "--epochs", 2, "--lr", 1e-3) == 0
    trained = TrainedPredictor.load(out).estimator
    assert (trained.hidden, trained.dropout) == (8, 0.3)
    assert (trained.epochs, trained.learning_rate) == (2, 1e-3)
    file.write_text('{"ensemble_size": 0, "prior": false}')
    assert pyg_nas(*arguments) == 0
    assert TrainedPredictor.load(out).recipe == "best"
    assert TrainedPredictor.load(out).estimator.ensemble_size == 0


def test_settings_are_those_of_the_default_recipe_of_the_table(tmp_path: Path) -> None:
    rows = range(0, 300, 10)
    shipped_latencies().subset(np.array(rows)).save(tmp_path / "latencies.hdf5")
    (tmp_path / "mine.json").write_text('{"compiled": true}')
    arguments = ("train", tmp_path / "latencies.hdf5", "--metric", "latency", "--split", 25)
    out = tmp_path / "model"
    assert pyg_nas(*arguments, "--settings", tmp_path / "mine.json", "--out", out) == 0
    trained = TrainedPredictor.load(out)
    assert (trained.recipe, trained.estimator.compiled) == ("latency", True)


@pytest.mark.parametrize(
    ("recipe", "settings", "epochs"),
    [
        ("paper", {"hidden": 8, "epochs": 3}, 3),
        ("best", {"ensemble_size": 1, "hidden": 8, "epochs": 2}, 2),
        ("best", {"ensemble_size": 1, "hidden": 8}, 179),  # 200 (172 / 250)^0.3
        ("fast", {}, 0),
    ],
)
def test_the_bar_has_all_epochs(
    table_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recipe: str,
    settings: dict[str, Any],
    epochs: int,
) -> None:
    shown: list[tuple[float, float | None]] = []

    @contextmanager
    def kept(_: str) -> Iterator[Any]:
        yield lambda done, total, text: shown.append((done, total))

    monkeypatch.setattr("pyg_nas.cli.commands.train.progress_bar", kept)
    (tmp_path / "mine.json").write_text(json.dumps(settings))
    options = ("--recipe", recipe, "--split", 250, "--settings", tmp_path / "mine.json")
    assert pyg_nas("train", table_path, "--out", tmp_path / "model", *options) == 0
    assert shown == [(epoch, epochs) for epoch in range(1, epochs + 1)]


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("nonsense", "not a readable JSON file"),
        ("[1]", "must be a JSON object, got [1]"),
        ('{"chosen": null}', "must be a JSON object, got None"),
        ('{"chosen": {}, "recipe": "best"}', "tuned for recipe 'best', not 'paper'"),
        ('{"width": 8}', "no setting width; it has backend, batch_size"),
        ('{"seed": 1}', "no setting seed"),
        ('{"random_state": 1}', "no setting random_state"),
        ('{"hidden": "wide"}', "hidden must be a whole number >= 1, got 'wide'"),
        ('{"dropout": "much"}', "dropout must be a finite number, got 'much'"),
    ],
)
def test_an_invalid_settings_file_is_named(
    content: str,
    named: str,
    table_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file, out = tmp_path / "mine.json", tmp_path / "model"
    file.write_text(content)
    arguments = ("--recipe", "paper", "--settings", file, "--out", out)
    assert pyg_nas("train", table_path, *arguments) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {file}: ")
    assert named in error
    assert not out.exists()


def test_a_model_is_not_saved_among_other_files(
    table_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "settings.json").write_text('{"method": "random"}')
    (tmp_path / "file").write_text("")
    for out, message in ((tmp_path, "not of a model"), (tmp_path / "file", "a folder is needed")):
        assert pyg_nas("train", table_path, "--split", 60, "--out", out) == 2
        assert message in capsys.readouterr().err
    assert (tmp_path / "settings.json").read_text() == '{"method": "random"}'
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "settings.json"]


def test_train_takes_both_seeds_and_the_run(seeded: Path, small_table: Table) -> None:
    model = TrainedPredictor.load(seeded)
    order = np.random.RandomState(3).permutation(300)
    np.testing.assert_array_equal(model.training_hashes, small_table.hashes[order[:60]])
    assert (model.seed, model.estimator.random_state, model.protocol.split_seed) == (5, 5, 3)
    assert model.protocol.label is not None
    assert model.protocol.label.run == 1
    expected = small_table.metrics[order[:60], 3, 1, 1, 2].astype(float).mean()
    assert model.estimator.mean_ == pytest.approx(expected)


@pytest.mark.parametrize("space", [(), ("--space", "nasbench101")], ids=["recognized", "named"])
def test_own_labels_of_cells_of_a_known_space(
    space: tuple[str, ...], small_table: Table, table_path: Path, tmp_path: Path
) -> None:
    own = tmp_path / "own.jsonl"
    records = [
        {**cell.to_dict(), "y": 0.5 + row / 1000} for row, cell in enumerate(small_table.cells[:60])
    ]
    own.write_text("".join(json.dumps(record) + "\n" for record in records))
    model = tmp_path / "model"
    arguments = ("--recipe", "paper", "--epochs", "1", "--split", "40", "--out", model)
    assert pyg_nas("train", own, *arguments, *space) == 0
    assert load_model(model).space_ == NASBENCH101
    scores = tmp_path / "scores.csv"
    assert pyg_nas("predict", model, table_path, "--out", scores) == 0
    assert len(scores.read_text().splitlines()) == 301
    figures = tmp_path / "figures.json"
    assert pyg_nas("evaluate", model, table_path, "--json", figures, "--budget", "108") == 0
    assert json.loads(figures.read_text())["n"] == 260


def test_a_split_file_trains_and_travels(
    table_path: Path, small_table: Table, tmp_path: Path
) -> None:
    rows = [7, 3, 200, 41, 5]
    split = tmp_path / "hashes.txt"
    split.write_text("".join(f"{small_table.hashes[row].decode()}\n" for row in rows))
    model = tmp_path / "model"
    arguments = ("--recipe", "paper", "--epochs", "1", "--out", model)
    assert pyg_nas("train", table_path, "--split", split, *arguments) == 0
    loaded = TrainedPredictor.load(model)
    assert loaded.training_hashes.tolist() == small_table.hashes[rows].tolist()
    assert loaded.protocol.train == str(split)
    assert loaded.protocol.train_digest == hashlib.sha256(split.read_bytes()).hexdigest()[:16]
    split.unlink()
    test = tmp_path / "test.json"
    test.write_text(json.dumps([3, 4, 6]))
    figures = tmp_path / "figures.json"
    assert pyg_nas("evaluate", model, table_path, "--split", test, "--json", figures) == 0
    report = json.loads(figures.read_text())
    assert (report["n"], report["left_out"]) == (2, 1)
    assert report["protocol"]["evaluate_digest"]
