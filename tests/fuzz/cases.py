"""The commands that :mod:`tests.fuzz.hostile` runs unluckily, and what each of them leaves."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pyg_nas.data.networks.table import NetworkTable
from pyg_nas.data.tables.table import Table
from pyg_nas.search.search_folder.folder import SearchFolder
from pyg_nas.search.search_folder.ledger import Ledger

COMMAND = "from pyg_nas.cli.app import main; main()"
STREAM = (
    """
from pyg_nas.predictors.gnn.gcn import GCNRegressor
GCNRegressor.block_cells = 20
"""
    + COMMAND
)
DATASET = """
from pyg_nas.data.datasets.dataset import CellDataset
from pyg_nas.data.tables.table import Table
assert len(CellDataset("out/root", Table.load("table.hdf5"))) == 200
"""
CACHE = """
import os, time
import numpy as np
os.environ["PYG_NAS_CACHE"] = "out/cache"
from pyg_nas.io.array_cache import read_cached, write_cached
expected = np.random.RandomState(0).bytes(2**22)
for _ in range(20):
    found = read_cached("numbers")
    assert found is None or found["bytes"].tobytes() == expected
    write_cached("numbers", {"bytes": np.frombuffer(expected, np.uint8)})
"""
FIT = """
from pathlib import Path
import numpy as np
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.io.files import write_text
from pyg_nas.predictors.gnn.gcn import GCNRegressor
from pyg_nas.predictors.gnn.residual import ResidualGNNRegressor
cells = sample_cells(300, seed=0)
y = np.log(cells.trainable_parameters()) + np.random.default_rng(0).normal(size=300)
estimators = GCNRegressor(hidden=144, epochs=20), ResidualGNNRegressor(epochs=20)
bits = [e.set_params(device="cpu", random_state=0).fit(cells, y).predict(cells).tobytes().hex()
        for e in estimators]
write_text(Path("out/bits.txt"), " ".join(bits))
"""

Arguments = tuple[str, ...]
Outcome = Callable[[Path], object]


def digest(path: Path) -> str:
    """Checksum of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def accuracies(path: Path) -> str:
    """Checksum of a table without the times, which no two runs share."""
    table = Table.load(path)
    order = np.argsort(table.hashes)
    content = table.hashes[order].tobytes() + table.metrics[order][..., 1:].tobytes()
    return hashlib.sha256(content).hexdigest()


def records(path: Path) -> list[Any]:
    """The records of a JSON Lines file."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def queries(folder: Path) -> list[Any]:
    """The cells of a search in order, with what was measured."""
    return [[query["hash"], query["accuracy"]] for query in records(folder / "queries.jsonl")]


def scores(path: Path) -> list[Any]:
    """What a tuning found, without the seconds."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return [[c["params"], c["mean"]] for c in found["candidates"]]


def fits(folder: Path) -> list[Any]:
    """What a comparison of predictors found, without the seconds, in any order."""
    found = records(folder / "fits.jsonl")[1:]
    return sorted(str({key: f[key] for key in f if "second" not in key}) for f in found)


def proposals(folder: Path) -> list[Any]:
    """The first cells that a search proposed, and the numbers that were handed out twice."""
    ledger = Ledger(SearchFolder.open(folder))  # refuses what is half written
    events = records(folder / "asked.jsonl")
    handed = Counter(number for event in events for number in event.get("handed_out", ()))
    twice = [number for number, count in handed.items() if count > 1]
    return [[candidate.cell.hash for candidate in ledger.candidates[:2]], twice]


def graphs(root: Path) -> str:
    """Checksum of a dataset's processed graphs, which may be one file only."""
    (path,) = (root / "processed").glob("[!.]*.pt")  # a stray file is counted elsewhere
    content = torch.load(path, weights_only=True)
    found = content["data"]
    return hashlib.sha256(
        b"".join(found[name].numpy().tobytes() for name in ("x", "edge_index", "row"))
    ).hexdigest()


def network(folder: Path) -> list[Any]:
    """The checksum of a network's weights, and its cell."""
    settings = json.loads((folder / "settings.json").read_text(encoding="utf-8"))
    return [settings["weights_sha256"], settings["cell"], digest(folder / "weights.safetensors")]


