"""The folder of a search: its settings, its proposals and every outcome, on disk at once.

Lines are only appended to ``asked.jsonl`` and ``queries.jsonl``, under a file lock, which the
system releases if a process is killed. On a network file system this needs working locks (NFS 4
has them); otherwise let one process ask and tell for the others.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from pyg_nas.errors import SettingsError
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.files import check_output_folder, remove_abandoned
from pyg_nas.io.locks import SignedLock
from pyg_nas.io.regular_files import byte_blocks
from pyg_nas.search.search_folder.settings import SETTINGS, SearchSettings, check_no_model

QUERIES, ANSWER = "queries.jsonl", "answer.json"
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
        settings: Settings of the search, or their content; equal to those in the folder, if it has
            some. Only a ``budget`` may be larger, and is then written when the search begins.
        space: The search space of its cells.

    Raises:
        SettingsError: If the folder belongs to a search with other settings, or is damaged.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        settings: SearchSettings | dict[str, Any],
        space: SearchSpace,
    ) -> None:
        check_search_folder(path)
        self.path = Path(path)
        self.space = space
        self.settings = SearchSettings(settings) if isinstance(settings, dict) else settings
        self.path.mkdir(parents=True, exist_ok=True)
        searching = f"{self.path}: another search is at work in this folder"
        self._lock = SignedLock(self.path / ".lock", searching)
        # Without a limit: proposing takes as long as the fit of the user's own predictor.
        asking = f"{self.path}: another process proposes architectures"
        self._asking = SignedLock(self.path / ".ask.lock", asking, patience=None)
        changing = f"{self.path}: another process has locked it"
        self._changing = SignedLock(self.path / ".change.lock", changing, _PATIENCE_SECONDS)
        with self.changing():  # two processes may begin it at once, with other settings
            self._begin()

    def _begin(self) -> None:
        """Write the settings of a new search, or compare them with those of a resumed one."""
        if not (self.path / SETTINGS).exists():
            if (self.path / QUERIES).exists():
                raise SettingsError(f"{self.path}: has {QUERIES} but no {SETTINGS}")
            self.settings.write(self.path)
            return
        # Left by a process that was killed as it began the search.
        remove_abandoned(self.path / SETTINGS)
        if self.settings.folder != self.path:
            self.settings.check_resumes(SearchSettings.read(self.path))

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> SearchFolder:
        """Open the folder of an existing search.

        Raises:
            SettingsError: If it is no search folder, or damaged.
        """
        settings = SearchSettings.read(Path(path))
        if not settings.is_complete:
            raise SettingsError(f"{path}: is not the folder of a search")
        return cls(path, settings, settings.space())

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Lock the folder against other searches, of this process or another.

        Raises:
            SettingsError: If another search works in it, or had a larger budget.
        """
        if self._lock.is_locked:  # by the caller
            yield
            return
        with self._lock.held():
            stored = SearchSettings.read(self.path)
            if stored != self.settings:
                self.settings.check_resumes(stored)
                self.settings.write(self.path)
            yield

    def asking(self) -> AbstractContextManager[None]:
        """Return a lock of the folder while this process proposes architectures; others wait.

        They wait without an end, and after five seconds a warning names the process.
        """
        return self._asking.held()

    def changing(self) -> AbstractContextManager[None]:
        """Return a lock of the folder while this process reads and appends lines; others wait.

        Raises:
            SettingsError: On entering, if another process does not end its change within a minute.
        """
        return self._changing.held()

    def count(self) -> int:
        """Return how many queries are recorded."""
        path = self.path / QUERIES
        return sum(block.count(b"\n") for block in byte_blocks(path)) if path.exists() else 0


def check_search_folder(path: str | os.PathLike[str]) -> None:
    """Check that ``path`` can be a search's folder, before anything is written there.

    Raises:
        SettingsError: If it is empty, a file or a model's folder, or cannot be made or written to.
    """
    check_output_folder(path)
    check_no_model(Path(path))
