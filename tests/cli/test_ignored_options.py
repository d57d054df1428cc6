"""An option that would have no effect is refused, or named as unused."""

from __future__ import annotations

from pathlib import Path

import pytest

from .command import pyg_nas

BACKENDS = "the backends threading, loky, ray, dask have several"
REFUSED = {
    "train TABLE --metric latency --budget 12 --out out": "'latency' is no result of one",
    "compare TABLE --metric latency --run mean --out out": "'latency' is no result of one",
    "search TABLE --metric latency --budget 12 --out out": "'latency' is no result of one",
    "search digits --split-seed 2 --out out": "--split-seed 2: digits is always split in the same",
    "search digits --workers 2 --out out": BACKENDS,
    "finish out --workers 2 --out out": BACKENDS,
    "measure digits --cells TABLE --sample-seed 2 --journal j --table t.hdf5": "--sample-seed is",
    "measure textures --cells 2 --split-seed 2 --journal j --table t.hdf5": "--split-seed 2: tex",
    "measure digits --cells 2 --backend sequential --workers 2 --journal j --table t.h5": BACKENDS,
    "train TABLE --split all --split-seed 3 --out out": "--split-seed 3: all has the same cells",
    "tune TABLE --split denoise-91 --split-seed 3 --out o.json": "--split-seed 3: denoise-91 has",
    "evaluate TABLE --scores s.csv --train none --split-seed 3": "3: all has the same cells",
    "evaluate TABLE --scores s.csv --train denoise-91 --split-seed 3": "denoise-91 and all have",
    "train TABLE --space plain --split 20 --out out": "its cells are of 'nasbench101', not of 'pl",
    "search TABLE --space plain --out out": "its cells are of 'nasbench101', not of 'plain'",
    "evaluate model TABLE --split-seed 3": "--split-seed is used with --scores alone",
    "plot model TABLE --split-seed 3 --out p.png": "--split-seed is used with --scores alone",
    "evaluate TABLE --scores s.csv --train none --device cpu": "--device is for a model",
    "evaluate TABLE --scores s.csv --train none --recipe m:C": "--recipe is for a model",
    "predict model TABLE --configurations c.json --out o.csv": "--configurations is for file.py",
    "predict model --space nasbench101 --configurations c.json --out o.csv": "--configurations is",
    "predict model TABLE --workers 3 --out o.csv": BACKENDS,
    "ask out --configurations c.json": "--configurations is for networks: give --networks too",
    "ask out --workers 2": "--workers is for networks: give --networks too",
    "tell out 0 --accuracy 0.5 --reason slow": "--reason is that of a failure, give --failed",
    "profile onnx --device cuda --threads 2 --out p.hdf5": "--threads is for a CPU, got cuda",
}


@pytest.mark.parametrize("command", REFUSED)
def test_it_is_refused(
    command: str,
    table_path: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("pyg_nas.cli.commands.profile.check_device", lambda device: None)
    assert pyg_nas(*(table_path if word == "TABLE" else word for word in command.split())) == 2
    assert REFUSED[command] in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_options_of_other_methods_are_named(
    table_path: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    search = ("search", table_path, "--method", "local", "--start", 2, "--out", tmp_path / "local")
    assert pyg_nas(*search, "--recipe", "fast", "--acquisition", "ei") == 0
    message = "not used: --recipe, --acquisition, for the method predictor, got local"
    assert message in capsys.readouterr().err
    assert pyg_nas("ask", tmp_path / "evolved", "--method", "evolution", "--refit", 2) == 0
    message = "not used: --refit, for the methods predictor and random, got evolution"
    assert message in capsys.readouterr().err


def test_a_later_ask_has_the_method_of_the_folder(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "search"
    assert pyg_nas("ask", folder, "--method", "random", "--refit", 2) == 0
    assert "not used" not in capsys.readouterr().err
    assert pyg_nas("ask", folder, "--acquisition", "ei") == 0
    assert "--acquisition, for the method predictor, got random" in capsys.readouterr().err
    assert pyg_nas("tell", folder, 0, "--failed", "--seconds", 3) == 0
    assert "of a failure, seconds and accuracies are not recorded" in capsys.readouterr().err
