"""What arguments alone show is refused in one line, before torch and before a file is made."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pyg_nas.data.tables.table import Table

from .processes import run_commands

HUGE, LONG = "1" + 30 * "0", 5_000 * "1"
TRAIN = "train t.hdf5 --out out --device cpu"
SEARCH = "search t.hdf5 --method random --out out --device cpu"
TASK = "search digits --method random --out out --device cpu"
ASK = "ask out --method random --device cpu"
MEASURE = "measure digits --journal out.sqlite --table out.hdf5 --device cpu"
PROFILE = "profile networks --out out.hdf5"
TUNE = "tune t.hdf5 --out out.json --device cpu"
COMPARE = "compare t.hdf5 --out out --device cpu"
WRONG = [
    *(f"{TRAIN} --run {LONG}", f"evaluate model t.hdf5 --run {LONG}", f"{TRAIN} --epochs nan"),
    *(f"{TASK} --{name} {n}" for name in ("n", "k", "rounds", "runs") for n in (0, -1, HUGE)),
    *(f"{SEARCH} --max-training-time {n}" for n in ("nan", "inf", "-inf", "0", "1e999", LONG)),
    *(f"{ASK} --{name} {n}" for name in ("n", "start", "refit") for n in (0, -1, HUGE)),
    *(f"{ASK} --max-training-time {n}" for n in ("nan", "inf", 0)),
    *(f"finish search --out out --top {n}" for n in (0, -1, HUGE)),
    *(f"images photos --{name} {n}" for name in ("budget", "runs") for n in (0, HUGE)),
    *(f"{MEASURE} --cells {n}" for n in (0, HUGE, LONG)),
    *(f"{MEASURE} --cells 1 --budgets {n}" for n in (0, -1, "nan", HUGE, LONG)),
    *(f"{MEASURE} --cells 1 --retries {n}" for n in (-1, HUGE)),
    *(f"{PROFILE} --threads {n}" for n in (0, -1, HUGE)),
    *(f"{PROFILE} --retries {n}" for n in (-1, HUGE)),
    *(f"tell out 0 --accuracy 0.5 --seconds {n}" for n in (-1, "text")),
    *(f"{TUNE} --jobs 0", f"{TUNE} --grid missing.json", f"{COMPARE} --jobs 0"),
    *(
        "evaluate model no.hdf5",
        "evaluate model t.hdf5 --space no",
        "plot model no.hdf5 --out out.png",
    ),
    *("predict model no.hdf5 --out out.csv", "predict model --space no --out out.csv"),
    *(f"{SEARCH} --max-latency {given}" for given in ("no", "0", "5ms --latency-device no")),
    f"{TRAIN} --settings wrong.json",
    *(f"{TUNE} --grid {name}.json --recipe fast" for name in ("wrong", "huge")),
    *(f"{TRAIN} --settings wide.json --recipe {name}" for name in ("best", "paper")),
    f"{TRAIN} --settings idle.json --recipe fast",
    f"{TRAIN} --settings second.json --recipe two-stage",
    f"{TUNE} --grid wide-grid.json",
    *(f"{TUNE} --recipe fast", f"{TUNE} --split 3", f"{TUNE} --folds 100000", f"{TRAIN} --split 1"),
    f"{COMPARE} --train {','.join(map(str, range(1, 10_000)))},7",
    *(f"tell out 0 --accuracy {n}" for n in ("91.2", "1.01", "1e9")),
    "tell out 0 --accuracy 0.5 --test-accuracy 91.2",
    *(f"{SEARCH} --max-latency 5ms --latency-device {n}" for n in ("gpu:0", "pipe", "photos")),
    *(
        f"{TRAIN} --epochs 0",
        f"{TRAIN} --log tensorboard:t.hdf5",
        "search digits --out out --method oracle",
    ),
]
DEVICES = [
    *("train t.hdf5 --out out", "evaluate model t.hdf5", "plot model t.hdf5 --out out.png"),
    *(
        "predict model t.hdf5 --out out.csv",
        "tune t.hdf5 --out out.json",
        "compare t.hdf5 --out out",
    ),
    *("search t.hdf5 --out out", "search digits --out out", "ask out", "images photos"),
    *("finish search --out out", "profile networks --out out.hdf5"),
    "measure digits --cells 1 --journal out.sqlite --table out.hdf5",
]

OVERWRITING = [
    *(f"predict model --space {name} --out {name}" for name in ("c.arrow", "./c.arrow")),
    "predict model --space gen.py:cells --out gen.py",
    "predict model gen.py:build --configurations c.txt --out gen.py",
    "predict model gen.py:build --configurations c.txt --out c.txt",
    "predict model t.hdf5 --recipe gen.py:Own --out gen.py",
    "tune t.hdf5 --split c.txt --out c.txt",
    "tune t.hdf5 --recipe gen.py:Own --out gen.py",
    "evaluate model t.hdf5 --split c.txt --json c.txt",
    "evaluate model t.hdf5 --split c.TXT --json c.TXT",
    "tune t.hdf5 --split c:1.json:a --out c:1.json",
    "tune t.hdf5 --split c:1.json --out c:1.json",
    "evaluate t.hdf5 --scores s.csv --train c.txt --json c.txt",
    "plot t.hdf5 --scores s.csv --train c.txt --out c.txt",
    "measure digits --cells 1 --journal new.hdf5 --table new.hdf5",
]


def test_no_output_is_an_input(small_table: Table, tmp_path: Path) -> None:
    small_table.save(tmp_path / "t.hdf5")
    (tmp_path / "gen.py").write_text("from sklearn.dummy import DummyRegressor as Own\n")
    for name in ("c.arrow", "c.txt", "c.TXT", "c:1.json", "s.csv"):
        (tmp_path / name).write_text("1\n2\n")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    commands = [line.split() for line in OVERWRITING]
    for line, ended in zip(OVERWRITING, run_commands(commands, tmp_path), strict=True):
        assert ended.code == 2, line
        assert "is read by this command" in ended.err or "must be two files" in ended.err, line
        assert before == {path: path.read_bytes() for path in tmp_path.iterdir()}, line


def test_refusals_from_arguments(small_table: Table, tmp_path: Path) -> None:
    small_table.save(tmp_path / "t.hdf5")
    (tmp_path / "wrong.json").write_text('{"nonsense": [1]}')
    (tmp_path / "huge.json").write_text(json.dumps({name: [*range(1_000)] for name in "abcd"}))
    (tmp_path / "wide.json").write_text('{"hidden": 1000000000}')
    (tmp_path / "idle.json").write_text('{"epochs": 2}')
    (tmp_path / "second.json").write_text('{"regressor__dropout": 1}')
    (tmp_path / "wide-grid.json").write_text('{"hidden": [8, 1000000000]}')
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "photos").mkdir()
    before = sorted(path.name for path in tmp_path.iterdir())
    lines = [*WRONG, *(f"{line} --device nonsense" for line in DEVICES)]
    commands = [line.split() for line in lines]
    for line, ended in zip(lines, run_commands(commands, tmp_path), strict=True):
        assert ended.code == 2, line[:90]
        (error,) = ended.err.strip().splitlines()
        assert error.startswith("error: "), line[:90]
        assert len(error) < 400, line[:90]
        assert "torch" not in ended.modules, line[:90]
        assert sorted(path.name for path in tmp_path.iterdir()) == before, line[:90]
