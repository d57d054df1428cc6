"""The SQLite file of a journal: its tables, its checks when it is opened, and transactions."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from pyg_nas.errors import MeasureError, SettingsError, quoted
from pyg_nas.io.formats.json_reader import parse_json
from pyg_nas.io.regular_files import check_regular

_SCHEMA = """
CREATE TABLE journal (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE cell (
    hash TEXT PRIMARY KEY, adjacency TEXT NOT NULL, operations TEXT NOT NULL
);
CREATE TABLE owner (
    token TEXT PRIMARY KEY, host TEXT NOT NULL, pid INTEGER NOT NULL, started INTEGER NOT NULL,
    lease_until REAL NOT NULL
);
CREATE TABLE claim (
    hash TEXT NOT NULL REFERENCES cell, budget INTEGER NOT NULL, seed INTEGER NOT NULL,
    token TEXT NOT NULL REFERENCES owner,
    PRIMARY KEY (hash, budget, seed)
) WITHOUT ROWID;
CREATE TABLE run (
    hash TEXT NOT NULL REFERENCES cell, budget INTEGER NOT NULL, seed INTEGER NOT NULL,
    halfway TEXT NOT NULL, end TEXT NOT NULL, finished REAL NOT NULL,
    PRIMARY KEY (hash, budget, seed)
) WITHOUT ROWID;
"""
_TABLES = {"journal", "cell", "owner", "claim", "run"}
_TYPES = {
    "cell": {"hash": "text", "adjacency": "text", "operations": "text"},
    "owner": {"pid": "integer", "started": "integer", "lease_until": "real"},
    "claim": {"budget": "integer", "seed": "integer"},
    "run": {"hash": "text", "budget": "integer", "seed": "integer"},
}
_BUSY_SECONDS = 60.0
# A damaged file is a "disk image" that is malformed.
_FULL_DISK = ("disk I/O error", "database or disk is full")
_RETRY_SECONDS = 0.02


class JournalFile:
    """An SQLite file in WAL mode that has the tables of a journal.

    Args:
        path: The file, created if missing.

    Raises:
        MeasureError: If the file is not a journal, or damaged.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.RLock()
        self._connection = self._open()

    def _open(self) -> sqlite3.Connection:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        if self.path.exists():
            check_regular(self.path, MeasureError)
        try:
            connection = sqlite3.connect(
                self.path, timeout=_BUSY_SECONDS, isolation_level=None, check_same_thread=False
            )
        except sqlite3.OperationalError as error:
            raise MeasureError(f"{self.path}: cannot be opened ({error})") from error
        try:
            _retry(lambda: self._check_journal(connection))  # before the file is changed
            # Write ahead from now on.
            _retry(lambda: connection.execute("PRAGMA journal_mode = WAL"))
            # FULL: a finished run survives a power cut, not only the end of the process.
            connection.execute("PRAGMA synchronous = FULL")
        except sqlite3.DatabaseError as error:
            connection.close()
            full = str(error) in _FULL_DISK
            what = "cannot be written, is the disk full?" if full else "not a readable journal"
            raise MeasureError(f"{self.path}: {what} ({error})") from error
        except MeasureError:
            connection.close()
            raise
        return connection

    def _check_journal(self, connection: sqlite3.Connection) -> None:
        names = _table_names(connection)
        if names is None or (names and not names >= _TABLES):
            raise MeasureError(f"{self.path}: an SQLite file, but not a journal")
        for table, columns in _TYPES.items() if names else ():
            for column, kind in columns.items():  # SQLite itself stores any type in any column
                found = connection.execute(
                    f"SELECT {column} FROM {table} WHERE typeof({column}) != ? LIMIT 1", (kind,)
                ).fetchone()
                if found is not None:
                    raise MeasureError(
                        f"{self.path}: {column} of table {table} must be {kind}, got "
                        f"{quoted(found[0])}"
                    )

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """Yield a connection whose changes are made together at the end, or not at all.

        Raises:
            MeasureError: If SQLite cannot read or write the file.
        """
        with self._lock:
            try:
                # IMMEDIATE takes the write lock first: what is read below stays true.
                self._connection.execute("BEGIN IMMEDIATE")
                try:
                    yield self._connection
                except BaseException:
                    self._connection.execute("ROLLBACK")
                    raise
                self._connection.execute("COMMIT")
            except sqlite3.Error as error:
                busy = f"; another process has kept it locked for {_BUSY_SECONDS:.0f} s"
                why = busy if "database is locked" in str(error) else ""
                raise MeasureError(f"{self.path}: {error}{why}") from error

    def identity(self, expected: dict[str, str]) -> dict[str, str | None]:
        """Return what the journal is of; an empty file gets its tables, and is of ``expected``."""
        with self.transaction() as connection:
            if _table_names(connection) == set():
                # executescript would commit the transaction first.
                for statement in _SCHEMA.split(";"):
                    connection.execute(statement)
                connection.executemany("INSERT INTO journal VALUES (?, ?)", expected.items())
            return dict(connection.execute("SELECT name, value FROM journal"))

    def close(self) -> None:
        """Close the file."""
        self._connection.close()


def stored_settings(path: str | os.PathLike[str]) -> dict[str, Any] | None:
    """Return the settings of the task that a journal is of; None if there is no such journal."""
    if not Path(path).is_file():
        return None
    try:
        with closing(sqlite3.connect(path, timeout=_BUSY_SECONDS)) as connection:
            if not _table_names(connection):
                return None
            row = connection.execute("SELECT value FROM journal WHERE name = 'settings'").fetchone()
    except sqlite3.Error:
        return None  # a file that is no journal is reported when it is opened as one
    settings = parse_value(Path(path), row[0]) if row and isinstance(row[0], str) else None
    return settings if isinstance(settings, dict) else None


def parse_value(path: Path, text: str) -> Any:
    """Return a JSON value that a journal has of itself.

    Raises:
        MeasureError: If it is damaged.
    """
    try:
        return parse_json(text)
    except SettingsError as error:
        raise MeasureError(f"{path}: not a readable journal ({error})") from None


def _table_names(connection: sqlite3.Connection) -> set[str] | None:
    """Return the names of a file's tables; None if it has views or triggers, which may run long."""
    kinds = dict(connection.execute("SELECT name, type FROM sqlite_master WHERE type != 'index'"))
    return set(kinds) if set(kinds.values()) <= {"table"} else None


def _retry(do: Callable[[], object]) -> None:
    """Retry an action in a file that another process may lock or switch to write-ahead.

    SQLite reports such a process at once instead of waiting for the connection's timeout,
    because both might wait for each other.
    """
    last = time.monotonic() + _BUSY_SECONDS
    while True:
        try:
            do()
            return
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > last:
                raise
            time.sleep(_RETRY_SECONDS)
