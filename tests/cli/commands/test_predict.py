"""The command predict, run as a user runs it."""

from __future__ import annotations

import csv
import json
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.data.tables.table import Table
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors.trained import TrainedPredictor
from tests.cli.command import pyg_nas


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
    # Products of one thread and of several differ by rounding on some processors.
    for one, several in zip(sorted(rows), sorted(every.read_text().splitlines()[1:]), strict=True):
        digest, score, *rest = one.split(",", 2)
        assert several.split(",", 2)[::2] == [digest, *rest]
        assert float(several.split(",")[1]) == pytest.approx(float(score), rel=1e-6)
    assert header == "hash,score,row,arch,operations,parameters"
    assert not list(tmp_path.glob("*.parts"))
    assert pyg_nas("predict", model_path, "--space", lines, "--out", top, "--top", 0) == 2


def test_a_file_of_code_needs_a_function(
    model_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "space.py").touch()
    assert pyg_nas("predict", model_path, tmp_path / "space.py", "--out", tmp_path / "s.csv") == 2
    assert "name the function of the file" in capsys.readouterr().err


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
    expected = TrainedPredictor.load(model_path).estimator.predict(small_table)
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
    expected = TrainedPredictor.load(seeded).estimator.predict(few)
    assert list(found) == [few[int(row)].hash for row in np.argsort(-expected, kind="stable")]
    by_cell = [found[cell.hash] for cell in few]
    np.testing.assert_allclose(by_cell, expected, rtol=1e-7)


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
