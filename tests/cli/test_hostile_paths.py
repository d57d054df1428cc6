"""Whole runs of commands in folders whose names are markup, control codes or no text at all."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.data.tables.table import Table
from tests import own_predictor

from .processes import run_commands

NAME = b"[/red] \n\x1b[31m caf\xe9"
SMALL = {"stem_channels": 8, "num_stacks": 1, "modules_per_stack": 1, "batch_size": 8}
COMMANDS = [
    "train T --split 43 --recipe paper --epochs 1 --device cpu --out D/model",
    "predict D/model T --device cpu --out D/scores.csv",
    "plot D/model T --device cpu --out D/plot.svg",
    "report D/model T --out D/report.html",
    "table import D/i.csv D/i.hdf5 --space nasbench201",
]
# Once, in the locale that has fewer characters.
ASCII_ALONE = [
    "evaluate D/model T --device cpu --json D/figures.json",
    "table export D/i.hdf5 D/o.csv --csv",
    "table export T D/t.tfrecord",
    "table convert D/t.tfrecord D/again.hdf5",
    "search T --method evolution --n 20 --k 4 --out D/search",
    "measure D/task.npz --cells 1 --budgets 1 --seeds 1 --settings D/small.json"
    " --backend sequential --device cpu --journal D/j.sqlite --table D/m.hdf5",
    "report D/search --out D/search.html",
    "compare-searches D/search --out D/searches",
    "tune T --split 43 --grid D/grid.json --folds 2 --repeats 1 --device cpu --out D/tuned.json",
    "compare T --predictors P/few.py:Few --train 43 --draws 1 --device cpu --out D/comparison",
    "ask D/asked --n 2 --method random --device cpu",
    "tell D/asked 0 --accuracy 0.5",
    "table info T",
    "table check T",
    "export D/model --out D/model.pt2",
    "search D/task.npz --method random --n 2 --k 1 --budget 1 --settings D/small.json"
    " --device cpu --out D/found",
    "finish D/found --out D/network --top 1 --seeds 2 --device cpu",
]


@pytest.mark.parametrize("locale", ["UTF-8", "ASCII"])
def test_every_command_works_with_any_path(small_table: Table, tmp_path: Path, locale: str) -> None:
    folder = tmp_path / os.fsdecode(NAME)
    folder.mkdir(parents=True)
    metrics = small_table.metrics.copy()
    metrics[:, :, 2] = metrics[:, :, 1]  # the official format has no runs that were not measured
    Table(small_table.cells, metrics, small_table.budgets).save(folder / "t.hdf5")
    text = "|nor_conv_3x3~0|+|nor_conv_3x3~0|none~1|+|none~0|none~1|skip_connect~2|"
    (folder / "i.csv").write_text(f"arch,test_accuracy\n{text},0.5\n")
    (folder / "small.json").write_text(json.dumps(SMALL))
    (folder / "grid.json").write_text('[{"hidden": 4}]')
    shutil.copy(
        own_predictor.__file__, tmp_path / "few.py"
    )  # names of code are stored, and must be UTF-8
    labels = np.arange(60) % 3
    np.savez(folder / "task.npz", images=np.zeros((60, 8, 8), np.uint8), labels=labels)
    places = {"P": str(tmp_path), "D": str(folder), "T": str(folder / "t.hdf5")}
    commands = [
        ["/".join(places.get(part, part) for part in word.split("/")) for word in line.split()]
        for line in [*COMMANDS, *(ASCII_ALONE if locale == "ASCII" else [])]
    ]
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    for ended in run_commands(commands, environment=environment if locale == "ASCII" else None):
        assert ended.code == 0, ended.err
        assert "\x1b[31m caf" not in ended.out + ended.err
    left = {path.name for path in folder.iterdir()}
    assert {"model", "scores.csv", "plot.svg", "report.html", "i.hdf5"} <= left
    assert locale == "UTF-8" or {"m.hdf5", "search.html", "tuned.json", "network"} <= left
