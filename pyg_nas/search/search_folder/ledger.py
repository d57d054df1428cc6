"""Proposals, hand-outs and outcomes of one search: in memory, or shared through its folder.

Every change is one line of ``asked.jsonl`` or ``queries.jsonl``, appended under a lock of the
folder after the lines of other processes were read. Any number of processes can share a folder,
and a killed process leaves no half record.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from numbers import Integral, Real
from typing import Any

from pyg_nas.errors import SettingsError, argument, quoted
from pyg_nas.io.formats.json_lines import SharedLines
from pyg_nas.io.text import check_text
from pyg_nas.search.candidate import Candidate
from pyg_nas.search.early_stopping import check_unlimited, expected_if_stopped, expected_seconds
from pyg_nas.search.goal import Goal
from pyg_nas.search.history import History, Proposal, Query
from pyg_nas.search.outcome import Outcome, Rung
from pyg_nas.search.search_folder.folder import ASKED, QUERIES, SearchFolder
from pyg_nas.search.search_folder.records import Records


class Ledger(Records):
    """The records of a search, which this process changes too.

    Methods that change it return when the change is on disk. The first outcome of a candidate
    counts.

    Attributes:
        on_query: Receives the position and the record of each outcome that this process has
            recorded, outside of any lock.

    Args:
        folder: The folder that other processes may share; None to keep all in memory.
        max_seconds: Limit on training time, with which :meth:`tell` needs the seconds of a run.
        goal: What the search compares cells by; by default validation accuracy.

    Raises:
        SettingsError: If a file of the folder is damaged.
    """

    def __init__(
        self,
        folder: SearchFolder | None = None,
        max_seconds: float | None = None,
        goal: Goal | None = None,
    ) -> None:
        super().__init__(goal)
        self.folder = folder
        self._max_seconds = max_seconds
        self._lock = threading.RLock()
        self.on_query: Callable[[int, Query], None] | None = None
        self._recorded: list[tuple[int, Query]] = []
        self._asked_file = None if folder is None else SharedLines(folder.path / ASKED)
        self._query_file = None if folder is None else SharedLines(folder.path / QUERIES)
        self.refresh()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Lock the record against other threads and processes, and read their changes."""
        with self._lock, nullcontext() if self.folder is None else self.folder.changing():
            if self.folder is not None and self._asked_file and self._query_file:
                # Candidates come before their outcomes.
                self._read_events(self._asked_file, self.folder.space)
                self._read_queries(self._query_file, self.folder.space)
            yield
            # Taken under the lock, so that no other thread calls it, which may have other locks.
            recorded, self._recorded = self._recorded, []
        for place, query in recorded:
            if self.on_query is not None:
                self.on_query(place, query)

    def refresh(self) -> None:
        """Read what other processes have added to the folder."""
        with self._changing():
            pass

    def snapshot(self) -> History:
        """Return the history so far, which later outcomes of other threads do not change."""
        with self._lock:
            return self.history.copy()

    def add(self, proposals: Sequence[Proposal], parameters: Sequence[int | None]) -> None:
        """Add candidates that were proposed together.

        Raises:
            ValueError: If a cell was proposed before, which is an error of the strategy.
        """
        with self._changing():
            start = len(self.candidates)
            added = [
                Candidate(start + i, proposal, count, start)
                for i, (proposal, count) in enumerate(zip(proposals, parameters, strict=True))
            ]
            listed = set(self._ids)
            for candidate in added:
                if candidate.cell.hash in listed:
                    raise ValueError(f"cell {candidate.cell.hash} was proposed twice")
                listed.add(candidate.cell.hash)
            _write(self._asked_file, {"proposed": [c.to_dict() for c in added]})
            self._add(added)

    def hand_out(self, candidates: Sequence[Candidate], worker: str | None = None) -> None:
        """Record that a worker has candidates now.

        Raises:
            SettingsError: If the worker's name is not UTF-8 text.
        """
        if worker is not None:
            check_text("worker", worker)
        with self._changing():
            numbers = [candidate.id for candidate in candidates]
            self._record({"handed_out": numbers, "at": time.time(), "worker": worker})

    def answer(self, number: int, outcome: Outcome) -> bool:
        """Record the outcome of a candidate.

        Returns:
            Whether it is recorded. False if the candidate already has an outcome: an equal one,
            one of another worker, or an early stop.

        Raises:
            SettingsError: If the number was never handed out, a figure is not a finite number, or
                the candidate has another outcome and was handed out once only.
        """
        with self._changing():
            candidate = self._handed(number)
            rungs = tuple(self._rungs.get(candidate.id, ()))
            if rungs and not outcome.rungs:
                outcome = replace(outcome, rungs=rungs, full_seconds=outcome.seconds)
            query = candidate.query(outcome)
            earlier = self.history.find(candidate.cell.hash)
            if earlier is None:
                self._record_query(query)
                return True
            handed = self._hand_outs.get(candidate.id)
            excused = earlier.outcome.stopped or (handed is not None and handed.count > 1)
            if earlier.outcome != query.outcome and not excused:
                raise SettingsError(
                    f"architecture {number} has {_figures(earlier.outcome)} already, got "
                    f"{_figures(outcome)}; the first outcome counts"
                )
            return False

    def fail(self, number: int, reason: str = "") -> bool:
        """Record that the training of a candidate failed.

        An outcome that comes later replaces this.

        Returns:
            Whether it is recorded: False where the candidate has an outcome, or failed before.

        Raises:
            SettingsError: If the number was never handed out.
        """
        with self._changing():
            candidate = self._handed(number)
            if not self.history.is_pending(candidate.cell.hash):
                return False
            # Output of a worker in another encoding has lone surrogates, which no file may have.
            readable = reason.encode("utf-8", "backslashreplace").decode()
            self._record({"failed": candidate.id, "reason": readable})
            return True

    def report(
        self, number: int, epochs: int, accuracy: float, seconds: float | None = None
    ) -> bool:
        """Record the accuracy of a run so far, and stop it early if it is hopeless.

        Returns:
            Whether to train further. False if it is stopped now or has an outcome. A report of no
            more epochs than the last one changes nothing.

        Raises:
            SettingsError: If the number was never handed out, a figure is invalid, or training time
                is limited: that of a stopped run is not known.
        """
        check_unlimited(self._max_seconds)
        _check_time(number, seconds)
        with self._changing():
            candidate = self._handed(number)
            try:
                rung = Rung.checked(epochs, accuracy, seconds)
            except ValueError as error:
                raise SettingsError(f"architecture {number}: {error}") from None
            if self.history.find(candidate.cell.hash) is not None:
                return False
            earlier = self._rungs.get(candidate.id, [])
            if earlier and rung.budget <= earlier[-1].budget:
                return True
            figures = [rung.budget, rung.accuracy, rung.seconds]
            self._record({"reported": candidate.id, "rung": figures})
            rungs = tuple(self._rungs[candidate.id])
            expected = expected_if_stopped(self.history, candidate.cell, rungs)
            if expected is None:
                return True
            full = expected_seconds(self.history, rung)
            outcome = Outcome(expected, rung.seconds, rungs=rungs, full_seconds=full, stopped=True)
            self._record_query(candidate.query(outcome))
            return False

    def tell(
        self,
        number: int,
        accuracy: float | None = None,
        seconds: float | None = None,
        test_accuracy: float | None = None,
        failed: bool = False,
        reason: str = "",
    ) -> bool:
        """Record how a training ended, see :meth:`answer` and :meth:`fail`.

        Raises:
            SettingsError: If ``number`` is not a whole number, neither or both of ``accuracy`` and
                ``failed`` are given, the seconds are negative, or missing although training time is
                limited, or as in these methods.
        """
        if failed:
            if accuracy is not None:
                raise SettingsError(f"architecture {number}: it cannot fail and have an accuracy")
            return self.fail(number, reason)
        check_number(number)
        if accuracy is None:
            raise SettingsError(
                f"architecture {number}: give {argument('accuracy')}, or {argument('failed')} if "
                f"it has none"
            )
        if seconds is None and self._max_seconds is not None:
            raise SettingsError(
                f"architecture {number}: give {argument('seconds')}, because training time is "
                f"limited"
            )
        _check_time(number, seconds)
        try:
            outcome = Outcome(accuracy, seconds, test_accuracy).checked()
        except ValueError as error:
            diverged = isinstance(accuracy, float) and not math.isfinite(accuracy)
            instead = f"; give {argument('failed')} if it has none" if diverged else ""
            raise SettingsError(f"architecture {number}: {error}{instead}") from None
        return self.answer(number, outcome)

    def _handed(self, number: int) -> Candidate:
        check_number(number)
        if number in range(len(self.candidates)) and self._is_begun(self.candidates[number]):
            return self.candidates[number]
        begun = [candidate.id for candidate in self.candidates if self._is_begun(candidate)]
        known = f"numbers go from 0 to {begun[-1]}" if begun else "none was handed out yet"
        raise SettingsError(f"architecture {number} was never handed out: {known}")

    def _is_begun(self, candidate: Candidate) -> bool:
        # Version 0.1 did not record that it handed out candidates.
        answered = self.history.find(candidate.cell.hash) is not None
        return answered or candidate.id in self._hand_outs

    def _record(self, event: dict[str, Any]) -> None:
        """Write and apply what happens to candidates that were proposed before."""
        _write(self._asked_file, event)
        self._apply(event)

    def _record_query(self, query: Query) -> None:
        _write(self._query_file, query.to_dict())
        self._answer(query)
        self._recorded.append((len(self.history) - 1, query))


def check_number(number: object) -> None:
    """Check the ``id`` of a candidate.

    Raises:
        SettingsError: If it is no whole number.
    """
    if isinstance(number, bool) or not isinstance(number, Integral):
        raise SettingsError(
            f"an architecture is named by its id, a whole number, got {quoted(number)}"
        )


def _check_time(number: int, seconds: object) -> None:
    # Outcome accepts such a time, because records of earlier versions may have one: that of a run
    # during which the clock was set back.
    if isinstance(seconds, Real) and seconds < 0:
        raise SettingsError(f"architecture {number}: seconds must be at least 0, got {seconds}")


def _write(file: SharedLines | None, record: dict[str, Any]) -> None:
    if file is not None:
        file.append(record)


def _figures(outcome: Outcome) -> str:
    """The outcome of a run, for a message."""
    names = ("accuracy", "seconds", "test_accuracy")
    known = {name: getattr(outcome, name) for name in names}
    return ", ".join(
        f"{name.replace('_', ' ')} {value}" for name, value in known.items() if value is not None
    )
