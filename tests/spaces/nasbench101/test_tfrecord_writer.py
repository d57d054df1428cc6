"""Tables written as official records and read back."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.data.tables.official_file import convert, read_official, write_official
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import TableError
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.spaces.nasbench101.run_message import (
    model_metrics_class,
)
from tests.spaces.nasbench101.tables import random_table, same


def test_a_table_survives_the_round_trip(tmp_path: Path) -> None:
    table = random_table(40, seed=3)
    assert write_official(table, tmp_path / "t.tfrecord") == 40 * 4 * 3
    assert same(convert(tmp_path / "t.tfrecord", tmp_path / "t.hdf5"), table)


def test_missing_runs_and_budgets_survive_the_round_trip(tmp_path: Path) -> None:
    table = random_table(10, seed=4)
    table.metrics[:, :3] = np.nan
    table.metrics[::2, 3, 2] = np.nan
    assert write_official(table, tmp_path / "t.tfrecord") == 5 * 2 + 5 * 3
    assert same(read_official(tmp_path / "t.tfrecord"), table)


def test_budgets_of_a_measured_table_survive_the_round_trip(tmp_path: Path) -> None:
    table = random_table(5, seed=5, budgets=(1, 5, 108))
    write_official(table, tmp_path / "t.tfrecord")
    assert same(read_official(tmp_path / "t.tfrecord"), table)


def test_written_records_follow_the_official_message(tmp_path: Path) -> None:
    table = random_table(1, seed=6)
    write_official(table, tmp_path / "t.tfrecord")
    content = (tmp_path / "t.tfrecord").read_bytes()
    (length,) = struct.unpack_from("<Q", content)
    fields = json.loads(content[12 : 12 + length])
    assert fields[:2] == [table.hashes[0].decode(), 4]
    start, half, end = model_metrics_class().FromString(base64.b64decode(fields[4])).evaluation_data
    assert (start.current_epoch, half.current_epoch, end.current_epoch) == (0.0, 2.0, 4.0)
    assert start.training_time == 0.0
    assert not start.HasField("validation_accuracy")
    assert end.test_accuracy == float(table.metrics[0, 0, 0, 1, 3])


def _changed(change: str) -> Table:
    table = random_table(3, seed=7)
    if change == "partial":
        table.metrics[1, 2, 0, 0, 3] = np.nan
    elif change == "gap":
        table.metrics[1, 2, 1] = np.nan
    elif change == "empty":
        table.metrics[1] = np.nan
    elif change == "runs":
        more = np.concatenate([table.metrics] * 2, axis=2)[:, :, :4]
        table = Table(table.cells, more)
    elif change == "percent":
        table.metrics[2, 1, 2, 1, 2] = 93.5
    elif change == "negative time":
        table.metrics[2, 1, 2, 0, 0] = -1
    elif change == "budgets":
        table = random_table(3, seed=7, budgets=(1, 4, 5, 6, 7, 8))
    elif change == "epochs":
        table = random_table(3, seed=7, budgets=(4, 1_000_000))
    elif change == "twice":
        table = table.subset([0, 1, 0])
    elif change == "hash":
        table.hashes = table.hashes.copy()
        table.hashes[1] = b"f" * 32
    elif change == "none":
        table = table.subset([])
    elif change == "space":
        space = SearchSpace("own", ("a", "b"), 7, 9)
        cells = table.cells
        table = Table(
            type(cells)(cells.adjacency, abs(cells.operations), cells.num_vertices, space),
            table.metrics,
        )
    return table


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("partial", r"cell 1 \([0-9a-f]{32}\), 36 epochs, run 0: the run is measured in part"),
        ("gap", "36 epochs, run 1: the run is not measured but the next one is"),
        ("empty", "cell 1 .*nothing is measured"),
        ("runs", "cell 0 .*run 3: .*at most 3 runs"),
        ("none", "at least one record"),
        (
            "percent",
            r"cell 2 .*, 12 epochs, run 2: validation_accuracy must be a fraction from 0 to 1, "
            r"got 93\.5",
        ),
        ("negative time", r"run 2: training_time must be seconds >= 0, got -1\.0"),
        ("budgets", "at most 8 budgets, .* make them 1, 4, 5, 6, 7, 8, 12, 36, 108"),
        ("epochs", "at most 999,999 epochs per run, the table has runs of 1,000,000"),
        ("twice", "appears more than once"),
        ("hash", "cell 1.*hash"),
        ("space", "cells of 'own'"),
    ],
)
def test_what_the_format_cannot_express_is_refused(
    tmp_path: Path, change: str, message: str
) -> None:
    with pytest.raises(TableError, match=message):
        write_official(_changed(change), tmp_path / "t.tfrecord")
    assert not list(tmp_path.iterdir())