def measured(path: Path) -> list[Any]:
    """The networks of a table, without what was measured of them."""
    table = NetworkTable.load(path)
    return [table.names, table.hashes.tolist(), sorted(table.targets), table.about["repeats"]]


@dataclass(frozen=True)
class Case:
    """A command, and what it leaves in its folder.

    Args:
        arguments: Of the command.
        outcome: What a run left, from the folder ``out``; equal for all runs.
        target: The file or folder that is there only when it is whole.
        resumes: The command uses what a stopped one left.
        script: What is run, with the arguments.
        before: Commands that are run undisturbed before it.
        parallel: Further arguments, with which the outcome is the same.
        compiles: The outcome is the same without stored machine code.
    """

    arguments: Arguments
    outcome: Outcome
    target: str
    resumes: bool = False
    script: str = COMMAND
    before: tuple[Arguments, ...] = ()
    parallel: Arguments = ()
    compiles: bool = False


TRAIN = ("train", "table.hdf5", "--split", "43", "--recipe", "paper", "--epochs", "3", "--device",
         "cpu", "--out", "out/model")  # fmt: skip
MODEL = (TRAIN,)
STREAMED = ("predict", "out/model", "--space", "cells.jsonl", "--device", "cpu")
TABLE_SEARCH = ("search", "table.hdf5", "--method", "evolution", "--n", "60", "--k", "20")
TASK_SEARCH = ("search", "task.npz", "--method", "random", "--n", "3", "--k", "1", "--budget", "1",
               "--settings", "small.json", "--device", "cpu", "--out", "out/search")  # fmt: skip
ASK = ("ask", "out/search", "--n", "3", "--method", "random", "--device", "cpu")

