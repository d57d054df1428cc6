"""The file of a journal: plain SQLite, durable, and refused unchanged if it is another file."""

from __future__ import annotations

import json
import sqlite3
import threading
from pathlib import Path

import pytest

from pyg_nas.errors import MeasureError
from pyg_nas.measure.campaigns.job import Reading, Run
from pyg_nas.measure.campaigns.journal import Journal
from pyg_nas.measure.campaigns.journal_file import JournalFile, stored_settings
from pyg_nas.measure.tasks.task import Task

from ..conftest import chain

CELL = chain("conv3x3-bn-relu")
RUN = Run(2, 0, Reading(1.0, 2.0, 0.5, 0.6, 0.7), Reading(3.0, 4.0, 0.55, 0.65, 0.75))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("run SET seed = 'x'", "seed of table run must be integer, got 'x'"),
        ("owner SET lease_until = 'never'", "lease_until of table owner must be real"),
        ("cell SET adjacency = x'00'", "adjacency of table cell must be text"),
    ],
)
def test_a_value_of_another_type_is_refused(
    opened: Journal, tiny_task: Task, change: str, message: str
):
    opened.claim(CELL, 2, (0,))
    opened.record(CELL, [RUN])
    with sqlite3.connect(opened.path) as connection:
        connection.execute(f"UPDATE {change}")
    connection.close()
    with pytest.raises(MeasureError, match=message):
        Journal(opened.path, tiny_task, CELL.space)


@pytest.mark.parametrize("name", ["space", "settings"])
def test_a_damaged_description_names_the_file(opened: Journal, tiny_task: Task, name: str):
    opened.close()
    with sqlite3.connect(opened.path) as connection:
        connection.execute(f"UPDATE journal SET value = '{{' WHERE name = '{name}'")
    connection.close()
    with pytest.raises(MeasureError, match=r"j\.sqlite: not a readable journal \(not JSON"):
        stored_settings(opened.path) if name == "settings" else Journal(opened.path, tiny_task)


@pytest.mark.parametrize("content", [b"hello, this is no database at all", b"SQLite format 3\x00x"])
def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path, tiny_task, content):
    path = tmp_path / "j.sqlite"
    path.write_bytes(content * 50)
    with pytest.raises(MeasureError, match=r"j\.sqlite"):
        Journal(path, tiny_task)
    assert path.read_bytes() == content * 50


@pytest.mark.parametrize("name", ["holidays", "journal"])
def test_another_programs_database_is_refused_and_left_alone(
    tmp_path: Path, tiny_task: Task, name: str
):
    path = tmp_path / "j.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute(f"CREATE TABLE {name} (day TEXT)")
    connection.close()
    before = path.read_bytes()
    with pytest.raises(MeasureError, match="but not a journal"):
        Journal(path, tiny_task)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["j.sqlite"]


@pytest.mark.parametrize(
    ("error", "message"),
    [  # the first where its shared memory does not fit
        (sqlite3.OperationalError("disk I/O error"), r"cannot be written, is the disk full\? "),
        (sqlite3.OperationalError("database or disk is full"), r"cannot be written, is the disk"),
        (sqlite3.DatabaseError("database disk image is malformed"), "not a readable journal "),
    ],
)
def test_a_full_disk_is_no_damaged_journal(
    opened: Journal,
    tiny_task: Task,
    monkeypatch: pytest.MonkeyPatch,
    error: sqlite3.DatabaseError,
    message: str,
):
    def failed(*_: object) -> None:
        raise error

    monkeypatch.setattr(JournalFile, "_check_journal", failed)
    with pytest.raises(MeasureError, match=rf"j\.sqlite: {message}"):
        Journal(opened.path, tiny_task)


ENDLESS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i FROM n) SELECT i AS value FROM n"


def test_views_are_refused_unread(opened: Journal, tiny_task: Task):
    opened.close()
    with sqlite3.connect(opened.path) as connection:
        connection.execute("DROP TABLE run")
        connection.execute(f"CREATE VIEW run AS {ENDLESS}")
    connection.close()
    with pytest.raises(MeasureError, match="but not a journal"):
        Journal(opened.path, tiny_task)
    assert stored_settings(opened.path) is None


def test_opening_waits_for_one_who_is_about_to_write(tmp_path: Path, tiny_task: Task):
    """SQLite then refuses to switch to write-ahead at once, for any timeout."""
    other = sqlite3.connect(tmp_path / "j.sqlite", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    threading.Timer(0.3, other.execute, ("COMMIT",)).start()
    with Journal(tmp_path / "j.sqlite", tiny_task) as journal:
        assert journal.path.exists()
    other.close()


def test_the_file_is_plain_sqlite(opened: Journal):
    """Other tools can read it: JSON in text columns."""
    opened.claim(CELL, 2, (0,))
    opened.record(CELL, [RUN])
    connection = sqlite3.connect(opened.path)
    (end,) = connection.execute("SELECT end FROM run").fetchone()
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    connection.close()
    assert json.loads(end)["test_accuracy"] == 0.75


def test_a_finished_run_survives_a_power_cut(opened: Journal):
    """As far as SQLite can promise: 2 is FULL, which waits for the disk at every commit."""
    assert opened._file._connection.execute("PRAGMA synchronous").fetchone() == (2,)
