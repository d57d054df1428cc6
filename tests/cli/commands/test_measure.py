"""``pyg-nas measure`` from the shell: all the way, stopped half-way, and given nonsense."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from pyg_nas.cli.app import app
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import MeasureError, PygNasError, SettingsError, TableError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.measure import Executor
from tests.cli.command import pyg_nas


@pytest.fixture(scope="module")
def images(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("images")
    rng = np.random.default_rng(0)
    labels = np.arange(60) % 2
    pixels = rng.integers(0, 100, (60, 4, 4), dtype=np.uint8) + (labels * 50)[:, None, None]
    np.savez(folder / "mine.npz", images=pixels.astype(np.uint8), labels=labels)
    (folder / "small.json").write_text(
        json.dumps({"stem_channels": 4, "num_stacks": 2, "batch_size": 12})
    )
    return folder


def arguments(images: Path, folder: Path, **changes: str) -> list[str]:
    options = {
        "cells": "3",
        "budgets": "1,2",
        "seeds": "2",
        "journal": str(folder / "j.sqlite"),
        "table": str(folder / "out.hdf5"),
        "settings": str(images / "small.json"),
        "backend": "sequential",
        "device": "cpu",
        **changes,
    }
    given = [part for name, value in options.items() for part in (f"--{name}", value)]
    return ["measure", str(images / "mine.npz"), *given]


def test_measure_writes_the_table_and_resumes_from_the_journal(images: Path, tmp_path: Path):
    result = CliRunner().invoke(app, arguments(images, tmp_path))
    assert result.exit_code == 0, result.output
    table = Table.load(tmp_path / "out.hdf5")
    assert (len(table), table.budgets, table.num_runs) == (3, (1, 2), 2)
    assert table.measured.all()
    assert table.cells == sample_cells(3, 0)
    assert (table.about["task"], table.about["settings"]["stem_channels"]) == ("mine", 4)
    # The table's own cells, at one budget more: what is there stays as it is.
    more = arguments(images, tmp_path, cells=str(tmp_path / "out.hdf5"), budgets="1,2,3")
    assert CliRunner().invoke(app, more).exit_code == 0
    again = Table.load(tmp_path / "out.hdf5")
    np.testing.assert_array_equal(again.metrics[:, :2], table.metrics)
    assert again.measured.all()


def test_cells_may_come_from_a_graph_file(images: Path, tmp_path: Path):
    cells = [sample_cells(1, 0)[0], Cell([[0, 1], [0, 0]], ["input", "output"])]
    graphs = tmp_path / "cells.jsonl"
    drawn = [*cells, cells[0]]  # as equal architectures of NAS-Bench-201 in a table
    graphs.write_text("".join(json.dumps(cell.to_dict()) + "\n" for cell in drawn))
    given = arguments(images, tmp_path, cells=str(graphs), budgets="1", seeds="1")
    result = CliRunner().invoke(app, given)
    assert result.exit_code == 0, result.output
    assert list(Table.load(tmp_path / "out.hdf5").cells) == cells
    graphs.write_text('{"ops": ["input", "conv", "output"], "edges": [[0, 1], [1, 2]]}\n')
    refused = CliRunner().invoke(app, given).exception
    assert isinstance(refused, TableError)
    assert "operation 'conv' at vertex 1 is not in space 'nasbench101'" in str(refused)


@pytest.mark.skipif(sys.platform == "win32", reason="needs a process group's SIGINT")
def test_ctrl_c_keeps_everything_and_prints_how_to_resume(images: Path, tmp_path: Path):
    command = arguments(images, tmp_path, cells="200", budgets="1,2", backend="loky", workers="2")
    process = subprocess.Popen(
        [sys.executable, "-c", "from pyg_nas.cli.app import main; main()", *command],
        start_new_session=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        # A shell's background job ignores it, and so would its children.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    journal = tmp_path / "j.sqlite"

    def finished() -> int:
        if not journal.exists():
            return 0
        connection = sqlite3.connect(journal)
        try:
            return connection.execute("SELECT count(*) FROM run").fetchone()[0]
        except sqlite3.OperationalError:  # not made yet
            return 0
        finally:
            connection.close()

    while finished() < 4:
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGINT)
    shown, errors = process.communicate()
    kept = finished()
    assert process.returncode == 130, errors
    assert f"stopped; the same command resumes from {journal}" in " ".join(shown.split())
    assert "Traceback" not in errors
    assert 4 <= kept < 200 * 2 * 2
    assert not (tmp_path / "out.hdf5").exists()
    # Claims are given back: fewer cells of the same draw are finished at once.
    result = CliRunner().invoke(app, arguments(images, tmp_path, cells="2"))
    assert result.exit_code == 0, result.output
    assert finished() >= kept


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"cells": "0"}, SettingsError, "--cells must be 1 to 1,000,000, or a file, got '0'"),
        ({"cells": "gone.hdf5"}, TableError, "gone.hdf5"),
        ({"cells": "9999999"}, SettingsError, "9999999"),
        ({"budgets": "1,two"}, SettingsError, "--budgets must be whole numbers"),
        ({"budgets": str(10**12)}, MeasureError, "a budget must be at most 100,000"),
        ({"seeds": str(10**12)}, MeasureError, "at most 10,000 runs"),
        ({"budgets": "2,1"}, MeasureError, "budgets must be ascending"),
        ({"backend": "slurm"}, SettingsError, "backend must be one of"),
        ({"settings": "gone.json"}, SettingsError, "gone.json"),
        ({"table": "t.jsonl"}, SettingsError, "t.jsonl: a table's name must end in .hdf5 or .h5"),
        ({"image-size": "8"}, MeasureError, "only the images of a folder"),
    ],
)
def test_nonsense_is_one_clear_error(images: Path, tmp_path: Path, changes, error, message):
    result = CliRunner().invoke(app, arguments(images, tmp_path, **changes))
    assert isinstance(result.exception, error)
    assert isinstance(result.exception, PygNasError)
    assert message in str(result.exception)
    assert not list(tmp_path.iterdir())


def test_measure_takes_both_seeds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "mine.npz",
        images=rng.integers(0, 255, (60, 4, 4), dtype=np.uint8),
        labels=np.arange(60) % 2,
    )
    (tmp_path / "small.json").write_text(
        json.dumps({"stem_channels": 4, "num_stacks": 2, "batch_size": 12})
    )
    tables = []
    for name, options in (("a", ()), ("b", ("--sample-seed", 4)), ("c", ("--split-seed", 4))):
        out = tmp_path / f"{name}.hdf5"
        given = (
            "measure", tmp_path / "mine.npz", "--cells", 3, "--budgets", 1, "--seeds", 1,
            "--journal", tmp_path / f"{name}.sqlite", "--table", out, "--backend", "sequential",
            "--settings", tmp_path / "small.json", "--device", "cpu", *options,
        )  # fmt: skip
        assert pyg_nas(*given) == 0
        tables.append(Table.load(out))
    assert tables[0].cells == tables[2].cells == sample_cells(3, 0)
    assert tables[1].cells == sample_cells(3, 4)
    assert tables[0].about["fingerprint"] == tables[1].about["fingerprint"]
    assert tables[0].about["fingerprint"] != tables[2].about["fingerprint"]


def test_measure_has_its_executor_and_tries(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []

    def stop(*arguments: Any) -> None:
        seen.append(arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr("pyg_nas.measure.measure_cells", stop)
    options = ("--backend", "threading", "--workers", 2, "--threads", 3, "--retries", 7)
    files = ("--journal", tmp_path / "j.sqlite", "--table", tmp_path / "t.hdf5")
    given = ("measure", "digits", "--cells", 2, "--budgets", "1,3", "--seeds", 2, *options, *files)
    assert pyg_nas(*given, "--device", "cpu") == 130
    _, task, budgets, seeds, _, executor, retries, _ = seen[0]
    assert (task.name, budgets, seeds, retries) == ("digits", (1, 3), 2, 7)
    assert executor == Executor("threading", 2, "cpu", 3)


def test_cells_of_another_space_are_trained(tmp_path: Path) -> None:
    out = tmp_path / "t.hdf5"
    settings = tmp_path / "settings.json"
    settings.write_text('{"stem_channels": 4, "num_stacks": 2, "modules_per_stack": 1}')
    command = ("measure", "digits", "--cells", 2, "--space", "nasbench201", "--budgets", "1")
    files = ("--journal", tmp_path / "j.sqlite", "--table", out, "--settings", settings)
    assert pyg_nas(*command, "--seeds", 2, *files, "--backend", "sequential") == 0
    table = Table.load(out)
    assert table.space.name == "nasbench201"
    assert table.num_runs == 2
    assert not np.isnan(table.metrics[:, 0]).any()