CASES = {
    "import": Case(
        ("table", "import", "table.csv", "out/t.hdf5", "--space", "nasbench201"),
        lambda out: digest(out / "t.hdf5"),
        "t.hdf5",
    ),
    "convert": Case(
        ("table", "convert", "table.tfrecord", "out/t.hdf5"), lambda out: digest(out / "t.hdf5"),
        "t.hdf5",
    ),
    "train": Case(
        TRAIN,
        lambda out: [digest(out / "model" / n) for n in ("settings.json", "weights.safetensors")],
        "model/settings.json",
    ),
    "ask": Case(
        ("ask", "out/search", "--n", "2", "--method", "evolution", "--device", "cpu"),
        lambda out: proposals(out / "search"),
        "search/asked.jsonl",
        resumes=True,
    ),
    "tell": Case(
        ("tell", "out/search", "1", "--accuracy", "0.5", "--seconds", "2"),
        lambda out: [*proposals(out / "search"), queries(out / "search")],
        "search/queries.jsonl",
        resumes=True,
        before=(ASK,),
    ),
    "dataset": Case(
        (), lambda out: graphs(out / "root"), "root", resumes=True, script=DATASET
    ),
    "cache": Case(
        (), lambda out: sorted(p.name for p in (out / "cache").iterdir()), "cache",
        resumes=True,
        script=CACHE,
    ),
    "fit": Case(
        (), lambda out: digest(out / "bits.txt"), "bits.txt", script=FIT, compiles=True
    ),
    "measure": Case(
        ("measure", "task.npz", "--cells", "3", "--budgets", "1", "--seeds", "2", "--settings",
         "small.json", "--backend", "sequential", "--device", "cpu", "--journal", "out/j.sqlite",
         "--table", "out/t.hdf5"),
        lambda out: accuracies(out / "t.hdf5"),
        "t.hdf5",
        resumes=True,
        parallel=("--backend", "loky", "--workers", "2"),
    ),
    "search a table": Case(
        (*TABLE_SEARCH, "--out", "out/search"),
        lambda out: queries(out / "search"),
        "search/answer.json",
        resumes=True,
    ),
    "search a task": Case(
        TASK_SEARCH,
        lambda out: queries(out / "search"),
        "search/answer.json",
        resumes=True,
    ),
    "tune": Case(
        ("tune", "table.hdf5", "--split", "43", "--recipe", "paper", "--grid", "grid.json",
         "--folds", "2", "--repeats", "2", "--device", "cpu", "--out", "out/tuned.json"),
        lambda out: scores(out / "tuned.json"),
        "tuned.json",
        resumes=True,
        parallel=("--jobs", "2"),
    ),
    "finish": Case(
        ("finish", "out/search", "--out", "out/network", "--top", "2", "--seeds", "2", "--device",
         "cpu"),
        lambda out: network(out / "network"),
        "network",
        resumes=True,
        before=(TASK_SEARCH,),
    ),
    "predict": Case(
        ("predict", "out/model", "table.hdf5", "--device", "cpu", "--out", "out/scores.csv"),
        lambda out: digest(out / "scores.csv"),
        "scores.csv",
        before=MODEL,
    ),
    "predict a stream": Case(
        (*STREAMED, "--out", "out/scores.csv"),
        lambda out: digest(out / "scores.csv"),
        "scores.csv",
        resumes=True,
        script=STREAM,
        before=MODEL,
        parallel=("--backend", "loky", "--workers", "2"),
    ),
    "predict the best of a stream": Case(
        (*STREAMED, "--top", "7", "--out", "out/scores.arrow"),
        lambda out: digest(out / "scores.arrow"),
        "scores.arrow",
        resumes=True,
        script=STREAM,
        before=MODEL,
    ),
    "profile": Case(
        ("profile", "networks.py:build", "--configurations", "networks.json", "--warm-up", "0",
         "--repeats", "2", "--most-noise", "1000", "--out", "out/networks.hdf5"),
        lambda out: measured(out / "networks.hdf5"),
        "networks.hdf5",
        resumes=True,
    ),
    "search networks": Case(
        ("search", "networks.hdf5", "--start", "6", "--refit", "3", "--rounds", "2", "--device",
         "cpu", "--out", "out/search"),
        lambda out: queries(out / "search"),
        "search/answer.json",
        resumes=True,
    ),
    "ask for networks": Case(
        ("ask", "out/search", "--networks", "networks.py:build", "--configurations",
         "networks.json", "--n", "2", "--method", "random", "--device", "cpu"),
        lambda out: proposals(out / "search"),
        "search/asked.jsonl",
        resumes=True,
    ),
    "evaluate": Case(
        ("evaluate", "out/model", "table.hdf5", "--device", "cpu", "--json", "out/figures.json"),
        lambda out: digest(out / "figures.json"),
        "figures.json",
        before=MODEL,
    ),
    "plot": Case(
        ("plot", "out/model", "table.hdf5", "--device", "cpu", "--out", "out/plot.png"),
        lambda out: digest(out / "plot.png"),
        "plot.png",
        before=MODEL,
    ),
    "report a model": Case(
        ("report", "out/model", "table.hdf5", "--no-learning-curve", "--out", "out/report.html"),
        lambda out: digest(out / "report.html"),
        "report.html",
        before=MODEL,
    ),
    "report a search": Case(
        ("report", "out/search", "--out", "out/report.html"),
        lambda out: digest(out / "report.html"),
        "report.html",
        before=((*TABLE_SEARCH, "--out", "out/search"),),
    ),
    "export": Case(
        ("export", "out/model", "--out", "out/model.onnx"),
        lambda out: digest(out / "model.onnx"),
        "model.onnx",
        before=MODEL,
    ),
    "export as CSV": Case(
        ("table", "export", "table201.hdf5", "out/t.csv", "--csv"),
        lambda out: digest(out / "t.csv"),
        "t.csv",
    ),
    "export as TFRecord": Case(
        ("table", "export", "table.hdf5", "out/t.tfrecord"),
        lambda out: digest(out / "t.tfrecord"),
        "t.tfrecord",
    ),
    "compare": Case(
        ("compare", "table.hdf5", "--predictors", "few.py:Few", "--train", "43", "--draws", "3",
         "--device", "cpu", "--out", "out/comparison"),
        lambda out: fits(out / "comparison"),
        "comparison/comparison.csv",
        resumes=True,
        parallel=("--jobs", "2"),
    ),
    "compare searches": Case(
        ("compare-searches", "out/0", "out/1", "--out", "out/comparison"),
        lambda out: digest(out / "comparison" / "searches.csv"),
        "comparison/searches.csv",
        before=tuple((*TABLE_SEARCH, "--seed", s, "--out", f"out/{s}") for s in ("0", "1")),
    ),
}  # fmt: skip
