"""What a command imports before its work begins: torch and others only where they are used."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.data.table import Table
from pyg_nas.data.tfrecord import write_tfrecord

HEAVY = {
    *("torch", "torch._dynamo", "torch_geometric", "sklearn", "scipy.stats", "numba", "pandas"),
    *("matplotlib", "plotly", "h5py", "google.protobuf", "onnx", "torchvision", "PIL", "joblib"),
}
RUN = """
import sys
from pyg_nas.cli.app import main
try:
    main()
except SystemExit as stop:
    code = stop.code
print("\\nloaded", code, *sys.modules)
"""
PREDICTION = {"torch", "torch_geometric", "sklearn", "scipy.stats", "numba", "pandas", "joblib"}
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
]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, small_table: Table) -> Path:
    folder = tmp_path_factory.mktemp("commands")
    table = small_table.subset(np.arange(60))
    table.save(folder / "table.hdf5")
    table.metrics[:, :, 2] = table.metrics[:, :, 1]
    write_tfrecord(table, folder / "table.tfrecord")
    return folder


def loaded(folder: Path, *arguments: str) -> tuple[int, set[str]]:
    """Exit code of a command and the heavy modules that its process has loaded."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    _, code, *modules = done.stdout.splitlines()[-1].split()
    return int(code), HEAVY & set(modules)


@pytest.mark.parametrize("arguments", REFUSED, ids=" ".join)
def test_refusals_need_no_torch(folder: Path, arguments: tuple[str, ...]) -> None:
    code, modules = loaded(folder, *arguments)
    assert code == 2
    assert modules <= {"h5py"}


@pytest.mark.parametrize(
    ("arguments", "allowed"),
    [
        (("--help",), set()),
        (("train", "--help"), set()),
        (("--version",), set()),
        (("table", "info", "table.hdf5"), {"h5py"}),
        (("table", "check", "table.hdf5"), {"h5py"}),
        (("table", "convert", "table.tfrecord", "converted.hdf5"), {"h5py"}),
        (("table", "export", "converted.hdf5", "again.tfrecord"), {"h5py", "google.protobuf"}),
        (
            (
                "train",
                "table.hdf5",
                "--split",
                "20",
                "--recipe",
                "paper",
                "--epochs",
                "1",
                "--out",
                "m",
            ),
            PREDICTION | {"h5py"},
        ),
        (("predict", "m", "table.hdf5", "--out", "s.csv"), PREDICTION | {"h5py"}),
        (
            ("search", "table.hdf5", "--method", "random", "--n", "3", "--k", "2", "--out", "s"),
            {"h5py", "matplotlib", "PIL", "plotly"},
        ),
    ],
    ids=lambda value: " ".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_commands_load_what_they_use(
    folder: Path, arguments: tuple[str, ...], allowed: set[str]
) -> None:
    code, modules = loaded(folder, *arguments)
    assert code == 0
    assert modules <= allowed
