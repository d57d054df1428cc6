"""From a builder's networks to a table, a model of it and scores of other networks."""

from __future__ import annotations

import csv
import json
from math import nan
from pathlib import Path

import pytest
from torch import nn, zeros

from pyg_nas.data.networks.table import NetworkTable
from pyg_nas.spaces.modules import graph_of
from pyg_nas.spaces.modules.network_array import NetworkArray
from tests.cli.command import pyg_nas
from tests.predictors.networks.test_lists import BUILDER


def test_a_profile_trains_a_predictor(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / f"networks_of_{tmp_path.name}.py"
    path.write_text(BUILDER)
    builder = f"{path}:linear"
    configurations, out, model = tmp_path / "c.json", tmp_path / "t.hdf5", tmp_path / "model"
    configurations.write_text(json.dumps([{"width": width} for width in range(1, 13)]))
    options = ("--configurations", configurations)
    few = ("--repeats", 2, "--most-noise", 1e9)
    assert pyg_nas("profile", builder, "--out", out, *options, *few) == 0
    assert "12 of 12 networks measured" in capsys.readouterr().out
    assert NetworkTable.load(out).networks.parameters.tolist() == [5 * w for w in range(1, 13)]
    chosen = ("--split", 8, "--metric", "parameters")
    assert pyg_nas("train", out, "--out", model, *chosen) == 0
    assert "networks trained on 8 networks of t.hdf5" in capsys.readouterr().out
    assert pyg_nas("evaluate", model, out) == 0
    assert "Kendall τ" in capsys.readouterr().out
    page = tmp_path / "report.html"
    assert pyg_nas("report", model, out, "--no-learning-curve", "--out", page) == 0
    assert all(text in page.read_text() for text in ("MACs", "network", "width"))
    capsys.readouterr()
    memory = tmp_path / "memory"
    assert pyg_nas("train", out, "--out", memory, "--split", 8, "--metric", "peak_memory") == 0
    assert pyg_nas("evaluate", memory, out) == 0
    shown = capsys.readouterr().out
    assert shown.count("label: peak memory, in bytes") == 2
    assert all(name in shown for name in ("MSE, bytes²", "best of the top 1, bytes"))
    assert pyg_nas("report", memory, out, "--no-learning-curve", "--out", page) == 0
    assert all(text in page.read_text() for text in ("bytes²", "measured peak memory, bytes"))
    assert pyg_nas("plot", memory, out, "--out", tmp_path / "plot.svg") == 0
    assert "measured peak memory, bytes" in (tmp_path / "plot.svg").read_text()
    configurations.write_text(json.dumps([{"width": 20}, {"width": 2}]))
    assert pyg_nas("predict", memory, out, "--out", tmp_path / "memory.csv") == 0
    assert "score: peak memory, in bytes" in capsys.readouterr().out
    scores = tmp_path / "scores.csv"
    assert pyg_nas("predict", model, builder, "--out", scores, *options, "--workers", 2) == 0
    with scores.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["arch"] for row in rows] == ['{"width": 2}', '{"width": 20}']
    assert abs(float(rows[0]["score"]) - 10) < 3


FAILING = """
import torch
from torch._subclasses.fake_tensor import FakeTensor


class Part(torch.nn.Linear):
    def forward(self, x):
        if self.out_features == 2 and not isinstance(x, FakeTensor):
            raise RuntimeError("no such kernel")
        return super().forward(x)


def build(width):
    return Part(4, width), torch.zeros(1, 4)
"""


