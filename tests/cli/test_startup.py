"""What a command imports before its work begins: torch and others only where they are used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from pyg_nas.data.networks.table import NetworkTable
from pyg_nas.data.protocols.protocol import Protocol
from pyg_nas.data.tables.official_file import write_official
from pyg_nas.data.tables.table import Table
from pyg_nas.predictors.trained import TrainedPredictor
from pyg_nas.spaces.modules import NetworkArray, graph_of

from .processes import run_commands

HEAVY = {
    *("torch", "torch._dynamo", "torch_geometric", "sklearn", "scipy.stats", "numba", "pandas"),
    *("matplotlib", "plotly", "h5py", "google.protobuf", "onnx", "torchvision", "PIL", "joblib"),
    *("sklearn.metrics", "http.client", "torch_geometric.llm", "sympy"),
}
PREDICTION = {"h5py", "torch", "sklearn", "numba", "joblib", "http.client"}
GRAPHS = PREDICTION | {"torch_geometric"}
REFUSED = [
    ("train", "table.hdf5", "--out", "m", "--split", "foo"),
    ("train", "table.hdf5", "--out", "m", "--split", "denoise-200"),
    ("train", "table.hdf5", "--out", "m", "--recipe", "foo"),
    ("train", "table.hdf5", "--out", "m", "--metric", "foo"),
    ("train", "table.hdf5", "--out", "m", "--budget", "0"),
    ("train", "table.hdf5", "--out", "m", "--budget", "5"),
    ("train", "table.hdf5", "--out", "m", "--split", "172"),
    ("train", "table.hdf5", "--out", "m", "--run", "-1"),
    ("train", "table.hdf5", "--out", "m", "--device", "gpu"),
    ("train", "table.hdf5", "--out", "table.hdf5"),
    ("train", "none.hdf5", "--out", "m"),
    ("evaluate", "none", "table.hdf5"),
    ("evaluate", "none", "table.hdf5", "--split", "foo"),
    ("predict", "none", "table.hdf5", "--out", "s.csv"),
    ("predict", "none", "--space", "foo", "--out", "s.csv"),
    ("plot", "none", "table.hdf5", "--out", "p.png"),
    ("export", "none", "--out", "m.onnx"),
    ("tune", "table.hdf5", "--out", "t.json", "--recipe", "foo"),
    ("tune", "table.hdf5", "--out", "t.json", "--metric", "foo"),
    ("search", "table.hdf5", "--out", "s", "--method", "foo"),
    ("search", "table.hdf5", "--out", "s", "--acquisition", "foo"),
    ("search", "table.hdf5", "--out", "s", "--recipe", "foo"),
    ("search", "table.hdf5", "--out", "s", "--device", "gpu"),
    ("search", "none.hdf5", "--out", "s"),
    ("measure", "none", "--cells", "3", "--journal", "j", "--table", "t"),
    ("report", "none"),
    *(("train", "table.hdf5", "--out", "m", "--lr", rate) for rate in ("nan", "-inf", "-1")),
    ("train", "table.hdf5", "--out", "m", "--split", "20", "--recipe", "fast", "--epochs", "2"),
    ("train", "table.hdf5", "--out", "m", "--split", "20", "--recipe", "networks"),
    ("train", "networks.hdf5", "--out", "m", "--split", "all", "--recipe", "fast"),
    ("evaluate", "model", "table.hdf5", "--metric", "foo"),
    ("evaluate", "model", "table.hdf5", "--budget", "5"),
    ("evaluate", "model", "table.hdf5", "--run", "9"),
    ("evaluate", "model", "networks.hdf5"),
    ("plot", "model", "table.hdf5", "--out", "p.png", "--metric", "foo"),
    ("predict", "model", "networks.hdf5", "--out", "s.csv"),
    ("predict", "model", "networks.hdf5", "--out", "s.csv", "--top", "3"),
    ("predict", "model", "--space", "nasbench201", "--out", "s.csv"),
    ("predict", "model", "--space", "nasbench201", "--out", "s.csv", "--top", "3"),
    ("export", "model", "--out", "m.xyz"),
    ("export", "fast", "--out", "m.onnx"),
    ("report", "model", "table.hdf5", "--out", "r.xyz"),
    ("report", "model", "networks.hdf5", "--out", "r.html"),
    ("report", "model", "--out", "r.html"),
    ("search", "networks.hdf5", "--out", "s", "--recipe", "fast"),
    ("search", "table.hdf5", "--out", "s", "--recipe", "networks"),
    ("tune", "table.hdf5", "--out", "t.json", "--recipe", "latency"),
    ("compare", "table.hdf5", "--out", "c", "--predictors", "fast,networks"),
    ("profile", "none", "--out", "p.hdf5"),
    ("profile", "model", "--out", "p.hdf5", "--most-noise", "nan"),
    ("profile", "a.py:f", "--configurations", "none", "--out", "p.hdf5"),
    ("measure", "digits", "--cells", "3", "--journal", "j", "--table", "t", "--settings", "none"),
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, small_table: Table) -> Path:
    folder = tmp_path_factory.mktemp("commands")
    table = small_table.subset(np.arange(60))
    table.save(folder / "table.hdf5")
    table.metrics[:, :, 2] = table.metrics[:, :, 1]
    write_official(table, folder / "table.tfrecord")
    for recipe, settings in (("paper", {"epochs": 1}), ("fast", {})):
        model = TrainedPredictor.train(small_table, Protocol("50"), recipe, **settings)
        model.save(folder / ("model" if recipe == "paper" else recipe))
    network = NetworkArray.from_graphs([graph_of(nn.Linear(4, 5), torch.zeros(1, 4))] * 8)
    names = [str(number) for number in range(8)]
    NetworkTable(network, names, {"accuracy": np.arange(8) / 8}).save(folder / "networks.hdf5")
    return folder


def test_refusals_need_no_torch(folder: Path) -> None:
    for arguments, ended in zip(REFUSED, run_commands(REFUSED, folder), strict=True):
        assert ended.code == 2, arguments
        (line,) = ended.err.splitlines()
        assert line.startswith("error: "), line
        assert len(line) < 400, line
        assert ended.modules & HEAVY <= {"h5py"}, arguments


TRAIN = "train table.hdf5 --split 20 --recipe paper --epochs 1 --out m"
FAST = "train table.hdf5 --split 20 --recipe fast --out fast"
# Commands of one process, which keeps what it has loaded: each may load what those before it may.
ALLOWED: list[dict[str, set[str]]] = [
    {
        "--help": set(),
        "train --help": set(),
        "--version": set(),
        "table info table.hdf5": {"h5py"},
        "table check table.hdf5": {"h5py"},
        "table info networks.hdf5": {"h5py"},
        "table export --csv networks.hdf5 networks.csv": {"h5py"},
        "table convert table.tfrecord converted.hdf5": {"h5py"},
        "table export --csv converted.hdf5 table.csv": {"h5py"},
        "table import table.csv imported.hdf5 --space nasbench101": {"h5py"},
        "table export converted.hdf5 again.tfrecord": {"h5py", "google.protobuf"},
    },
    {
        "ask asked --space nasbench101 --n 2": set(),
        "tell asked 0 --accuracy 0.9": set(),
        "tell asked 1 --accuracy 0.5 --epochs 3": set(),
        "tell asked 1 --failed": set(),
        "ask asked": set(),
        "ask listed --networks networks.hdf5 --n 1 --method random": {"h5py"},
    },
    {
        FAST: PREDICTION,
        "predict fast table.hdf5 --out f.csv": PREDICTION,
        "evaluate fast table.hdf5": PREDICTION,
        TRAIN: GRAPHS,
        "predict m table.hdf5 --out s.csv": GRAPHS,
        "predict m --space nasbench101 --top 3 --out t.csv": GRAPHS,
        "evaluate m table.hdf5": GRAPHS,
    },
    {
        "search table.hdf5 --method random --n 3 --k 2 --out s": {
            *("h5py", "matplotlib", "PIL", "plotly"),
        },
    },
]


@pytest.mark.parametrize("commands", ALLOWED, ids=["tables", "ask", "models", "search"])
def test_commands_load_what_they_use(folder: Path, commands: dict[str, set[str]]) -> None:
    found = run_commands([command.split() for command in commands], folder)
    for (command, allowed), ended in zip(commands.items(), found, strict=True):
        assert ended.code == 0, f"{command}: {ended.err}"
        assert ended.modules & HEAVY <= allowed, command


@pytest.mark.parametrize(
    "first",
    ["torch_geometric.datasets", "torch_geometric.datasets.fake"],
    ids=["package", "module"],
)
def test_a_command_can_use_the_data_sets_of_pyg(first: str) -> None:
    lines = (
        "import sys",
        "from pyg_nas.cli.startup import postpone_unused",
        "postpone_unused()",
        "import torch_geometric",
        "assert 'torch_geometric.llm' not in sys.modules",
        f"from {first} import FakeDataset",
        "assert torch_geometric.datasets.FakeDataset is FakeDataset",
        "print(FakeDataset(num_graphs=2)[0].num_features)",
    )
    done = subprocess.run(
        [sys.executable, "-c", "\n".join(lines)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "64\n", "")
