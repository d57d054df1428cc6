"""From a builder's networks to a table, a model of it and scores of other networks."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from pyg_nas.data.network_table import NetworkTable
from tests.cli.test_models import pyg_nas
from tests.predictors.test_network_lists import BUILDER


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
    assert "kendall_tau" in capsys.readouterr().out
    configurations.write_text(json.dumps([{"width": 20}, {"width": 2}]))
    scores = tmp_path / "scores.csv"
    assert pyg_nas("predict", model, builder, "--out", scores, *options) == 0
    with scores.open() as file:
        rows = list(csv.DictReader(file))
    assert [row["arch"] for row in rows] == ['{"width": 2}', '{"width": 20}']
    assert abs(float(rows[0]["score"]) - 10) < 3


def test_invalid_arguments(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert pyg_nas("profile", tmp_path, "--out", tmp_path / "t.csv") == 2
    assert "must end in .hdf5" in capsys.readouterr().err
    assert pyg_nas("profile", tmp_path, "--out", tmp_path / "t.hdf5") == 2
    assert "has no file that ends in .onnx" in capsys.readouterr().err
