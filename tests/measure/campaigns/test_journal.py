"""The journal: durable, resumable, shared by processes, and strict about what it is given."""

from __future__ import annotations

import random
import signal
import sqlite3
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import MeasureError
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.measure.campaigns import journal as journal_module
from pyg_nas.measure.campaigns.campaign import measure_cells
from pyg_nas.measure.campaigns.job import Job, Reading, Run
from pyg_nas.measure.campaigns.journal import Journal
from pyg_nas.measure.network import build_network
from pyg_nas.measure.tasks.task import Task
from pyg_nas.search.evaluators.table import TableEvaluator
from tests.measure.campaigns.test_executor import CELLS

from ..campaign_process import BUDGETS, SEEDS, campaign_cells, start
from ..conftest import TINY_SETTINGS, chain, make_tiny_task

CELL = chain("conv3x3-bn-relu")
OTHER = chain("maxpool3x3")


def run(budget: int = 2, seed: int = 0, accuracy: float = 0.5) -> Run:
    return Run(
        budget,
        seed,
        Reading(1.0, 2.0, accuracy, accuracy + 0.1, accuracy + 0.2),
        Reading(3.0, 4.0, accuracy + 0.05, accuracy + 0.15, accuracy + 0.25),
    )


def test_a_run_is_claimed_once_and_recorded_once(opened: Journal, tiny_task: Task):
    assert opened.claim(CELL, 2, (0, 1)) == (0, 1)
    with Journal(opened.path, tiny_task) as second:
        assert second.claim(CELL, 2, (0, 1, 2)) == (2,)
        assert second.record(CELL, [run(seed=0)]) == 0  # it is the first one's
        assert opened.record(CELL, [run(seed=0)]) == 1
        assert second.claim(CELL, 2, (0,)) == ()
        assert second.claim(CELL, 4, (0,)) == (0,)
        assert second.claim(OTHER, 2, (0,)) == (0,)
    assert opened.finished() == {(CELL.hash, 2, 0)}


def test_claims_are_given_back_on_release_and_close(opened: Journal, tiny_task: Task):
    with Journal(opened.path, tiny_task) as second:
        assert second.claim(CELL, 2, (0, 1)) == (0, 1)
        second.release(Job(CELL, 2, (1,)))
        assert opened.claim(CELL, 2, (0, 1)) == (1,)
    assert opened.claim(CELL, 2, (0,)) == (0,)


def test_claims_whose_lease_ran_out_are_taken_over(tmp_path: Path, tiny_task: Task, monkeypatch):
    monkeypatch.setattr(journal_module, "LEASE_SECONDS", -1.0)
    with Journal(tmp_path / "j.sqlite", tiny_task) as suspended:
        assert suspended.claim(CELL, 2, (0,)) == (0,)
        monkeypatch.setattr(journal_module, "LEASE_SECONDS", 60.0)
        with Journal(tmp_path / "j.sqlite", tiny_task) as other:
            assert other.claim(CELL, 2, (0,)) == (0,)
            # The first one comes back: its run no longer counts.
            assert suspended.record(CELL, [run(accuracy=0.1)]) == 0
            assert other.record(CELL, [run(accuracy=0.6)]) == 1
            assert other.to_table().metrics[0, 0, 0, 1, 1] == np.float32(0.65)