def test_a_network_that_does_not_run_changes_the_exit_code(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, configurations = tmp_path / f"failing_{tmp_path.name}.py", tmp_path / "c.json"
    path.write_text(FAILING)
    configurations.write_text(json.dumps([{"width": width} for width in (1, 2, 3)]))
    given = ("--configurations", configurations, "--repeats", 2, "--most-noise", 1e9)
    assert pyg_nas("profile", f"{path}:build", "--out", tmp_path / "t.hdf5", *given) == 1
    shown = capsys.readouterr().out
    assert 'left out: {"width": 2}: it does not run on cpu: no such kernel' in shown
    assert "2 of 3 networks measured" in shown
    assert len(NetworkTable.load(tmp_path / "t.hdf5")) == 2


@pytest.mark.parametrize("metric", ["latency_delta", "neg_latency"])
def test_latencies_below_zero_train_the_recipe_of_networks(
    metric: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graphs = [graph_of(nn.Linear(4, width), zeros(1, 4)) for width in range(1, 7)]
    table, values = tmp_path / "t.hdf5", [-1.0, -2.0, -3.0, -4.0, -5.0, nan]
    NetworkTable(NetworkArray.from_graphs(graphs), list("abcdef"), {metric: values}).save(table)
    assert pyg_nas("train", table, "--out", tmp_path / "m", "--split", "all") == 0
    assert "networks trained on 5 networks" in capsys.readouterr().out


@pytest.mark.usefixtures("undrawn")
def test_commands_on_a_table_of_networks(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table, listed = tmp_path / "t.hdf5", tmp_path / "t.csv"
    graphs = [graph_of(nn.Linear(4, width), zeros(1, 4)) for width in (1, 2, 2)]
    networks = NetworkArray.from_graphs(graphs)
    NetworkTable(networks, ["a", "b", "c"], {"latency": [0.5, 0.25, nan]}).save(table)
    assert pyg_nas("table", "info", table) == 0
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("2 measured, 0.25 to 0.5", "5 to 10", "4 to 8"))
    assert pyg_nas("table", "check", table) == 0
    assert "3 networks, all valid" in capsys.readouterr().out
    assert pyg_nas("table", "export", table, listed, "--csv") == 0
    with listed.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["latency"] for row in rows] == ["0.5", "0.25", ""]
    assert [row["parameters"] for row in rows] == ["5", "10", "10"]
    assert rows[1]["hash"] == rows[2]["hash"] == graphs[1].hash
    capsys.readouterr()
    assert pyg_nas("table", "export", table, tmp_path / "t.tfrecord") == 2
    assert "no TFRecord format, use --csv" in capsys.readouterr().err
    for command in ("tune", "compare"):
        assert pyg_nas(command, table, "--out", tmp_path / command) == 2
        assert "report, search and table take both" in capsys.readouterr().err
    out = tmp_path / "search"
    targets = {"accuracy": [0.75, 0.5, nan], "latency": [0.5, 0.25, nan]}
    NetworkTable(networks, ["a", "b", "c"], targets).save(table)
    for option, value in (("--method", "local"), ("--budget", 12)):
        assert pyg_nas("search", table, "--out", out, option, value) == 2
    arguments = ("--method", "random", "--n", 1, "--k", 1, "--rounds", 2)
    assert pyg_nas("search", table, "--out", out, *arguments) == 0
    assert "The best of 2 trained networks:\nnetwork: a\n" in capsys.readouterr().out
    arguments = (*arguments, "--metric", "latency")
    assert pyg_nas("search", table, "--out", tmp_path / "fast", *arguments) == 0
    shown = capsys.readouterr().out
    assert "The lowest latency of 2 trained networks:\nnetwork: b\nlatency: 0.25\n" in shown


@pytest.mark.parametrize("command", ["ask", "profile"])
def test_networks_that_cannot_be_read_have_a_line_each(
    command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("onnx")
    folder, out = tmp_path / "files", tmp_path / "out.hdf5"
    folder.mkdir()
    for name in ("a", "b"):
        (folder / f"{name}.onnx").write_text("no network")
    given = (out, "--networks", folder) if command == "ask" else (folder, "--out", out)
    assert pyg_nas(command, *given) == 2
    first, *others = capsys.readouterr().err.splitlines()
    assert first == "error: 2 of 2 networks cannot be read, repair or remove them:"
    for line, name in zip(others, ("a", "b"), strict=True):
        assert line.startswith(f"  {folder / name}.onnx: cannot be read as ONNX (")
    assert not out.exists()


def test_invalid_arguments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pyg_nas("profile", tmp_path, "--out", tmp_path / "t.csv") == 2
    assert "must end in .hdf5" in capsys.readouterr().err
    assert pyg_nas("profile", tmp_path, "--out", tmp_path / "t.hdf5") == 2
    assert "has no file that ends in .onnx" in capsys.readouterr().err
    for option in ("--repeats", "--warm-up"):
        assert pyg_nas("profile", tmp_path, "--out", tmp_path / "t.hdf5", option, 10**12) == 2
        assert "less than or equal to" in capsys.readouterr().err
