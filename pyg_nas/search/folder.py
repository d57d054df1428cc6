"""The folder of a search: its settings, its proposals and every outcome, on disk at once.

Lines are only appended to ``asked.jsonl`` and ``queries.jsonl``, under a file lock, which the
system releases if a process is killed. On a network file system this needs working locks (NFS 4
has them); otherwise let one process ask and tell for the others.
"""

from __future__ import annotations

import json
import os
import reprlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from pyg_nas.errors import SettingsError
from pyg_nas.graphs.registry import space_changes
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.files import check_output_folder, write_text
from pyg_nas.io.json_reader import read_object
from pyg_nas.io.regular_files import file_blocks
from pyg_nas.predictors.storage import WEIGHTS

SETTINGS, QUERIES, ANSWER = "settings.json", "queries.jsonl", "answer.json"
ASKED = "asked.jsonl"
JOURNAL, TASK = "measurements.sqlite", "task.json"
LATENCY = "latency.json"
_PATIENCE_SECONDS = 60.0


class SearchFolder:
    """``settings.json``, ``asked.jsonl`` and ``queries.jsonl`` of one search.

    A query is on disk before the next cell is proposed. If a process was killed within a line, the
    next process removes that line.

    Args:
        path: The folder, created if missing.
        settings: Settings of the search; equal to those in the folder, if it has some. Only a
            ``budget`` may be larger, and is then written when the search begins.
        space: The search space of its cells.

    Raises:
        SettingsError: If the folder belongs to a search with other settings, or is damaged.
    """

    def __init__(
        self, path: str | os.PathLike[str], settings: dict[str, Any], space: SearchSpace
    ) -> None:
        self.path = Path(path)
        self.space = space
        check_search_folder(self.path)
        stored = self.path / SETTINGS
        # Through JSON, so that tuples and lists compare as they will be read.
        settings = json.loads(json.dumps(settings))
        if stored.exists():
            _check_same(self.path, read_object(stored), settings)
        elif (self.path / QUERIES).exists():
            raise SettingsError(f"{self.path}: has {QUERIES} but no {SETTINGS}")
        else:
            _write_settings(stored, settings)
        self.settings = settings
        self._lock = FileLock(self.path / ".lock", timeout=0)
        self._asking = FileLock(self.path / ".ask.lock")
        self._changing = FileLock(self.path / ".change.lock", timeout=_PATIENCE_SECONDS)

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> SearchFolder:
        """Open the folder of an existing search.

        Raises:
            SettingsError: If it is no search folder, or damaged.
        """
        settings = read_settings(Path(path))
        if not isinstance(settings.get("strategy_settings"), dict) or "space" not in settings:
            raise SettingsError(f"{path}: is not the folder of a search")
        return cls(path, settings, SearchSpace.from_dict(settings["space"]))

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder against other searches, of this process or another.

        Raises:
            SettingsError: If another search works in it, or had a larger budget.
        """
        try:
            # The system releases the lock if the process is killed. A holder may lock again.
            with self._lock:
                stored = self.path / SETTINGS
                now = read_object(stored)
                if now != self.settings:
                    _check_same(self.path, now, self.settings)
                    _write_settings(stored, self.settings)
                yield
        except Timeout:
            raise SettingsError(f"{self.path}: another search is at work in this folder") from None

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Lock the folder while this process proposes architectures; others wait."""
        with self._asking:
            yield

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Lock the folder while this process reads and appends lines; others wait.

        Raises:
            SettingsError: If another process does not end its change within a minute.
        """
        try:
            with self._changing:
                yield
        except Timeout:
            raise SettingsError(
                f"{self.path}: locked by another process for {_PATIENCE_SECONDS:.0f} s"
            ) from None

    def count(self) -> int:
        """Return how many queries are recorded."""
        path = self.path / QUERIES
        return sum(block.count(b"\n") for block in file_blocks(path)) if path.exists() else 0


def check_search_folder(path: Path) -> None:
    """Check that ``path`` can be a search's folder, before anything is written there.

    Raises:
        SettingsError: If it is a file or a model's folder, or cannot be made or written to.
    """
    check_output_folder(path)
    _check_no_model(path)


def read_settings(path: Path) -> dict[str, Any]:
    """Return the settings of the search in a folder.

    Raises:
        SettingsError: If it is no folder of a search, or its settings are no JSON object.
    """
    _check_no_model(path)
    if not (path / SETTINGS).exists():
        raise SettingsError(f"{path}: is not the folder of a search, it has no {SETTINGS}")
    return read_object(path / SETTINGS)


def _check_no_model(path: Path) -> None:
    # A model's folder has settings of its own.
    if (path / SETTINGS).exists() and (path / WEIGHTS).exists():
        raise SettingsError(f"{path}: is a model's folder, not of a search; choose another one")


def _write_settings(path: Path, settings: dict[str, Any]) -> None:
    write_text(path, json.dumps(settings, indent=2) + "\n")


def _check_same(path: Path, stored: dict[str, Any], settings: dict[str, Any]) -> None:
    for key in sorted(stored.keys() | settings.keys()):
        before, asked = stored.get(key), settings.get(key)
        if key == "budget" and type(before) is int and type(asked) is int and before <= asked:
            continue
        if before != asked:
            if key == "space" and isinstance(before, dict) and isinstance(asked, dict):
                raise SettingsError(
                    f"{path}: contains a search of another space: {space_changes(before, asked)}; "
                    f"choose another folder or the same space"
                )
            larger = " or a larger budget" if key == "budget" else ""
            raise SettingsError(
                f"{path}: contains a search with {key} = {reprlib.repr(before)}, "
                f"{reprlib.repr(asked)} was requested; choose another folder or the same "
                f"settings{larger}"
            )
