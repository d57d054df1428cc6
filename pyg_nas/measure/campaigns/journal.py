"""The journal: a file that stores every training run as soon as it finishes.

A search on a task stores a measurement in three places. The journal has the single runs: with it,
a search that was killed trains nothing twice, and a campaign can use the same runs. The search
folder's ``queries.jsonl`` has the mean that the search received, in order: with it, a search is
resumed without its task. ``answer.json`` has the best of them, for users and scripts.

A journal is one SQLite file in WAL mode. A run is identified by its cell's hash, its budget and
its seed. A process claims a run in one transaction before it trains it, so that several processes
of one machine can share a journal and no run is trained twice. SQLite's WAL mode does not work on a
network file system. A claim ends when the run is recorded, when its process has ended, or when its
lease expires.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import asdict, astuple
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyg_nas.data.protocols.labels import SCORE
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import (
    MeasureError,
    PygNasError,
    SettingsError,
    first_difference,
    one_line,
    quoted,
)
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.registry import default_space, space_changes
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.formats.json_reader import parse_json
from pyg_nas.measure.campaigns.job import Job, Reading, Run
from pyg_nas.measure.campaigns.journal_file import JournalFile, parse_value
from pyg_nas.measure.campaigns.owner import Owner
from pyg_nas.measure.tasks.objective import Objective
from pyg_nas.spaces.measurements import ACCURACIES, METRICS, RUN_SHAPE

if TYPE_CHECKING:
    from pyg_nas.measure.tasks.task import Task

_VERSION = 1
LEASE_SECONDS = 120.0
_RENEW_SECONDS = 20.0
_END_CLAIM = "DELETE FROM claim WHERE hash = ? AND budget = ? AND seed = ? AND token = ?"


class Journal:
    """A file of finished runs of one task, in which runs are claimed before they are trained.

    Args:
        path: The SQLite file, created if missing.
        task: The task; a journal of another task, or of other settings, is refused.
        space: The search space of the cells, by default the default space.

    Raises:
        MeasureError: If the file is not a journal, damaged, or belongs to another task or space.
    """

    def __init__(
        self, path: str | os.PathLike[str], task: Task, space: SearchSpace | None = None
    ) -> None:
        self.path = Path(path)
        self.space = space or default_space()
        self.about = {
            "task": task.name,
            "fingerprint": task.fingerprint,
            "settings": task.settings.to_dict(),
        }
        score = Objective(task).score_name
        self._score = {} if score == "accuracy" else {SCORE: score}
        self._size = task.network_size
        networks = self.space.support.network_fingerprint(self._size)
        self._networks = {} if networks is None else {"networks": networks}
        self._owner = Owner.current()
        self._closing = threading.Event()
        self._file = JournalFile(self.path)
        try:
            self._register()
        except BaseException:
            self._file.close()
            raise
        self._renewal = threading.Thread(target=self._renew, daemon=True)
        self._renewal.start()

    def _register(self) -> None:
        expected = {
            "version": str(_VERSION),
            "space": json.dumps(self.space.to_dict(), sort_keys=True),
            **{name: json.dumps(value, sort_keys=True) for name, value in self.about.items()},
            **self._networks,
        }
        found = self._file.identity(expected)
        for name, value in expected.items():
            if found.get(name) != value:
                self._check_space(name, found.get(name))
                if name == "fingerprint":
                    raise MeasureError(self._other_runs(found.get("settings")))
                raise MeasureError(
                    f"{self.path}: this journal has {name} {_shorten(found.get(name))}, "
                    f"{_shorten(value)} was requested; use another journal file"
                )
        with self._file.transaction() as connection:
            connection.execute(
                "INSERT INTO owner VALUES (?, ?, ?, ?, ?)",
                (*astuple(self._owner), time.time() + LEASE_SECONDS),
            )

    def _check_space(self, name: str, found: str | None) -> None:
        """Raise an error that names the changes of a space, if ``name`` belongs to the space."""
        if name == "networks":
            raise MeasureError(
                f"{self.path}: the networks of the space {self.space.name!r} are not those of its "
                f"runs: layers or pretrained weights have changed; use another folder or journal "
                f"file"
            )
        if name != "space" or not isinstance(found, str):
            return
        before = parse_value(self.path, found)
        if isinstance(before, dict) and before.get("name") == self.space.name:
            changes = space_changes(before, self.space.to_dict())
            raise MeasureError(
                f"{self.path}: the space {self.space.name!r} has changed since: {changes}; use "
                f"another folder or journal file"
            )

    def _other_runs(self, found: str | None) -> str:
        """Return a message that says how the runs of the journal were trained otherwise."""
        asked = self.about["settings"]
        before = parse_value(self.path, found) if isinstance(found, str) else None
        if before == asked:
            how = "on other images, or on another split or size of them, or with another metric"
        else:
            name, before, asked = first_difference("", before, asked)
            how = f"with {name} = {quoted(before)}, {quoted(asked)} was requested"
        return f"{self.path}: its runs were trained {how}; use another folder or journal file"

    def _renew(self) -> None:
        while not self._closing.wait(_RENEW_SECONDS):
            # A locked file or a full disk may be usable again at the next turn, and recording a
            # run raises the error if not; the lease lasts for several turns.
            with suppress(MeasureError), self._file.transaction() as connection:
                connection.execute(
                    "UPDATE owner SET lease_until = ? WHERE token = ?",
                    (time.time() + LEASE_SECONDS, self._owner.token),
                )

    def close(self) -> None:
        """Give back all claims and close the file."""
        if self._closing.is_set():
            return
        self._closing.set()
        self._renewal.join()
        try:
            with self._file.transaction() as connection:
                connection.execute("DELETE FROM claim WHERE token = ?", (self._owner.token,))
                connection.execute("DELETE FROM owner WHERE token = ?", (self._owner.token,))
        finally:
            self._file.close()

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def claim(self, cell: Cell, budget: int, seeds: Sequence[int]) -> tuple[int, ...]:
        """Claim the runs that are neither finished nor claimed by a living process.

        Returns:
            The seeds that this journal may now train; none if no run is left.

        Raises:
            MeasureError: If the cell is of another space.
        """
        if cell.space != self.space:
            raise MeasureError(
                f"{self.path}: has cells of {self.space.name!r}, got one of {cell.space.name!r}"
            )
        with self._file.transaction() as connection:
            connection.execute(
                "INSERT OR IGNORE INTO cell VALUES (?, ?, ?)",
                (cell.hash, json.dumps(cell.adjacency.tolist()), json.dumps(cell.operations)),
            )
            key = (cell.hash, budget)
            taken = {
                seed
                for (seed,) in connection.execute(
                    "SELECT seed FROM run WHERE hash = ? AND budget = ?", key
                )
            }
            for seed, token in connection.execute(
                "SELECT seed, token FROM claim WHERE hash = ? AND budget = ?", key
            ).fetchall():
                if self._is_alive(connection, token):
                    taken.add(seed)
            free = tuple(seed for seed in seeds if seed not in taken)
            connection.executemany(
                "INSERT OR REPLACE INTO claim VALUES (?, ?, ?, ?)",
                [(cell.hash, budget, seed, self._owner.token) for seed in free],
            )
        return free

    def _is_alive(self, connection: sqlite3.Connection, token: str) -> bool:
        row = connection.execute(
            "SELECT host, pid, started, lease_until FROM owner WHERE token = ?", (token,)
        ).fetchone()
        if row is None:
            return False
        *identity, lease_until = row
        # A lease that ends later than any can was written before the clock was set back; an owner
        # that is alive renews it with the new time.
        leased = 0 < lease_until - time.time() < 2 * LEASE_SECONDS
        return token == self._owner.token or (leased and not Owner(token, *identity).has_gone())

    def record(self, cell: Cell, runs: Iterable[Run]) -> int:
        """Make finished runs durable and end their claims.

        Runs whose claim was lost (this process was suspended past its lease, and another took
        over) are dropped: the other one's count.

        Returns:
            The number of runs recorded.
        """
        recorded = 0
        with self._file.transaction() as connection:
            for run in runs:
                key = (cell.hash, run.budget, run.seed)
                ended = connection.execute(_END_CLAIM, (*key, self._owner.token))
                recorded += ended.rowcount
                if ended.rowcount:
                    points = (json.dumps(asdict(point)) for point in (run.halfway, run.end))
                    connection.execute(
                        "INSERT INTO run VALUES (?, ?, ?, ?, ?, ?)", (*key, *points, time.time())
                    )
        return recorded

    def release(self, job: Job) -> None:
        """Give back the claims of a job that will not be finished."""
        with self._file.transaction() as connection:
            keys = [(job.cell.hash, job.budget, seed, self._owner.token) for seed in job.seeds]
            connection.executemany(_END_CLAIM, keys)

    def finished(self, hashes: Iterable[str] | None = None) -> set[tuple[str, int, int]]:
        """Return (module hash, budget, seed) of every finished run, or of those of some cells."""
        where, values = _restriction(hashes)
        with self._file.transaction() as connection:
            return set(connection.execute(f"SELECT hash, budget, seed FROM run {where}", values))

    def runs(self, cell: Cell, budget: int) -> list[Run]:
        """Return the finished runs of a cell at a budget, by ascending seed."""
        with self._file.transaction() as connection:
            rows = connection.execute(
                "SELECT seed, halfway, end FROM run WHERE hash = ? AND budget = ? ORDER BY seed",
                (cell.hash, budget),
            ).fetchall()
        return [
            Run(budget, seed, *(self._reading(text) for text in points)) for seed, *points in rows
        ]

    def _reading(self, text: str) -> Reading:
        """Return a stored reading; that of a run that diverged may have NaN."""
        try:
            reading = Reading(**parse_json(text, finite=False))
            if all(type(number) in (int, float) for number in astuple(reading)):
                return reading
        except (SettingsError, TypeError, AttributeError):
            pass
        raise MeasureError(f"{self.path}: not a readable run, got {quoted(text)}")

    def _measured_cells(self, connection: sqlite3.Connection) -> tuple[list[str], CellArray]:
        """Return all cells with a finished run, in the order in which they were first claimed."""
        known = connection.execute(
            "SELECT hash, adjacency, operations FROM cell "
            "WHERE hash IN (SELECT hash FROM run) ORDER BY rowid"
        ).fetchall()
        cells = CellArray.from_cells([self._cell(*row) for row in known], self.space)
        return [digest for digest, *_ in known], cells

    def _cell(self, digest: str, adjacency: str, operations: str) -> Cell:
        try:
            return Cell(parse_json(adjacency), parse_json(operations), self.space)
        except (PygNasError, TypeError, ValueError) as error:
            raise MeasureError(f"{self.path}: cell {quoted(digest)}: {one_line(error)}") from None

    def to_table(
        self,
        budgets: Sequence[int] | None = None,
        seeds: Sequence[int] | None = None,
        cells: CellArray | None = None,
        clock: str = "wall",
        about: dict[str, Any] | None = None,
    ) -> Table:
        """Return the finished runs as a table; parameters are those of the task's networks.

        Args:
            budgets: Budgets of the table, by default all that the journal has.
            seeds: Seeds of the table, by default all that the journal has.
            cells: Cells of the table in their order, by default all with a finished run, in the
                order in which they were first asked for.
            clock: ``"wall"`` or ``"cpu"``: which seconds are the table's training time.
            about: Further description of the table.

        Raises:
            MeasureError: If the journal has no finished run and no cells are given, or ``clock``
                is neither.
        """
        check_clock(clock)
        hashes = None if cells is None else [text.decode() for text in cells.hashes().tolist()]
        where, values = _restriction(hashes)
        with self._file.transaction() as connection:
            rows = connection.execute(
                f"SELECT hash, budget, seed, halfway, end FROM run {where}", values
            ).fetchall()
            if hashes is None:
                hashes, cells = self._measured_cells(connection)
        assert cells is not None
        if not rows and (budgets is None or seeds is None):
            raise MeasureError(f"{self.path}: no run is finished yet")
        budgets = sorted({row[1] for row in rows}) if budgets is None else list(budgets)
        seeds = sorted({row[2] for row in rows}) if seeds is None else list(seeds)
        place = {digest: i for i, digest in enumerate(hashes)}
        shape = (len(cells), len(budgets), len(seeds), *RUN_SHAPE)
        metrics = np.full(shape, np.nan, dtype=np.float32)
        names = (f"{clock}_seconds", *METRICS[ACCURACIES])
        for digest, budget, seed, *points in rows:
            if budget in budgets and seed in seeds:
                runs = metrics[place[digest], budgets.index(budget), seeds.index(seed)]
                for point, text in enumerate(points):
                    reading = self._reading(text)
                    runs[point] = [getattr(reading, name) for name in names]
        described = {**self.about, **self._score, "seeds": seeds, "clock": clock, **(about or {})}
        parameters = None
        if self.space.support.network is not None:
            described["network"] = asdict(self._size)
            parameters = cells.trainable_parameters(self._size).astype(np.int32)
        return Table(cells, metrics, budgets, described, trainable_parameters=parameters)


def check_clock(clock: str) -> None:
    """Check that a text names one of the two clocks of a run.

    Raises:
        MeasureError: If it does not.
    """
    if clock not in ("wall", "cpu"):
        raise MeasureError(f"clock must be 'wall' or 'cpu', got {quoted(clock)}")


def _restriction(hashes: Iterable[str] | None) -> tuple[str, tuple[str, ...]]:
    """Return the WHERE clause for the runs of some cells, and its values."""
    if hashes is None:
        return "", ()
    return "WHERE hash IN (SELECT value FROM json_each(?))", (json.dumps(list(hashes)),)


def _shorten(value: object) -> str:
    text = str(value)
    return text if len(text) <= 300 else f"{text[:297]}..."
