"""The commands train, evaluate, predict and plot, run as a person runs them."""

from __future__ import annotations

import csv
import hashlib
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

from pyg_nas.cli import app
from pyg_nas.data.labels import PAPER_LABEL
from pyg_nas.data.table import Table
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.space_support import NetworkSize
from pyg_nas.metrics.regression import regression_metrics
from pyg_nas.predictors.storage import load_model, save_model
from pyg_nas.predictors.trained import Model
from pyg_nas.spaces.nasbench101 import NASBENCH101


def pyg_nas(*arguments: object) -> int:
    """Run the command line in this process and return its exit code."""
    before = sys.argv
    sys.argv = ["pyg-nas", *map(str, arguments)]
    try:
        app.main()
    except SystemExit as stop:
        return int(stop.code or 0)
    finally:
        sys.argv = before
    return 0


@pytest.fixture(scope="module")
def table_path(small_table: Table, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("tables") / "small.hdf5"
    small_table.save(path)
    return path


@pytest.fixture(scope="module")
def model_path(table_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "model"
    arguments = ("train", table_path, "--split", 172, "--out", path)
    assert pyg_nas(*arguments, "--recipe", "paper", "--epochs", 2, "--lr", 1e-3) == 0
    return path


def test_train_leaves_a_model_that_says_what_it_is(model_path: Path, small_table: Table) -> None:
    model = Model.load(model_path)
    assert model.recipe == "paper"
    assert model.protocol.train == "172"
    assert model.protocol.label == PAPER_LABEL
    assert model.estimator.epochs == 2
    assert model.estimator.learning_rate == 1e-3
    order = np.random.RandomState(0).permutation(300)[:172]
    assert np.array_equal(model.training_hashes, small_table.hashes[order])


def test_evaluate_writes_the_figures(
    model_path: Path, table_path: Path, small_table: Table, tmp_path: Path
) -> None:
    out = tmp_path / "figures.json"
    assert pyg_nas("evaluate", model_path, table_path, "--json", out) == 0
    report = json.loads(out.read_text())
    unseen = np.random.RandomState(0).permutation(300)[172:]
    unseen.sort()
    predicted = Model.load(model_path).estimator.predict(small_table.cells[unseen])
    expected = regression_metrics(small_table.label(PAPER_LABEL)[unseen], predicted)
    for name in ("mse", "kendall_tau", "spearman", "r2", "n"):
        assert report[name] == pytest.approx(expected[name])
    assert report["n"] == 128
    assert report["left_out"] == 172
    assert report["mse_unit"] == "points^2"


def test_figures_of_another_label_say_so(
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
    predicted = Model.load(model_path).estimator.predict(small_table.cells[unseen])
    expected = regression_metrics(tested[unseen], predicted)
    assert report["n"] == len(unseen)
    assert report["kendall_tau"] == pytest.approx(expected["kendall_tau"])
    assert report["protocol"]["evaluate"] == "denoise-78"
    assert report["protocol"]["label"] == PAPER_LABEL.to_dict()
    compared = report["protocol"]["evaluation_label"]
    assert (compared["metric"], compared["run"]) == ("test_accuracy", "mean")


def test_the_best_of_a_table_and_of_a_graph_file(
    model_path: Path, table_path: Path, small_table: Table, tmp_path: Path
) -> None:
    every, top, lines = tmp_path / "all.csv", tmp_path / "top.csv", tmp_path / "g.jsonl"
    assert pyg_nas("predict", model_path, table_path, "--out", every) == 0
    assert pyg_nas("predict", model_path, table_path, "--top", 5, "--out", top) == 0
    assert top.read_text().splitlines() == every.read_text().splitlines()[:6]
    lines.write_text("".join(json.dumps(cell.to_dict()) + "\n" for cell in small_table.cells))
    streamed = tmp_path / "s.csv"
    backend = ("--backend", "threading", "--workers", 2)
    assert pyg_nas("predict", model_path, "--space", lines, "--out", streamed, *backend) == 0
    by_workers = tmp_path / "w.csv"
    assert pyg_nas("predict", model_path, table_path, "--out", by_workers, *backend) == 0
    assert by_workers.read_text() == streamed.read_text()
    header, *rows = streamed.read_text().splitlines()
    assert [int(row.split(",")[2]) for row in rows] == list(range(300))
    assert sorted(rows) == sorted(every.read_text().splitlines()[1:])
    assert header == "hash,score,row,arch,operations,parameters"
    assert not list(tmp_path.glob("*.parts"))
    assert pyg_nas("predict", model_path, "--space", lines, "--out", top, "--top", 0) == 2


def test_predict_scores_every_cell_of_a_table(
    model_path: Path, table_path: Path, small_table: Table, tmp_path: Path
) -> None:
    out = tmp_path / "scores.csv"
    assert pyg_nas("predict", model_path, table_path, "--out", out) == 0
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["hash", "score", "row", "arch", "operations", "parameters"]
    for row in rows[:5]:
        cell = Cell.from_text(row["arch"])
        assert (cell.hash, cell.num_vertices - 2) == (row["hash"], int(row["operations"]))
        assert cell.trainable_parameters == int(row["parameters"])  # the table is a benchmark's
    assert [int(row["row"]) for row in rows] == [small_table.index_of(row["hash"]) for row in rows]
    assert sorted(row["hash"].encode() for row in rows) == sorted(small_table.hashes.tolist())
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    expected = Model.load(model_path).estimator.predict(small_table)
    at = [small_table.index_of(row["hash"]) for row in rows]
    np.testing.assert_allclose(scores, expected[at], rtol=1e-6)


def test_parameters_are_of_the_networks_that_were_trained(
    small_table: Table, table_path: Path, tmp_path: Path
) -> None:
    def parameters(model: str, *source: object) -> list[int]:
        out = tmp_path / "scores.csv"
        assert pyg_nas("predict", tmp_path / model, *source, "--out", out) == 0
        with out.open(newline="") as file:
            return [int(row.get("parameters", -1)) for row in csv.DictReader(file)]

    def sizes(size: NetworkSize | None = None) -> list[int]:
        with (tmp_path / "scores.csv").open(newline="") as file:
            cells = [Cell.from_text(row["arch"]) for row in csv.DictReader(file)]
        return CellArray.from_cells(cells).trainable_parameters(size).tolist()

    small = NetworkSize(8, 2, 1, num_labels=3, image_channels=1, image_size=(8, 8))
    of_task = Table(
        small_table.cells,
        small_table.metrics,
        small_table.budgets,
        {"network": asdict(small)},
        trainable_parameters=small_table.cells.trainable_parameters(small).astype(np.int32),
    )
    of_task.save(tmp_path / "task.hdf5")
    lines = [{**cell.to_dict(), "y": i / 300} for i, cell in enumerate(small_table.cells)]
    (tmp_path / "g.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    for name, source in (("task", "task.hdf5"), ("graphs", "g.jsonl")):
        assert pyg_nas(
            "train", tmp_path / source, "--recipe", "fast", "--split", 60, "--out", tmp_path / name
        ) == 0  # fmt: skip
    for source in ((tmp_path / "task.hdf5",), (table_path,), (tmp_path / "g.jsonl", "--top", 9)):
        assert parameters("task", *source) == sizes(small)  # of the model's task in every source
    assert parameters("graphs", table_path) == sizes()
    # Nothing says which networks the labels of a graph file are of.
    assert set(parameters("graphs", tmp_path / "g.jsonl")) == {-1}
    assert set(parameters("graphs", tmp_path / "g.jsonl", "--top", 9)) == {-1}


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


def test_other_targets(table_path: Path, tmp_path: Path, small_table: Table) -> None:
    arguments = ("train", table_path, "--out", tmp_path / "m", "--epochs", 1, "--recipe", "paper")
    target = ("--metric", "training_time", "--budget", 36, "--run", "mean")
    assert pyg_nas(*arguments, *target) == 0
    model = Model.load(tmp_path / "m")
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
    known = Model.load(model).training_hashes
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


def test_own_graphs_go_the_whole_way(tmp_path: Path) -> None:
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
    trained = Model.load(out).estimator
    assert (trained.hidden, trained.dropout) == (8, 0.3)
    assert (trained.epochs, trained.learning_rate) == (2, 1e-3)
    file.write_text('{"ensemble_size": 0, "prior": false}')
    assert pyg_nas(*arguments) == 0
    assert Model.load(out).recipe == "best"
    assert Model.load(out).estimator.ensemble_size == 0


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
def test_a_wrong_settings_file_is_named(
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


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("train", "{table}", "--out", "m", "--settings", "nowhere.json"), "nowhere.json"),
        (("train", "nowhere.hdf5", "--out", "m"), "nowhere.hdf5"),
        (("train", "{table}", "--out", "m", "--split", "9999"), "9999"),
        (("train", "{table}", "--out", "m", "--split", "best"), "best"),
        (("train", "{table}", "--out", "m", "--recipe", "magic"), "magic"),
        (("train", "{table}", "--out", "m", "--budget", "5"), "5 was requested"),
        (("train", "{table}", "--out", "m", "--run", "first"), "first"),
        (("train", "{table}", "--out", "m", "--metric", "loss"), "loss"),
        (("train", "{table}", "--out", "m", "--device", "cuda:99"), "cuda:99"),
        (("train", "{table}", "--out", "m", "--epochs", "0"), "epochs"),
        (("evaluate", "nowhere", "{table}"), "nowhere"),
        (("evaluate", "{model}", "{model}"), "model"),
        (("predict", "{model}", "--out", "s.csv"), "--space"),
        (("predict", "{model}", "{table}", "--space", "nasbench101", "--out", "s.csv"), "--space"),
        (("predict", "{model}", "--space", "darts", "--out", "s.csv"), "darts"),
        (("plot", "{model}", "{table}", "--out", "scatter.docx"), "docx"),
    ],
)
def test_errors_are_one_clear_line(
    arguments: tuple[str, ...],
    named: str,
    table_path: Path,
    model_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    given = [a.format(table=table_path, model=model_path) for a in arguments]
    assert pyg_nas(*given) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert named in error
    assert len(error.strip().splitlines()) == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("evaluate", "{model}", "{table}", "--json", "{table}"),
        ("predict", "{model}", "{table}", "--out", "{table}"),
        ("predict", "{model}", "{table}", "--out", "{model}/weights.safetensors"),
        ("plot", "{model}", "{table}", "--out", "{table}"),
        ("report", "{model}", "{table}", "--out", "{table}"),
        ("export", "{model}", "--out", "{model}/settings.json"),
        ("tune", "{table}", "--out", "{table}"),
        ("table", "export", "{table}", "{table}"),
        ("table", "convert", "{table}", "{table}"),
    ],
)
def test_what_is_read_is_never_written_over(
    arguments: tuple[str, ...],
    table_path: Path,
    model_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    files = [table_path, *model_path.iterdir()]
    before = [file.read_bytes() for file in files]
    assert pyg_nas(*(a.format(table=table_path, model=model_path) for a in arguments)) == 2
    assert "is read by this command" in capsys.readouterr().err
    assert [file.read_bytes() for file in files] == before


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


def test_help_is_there_for_every_command() -> None:
    for command in ("", "train", "evaluate", "predict", "plot", "table", "demo"):
        assert pyg_nas(*command.split(), "--help") == 0


@pytest.fixture(scope="module")
def seeded(table_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with no option at its default."""
    path = tmp_path_factory.mktemp("models") / "model"
    arguments = ("train", table_path, "--split", 60, "--split-seed", 3, "--seed", 5, "--out", path)
    assert pyg_nas(*arguments, "--recipe", "paper", "--epochs", 2, "--run", 1) == 0
    return path


def test_train_takes_both_seeds_and_the_run(seeded: Path, small_table: Table) -> None:
    model = Model.load(seeded)
    order = np.random.RandomState(3).permutation(300)
    np.testing.assert_array_equal(model.training_hashes, small_table.hashes[order[:60]])
    assert (model.seed, model.estimator.random_state, model.protocol.split_seed) == (5, 5, 3)
    assert model.protocol.label is not None
    assert model.protocol.label.run == 1
    expected = small_table.metrics[order[:60], 3, 1, 1, 2].astype(float).mean()
    assert model.estimator.mean_ == pytest.approx(expected)


def test_scores_from_elsewhere_are_judged_as_a_model_is(
    seeded: Path,
    table_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """By what ``predict`` writes: the figures are those of the model itself."""
    scores, own, other = tmp_path / "s.csv", tmp_path / "own.json", tmp_path / "other.json"
    assert pyg_nas("predict", seeded, table_path, "--out", scores) == 0
    assert pyg_nas("evaluate", seeded, table_path, "--json", own) == 0
    judge = ("evaluate", table_path, "--scores", scores)
    settings = ("--train", 60, "--split-seed", 3, "--run", 1)
    assert pyg_nas(*judge, *settings, "--json", other) == 0
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
    assert pyg_nas(*judge, "--train", "none", "--json", other) == 0
    report = json.loads(other.read_text())
    assert (report["n"], report["left_out"], report["without_score"]) == (150, 0, 150)
    capsys.readouterr()
    assert pyg_nas(*judge) != 0
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
    predicted = Model.load(seeded).estimator.predict(small_table.cells[rows])
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


def test_predict_scores_the_whole_space_under_its_hashes(
    seeded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = sample_cells(50, seed=9)
    monkeypatch.setattr("pyg_nas.spaces.nasbench101.support.SUPPORT.cells", lambda: few)
    monkeypatch.setattr("pyg_nas.spaces.nasbench101.support.SUPPORT.hashes", lambda: few.hashes())
    out = tmp_path / "s.csv"
    assert pyg_nas("predict", seeded, "--space", "nasbench101", "--out", out) == 0
    with out.open() as file:
        found = {row["hash"]: float(row["score"]) for row in csv.DictReader(file)}
    expected = Model.load(seeded).estimator.predict(few)
    assert list(found) == [few[int(row)].hash for row in np.argsort(-expected, kind="stable")]
    by_cell = [found[cell.hash] for cell in few]
    np.testing.assert_allclose(by_cell, expected, rtol=1e-7)


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
    loaded = Model.load(model)
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


def test_the_recipe_transfer_scores_a_space_without_a_model(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "s.csv"
    assert (
        pyg_nas("predict", "--recipe", "transfer", "--space", "transnasbench101", "--out", out) == 0
    )
    with out.open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 4096
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)
    assert rows[0]["arch"].startswith("64-41414-")
    capsys.readouterr()
    for arguments, message in (
        (("--recipe", "best", "--space", "nasbench201"), "only the recipe transfer predicts"),
        (("--space", "nasbench201"), "give a model folder, or --recipe transfer"),
        (("a", "b", "--recipe", "transfer"), "there is no model: got both a and b"),
        (("--recipe", "transfer"), "give either a table or --space"),
    ):
        assert pyg_nas("predict", *arguments, "--out", tmp_path / "t.csv") != 0
        assert message in " ".join(capsys.readouterr().err.split())
    assert not (tmp_path / "t.csv").exists()