def test_a_lease_of_a_clock_that_was_ahead_is_not_waited_for(
    tmp_path: Path, tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = time.time()
    with Journal(tmp_path / "j.sqlite", tiny_task) as ahead:
        monkeypatch.setattr(time, "time", lambda: now - 86_400)
        with Journal(tmp_path / "j.sqlite", tiny_task) as second:
            monkeypatch.setattr(time, "time", lambda: now)
            ahead.claim(CELL, 2, (0,))
            assert second.claim(CELL, 2, (0,)) == ()
            monkeypatch.setattr(time, "time", lambda: now - 86_400)
            assert second.claim(CELL, 2, (0,)) == (0,)


def test_a_journal_on_a_full_disk_is_closed(opened: Journal, monkeypatch: pytest.MonkeyPatch):
    @contextmanager
    def full() -> Iterator[sqlite3.Connection]:
        raise MeasureError("database or disk is full")
        yield

    monkeypatch.setattr(opened._file, "transaction", full)
    with pytest.raises(MeasureError, match="full"):
        opened.close()
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        opened._file._connection.execute("SELECT 1")


def test_a_renewed_lease_lasts(tmp_path: Path, tiny_task: Task, monkeypatch):
    monkeypatch.setattr(journal_module, "_RENEW_SECONDS", 0.05)
    monkeypatch.setattr(journal_module, "LEASE_SECONDS", 0.5)
    with (
        Journal(tmp_path / "j.sqlite", tiny_task) as first,
        Journal(tmp_path / "j.sqlite", tiny_task) as second,
    ):
        first.claim(CELL, 2, (0,))
        time.sleep(0.8)
        assert second.claim(CELL, 2, (0,)) == ()


def test_to_table_has_every_number_in_its_place(opened: Journal):
    opened.claim(OTHER, 4, (1,))
    opened.record(OTHER, [run(4, 1, 0.3)])
    opened.claim(CELL, 2, (0,))
    opened.record(CELL, [run(2, 0, 0.5)])
    table = opened.to_table()
    assert (table.budgets, table.num_runs) == ((2, 4), 2)
    assert [cell.hash for cell in table.cells] == [OTHER.hash, CELL.hash]
    expected = np.full((2, 2, 2, 2, 4), np.nan)
    expected[0, 1, 1] = [[1, 0.3, 0.4, 0.5], [3, 0.35, 0.45, 0.55]]
    expected[1, 0, 0] = [[1, 0.5, 0.6, 0.7], [3, 0.55, 0.65, 0.75]]
    np.testing.assert_allclose(table.metrics, expected, rtol=1e-6)
    cpu = opened.to_table(clock="cpu").metrics
    assert cpu[0, 1, 1, :, 0].tolist() == [2.0, 4.0]
    assert table.about["seeds"] == [0, 1]
    with pytest.raises(MeasureError, match="clock must be 'wall' or 'cpu', got 'sun'"):
        opened.to_table(clock="sun")


def test_a_run_that_diverged_keeps_its_nan(opened: Journal):
    opened.claim(CELL, 2, (0,))
    opened.record(CELL, [run(2, 0, float("nan"))])
    (read,) = opened.runs(CELL, 2)
    assert np.isnan(read.end.train_accuracy)
    assert np.isnan(opened.to_table().metrics[0, 0, 0, 1, 1:]).all()


@pytest.mark.parametrize(
    "text", ["[" * 5_000, "[]", '{"wall_seconds": 1}', '{"wall_seconds": "1"}', "NaN", "\ud800"]
)
def test_a_damaged_run_is_refused(opened: Journal, text: str):
    opened.claim(CELL, 2, (0,))
    opened.record(CELL, [run(2, 0, 0.5)])
    with sqlite3.connect(opened.path) as connection:
        connection.execute("UPDATE run SET end = ?", (text.encode("utf-8", "surrogatepass"),))
    connection.close()
    for read in (opened.to_table, lambda: opened.runs(CELL, 2)):
        with pytest.raises(MeasureError, match="not a readable run, got"):
            read()


@pytest.mark.parametrize("adjacency", ["[", "5", "[[0, 2], [0, 0]]"])
def test_a_damaged_cell_is_refused(opened: Journal, adjacency: str):
    opened.claim(CELL, 2, (0,))
    opened.record(CELL, [run(2, 0, 0.5)])
    with sqlite3.connect(opened.path) as connection:
        connection.execute("UPDATE cell SET adjacency = ?", (adjacency,))
    connection.close()
    with pytest.raises(MeasureError, match=f"{opened.path}: cell '{CELL.hash}': "):
        opened.to_table()


def test_an_empty_journal_has_no_table(opened: Journal):
    with pytest.raises(MeasureError, match="no run is finished yet"):
        opened.to_table()


def test_a_journal_of_another_task_or_space_is_refused(opened: Journal, tiny_task: Task):
    slower = make_tiny_task(TINY_SETTINGS.changed({"learning_rate": 0.01}))
    trained = r"j\.sqlite: its runs were trained "
    with pytest.raises(MeasureError, match=f"{trained}with learning_rate = 0.05, 0.01 was reques"):
        Journal(opened.path, slower)
    mirrored = replace(tiny_task, train=replace(tiny_task.train, images=-tiny_task.train.images))
    with pytest.raises(MeasureError, match=f"{trained}on other images, .*; use another folder or "):
        Journal(opened.path, mirrored)
    with pytest.raises(MeasureError, match="this journal has space"):
        Journal(opened.path, tiny_task, SearchSpace("s", ("a",), 4, 4, ("o", "i")))
    with pytest.raises(MeasureError, match="is a journal of another task than 'tiny'"):
        measure_cells([CELL], slower, (1,), 1, opened)
    assert opened.claim(CELL, 2, (0,)) == (0,)


def test_values_of_other_types_are_no_settings(opened: Journal, tiny_task: Task):
    opened.close()
    with sqlite3.connect(opened.path) as connection:
        connection.execute("UPDATE journal SET value = x'00ff' WHERE name = 'space'")
    connection.close()
    with pytest.raises(MeasureError, match="this journal has space b"):
        Journal(opened.path, tiny_task)


# Kills and rivals: real processes on one journal.

KILLS = 6


def lines_of(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


def accuracies(table: Table) -> np.ndarray:
    return table.metrics[..., 1:]


def finished_runs(path: Path) -> set[tuple[str, int, int]]:
    """What the file holds, read without our code, which would clean up first."""
    connection = sqlite3.connect(path)
    assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    made = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    rows = set(connection.execute("SELECT hash, budget, seed FROM run")) if made else set()
    connection.close()
    return rows


@pytest.fixture(scope="module")
def undisturbed(tiny_task: Task) -> np.ndarray:
    return accuracies(measure_cells(campaign_cells(), tiny_task, BUDGETS, SEEDS))


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_a_campaign_killed_again_and_again_ends_as_an_undisturbed_one(
    tmp_path: Path, tiny_task: Task, undisturbed: np.ndarray
):
    path, log = tmp_path / "j.sqlite", tmp_path / "log"
    chance = random.Random(0)
    before: set[tuple[str, int, int]] = set()
    for _ in range(KILLS):
        goal = len(lines_of(log)) + chance.randint(0, 4)
        process = start(path, log)
        while len(lines_of(log)) < goal and process.is_alive():
            time.sleep(0.001)
        time.sleep(chance.uniform(0.0, 0.04))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
        finished = finished_runs(path)
        assert before <= finished, "a finished run was lost"
        before = finished
    assert 0 < len(before) < len(campaign_cells()) * len(BUDGETS) * len(SEEDS)
    last = start(path, log)
    last.join()
    assert last.exitcode == 0
    with Journal(path, tiny_task) as journal:
        killed = journal.to_table(BUDGETS, SEEDS, campaign_cells())
    np.testing.assert_array_equal(accuracies(killed), undisturbed)
    # Each kill costs at most the one job in flight, and nothing else is trained twice.
    jobs = len(campaign_cells()) * len(BUDGETS)
    assert len(set(lines_of(log))) == jobs
    assert jobs <= len(lines_of(log)) <= jobs + KILLS


def test_two_processes_share_a_journal_and_train_nothing_twice(
    tmp_path: Path, tiny_task: Task, undisturbed: np.ndarray
):
    path, logs = tmp_path / "j.sqlite", (tmp_path / "a", tmp_path / "b")
    processes = [start(path, log) for log in logs]
    for process in processes:
        process.join()
        assert process.exitcode == 0
    trained = [line for log in logs for line in lines_of(log)]
    assert len(trained) == len(set(trained)) == len(campaign_cells()) * len(BUDGETS)
    assert all(lines_of(log) for log in logs)
    with Journal(path, tiny_task) as journal:
        shared = journal.to_table(BUDGETS, SEEDS, campaign_cells())
    np.testing.assert_array_equal(accuracies(shared), undisturbed)


def test_no_process_gives_back_the_claims_of_another(opened: Journal, tiny_task: Task):
    assert opened.claim(CELL, 2, (0,)) == (0,)
    with Journal(opened.path, tiny_task) as second:
        second.release(Job(CELL, 2, (0,)))
        assert second.claim(CELL, 2, (0,)) == ()
    assert opened.record(CELL, [run()]) == 1


def test_a_transaction_that_fails_leaves_the_journal_as_it_was(opened: Journal):
    opened.claim(CELL, 2, (0, 1))

    def breaks():
        yield run(seed=0)
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        opened.record(CELL, breaks())
    assert opened.finished() == set()
    assert opened.record(CELL, [run(seed=0), run(seed=1)]) == 2
    assert opened.claim(OTHER, 2, (0,)) == (0,)


def test_the_clock_of_the_table_is_the_one_asked_for(tmp_path: Path, tiny_task: Task):
    with Journal(tmp_path / "j.sqlite", tiny_task) as journal:
        wall = measure_cells(CELLS[:1], tiny_task, (1,), 1, journal)
        cpu = measure_cells(CELLS[:1], tiny_task, (1,), 1, journal, clock="cpu")
        expected = journal.to_table(clock="cpu")
    assert (wall.about["clock"], cpu.about["clock"]) == ("wall", "cpu")
    np.testing.assert_array_equal(cpu.metrics, expected.metrics)
    assert (cpu.metrics[..., 0] != wall.metrics[..., 0]).all()


def test_parameters_and_macs_are_those_of_the_trained_network(opened: Journal, tiny_task: Task):
    for cell in (CELL, OTHER):
        opened.claim(cell, 2, (0,))
        opened.record(cell, [run()])
    table = opened.to_table()
    networks = [build_network(cell, tiny_task) for cell in table.cells]
    counts = [sum(p.numel() for p in network.parameters()) for network in networks]
    assert table.trainable_parameters.tolist() == counts
    assert table.network_size == tiny_task.network_size
    table.check()
    found = TableEvaluator(table).macs(table.cells)
    assert found is not None
    assert found.tolist() == table.cells.macs(tiny_task.network_size).tolist()
