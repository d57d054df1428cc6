"""Proposals, hand-outs and outcomes of one search: in memory, or shared through its folder.

Every change is one line of ``asked.jsonl`` or ``queries.jsonl``, appended under a lock of the
folder after the lines of other processes were read. Any number of processes can share a folder,
and a killed process leaves no half record.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pyg_nas.errors import SettingsError
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.json_lines import SharedLines
from pyg_nas.io.json_reader import parse_json
from pyg_nas.io.text import check_text
from pyg_nas.search.candidate import Candidate
from pyg_nas.search.early_stopping import expected_if_stopped, expected_seconds
from pyg_nas.search.folder import ASKED, QUERIES, SearchFolder, parse_query
from pyg_nas.search.history import History, Proposal, Query, make_rung
from pyg_nas.search.outcome import Outcome, Rung

if TYPE_CHECKING:
    pass


@dataclass
class _HandOut:
    """Number of times that a candidate was handed out, and the last time and worker."""

    count: int
    at: float
    worker: str | None


class Ledger:
    """The state of a search: candidates in order, who has them, and the outcomes so far.

    Methods that change it return when the change is on disk. The first outcome of a candidate
    counts.

    Args:
        folder: The folder that other processes may share; None to keep all in memory.

    Raises:
        SettingsError: If a file of the folder is damaged.
    """

    def __init__(self, folder: SearchFolder | None = None) -> None:
        self.folder = folder
        self.history = History()
        self.candidates: list[Candidate] = []
        self.failures: dict[int, str] = {}
        self.unlisted: list[Query] = []
        """Outcomes without a candidate: version 0.1 recorded nothing else."""
        self._ids: dict[str, int] = {}
        self._answers: dict[int, Query] = {}
        self._handed_out: dict[int, _HandOut] = {}
        self._rungs: dict[int, list[Rung]] = {}
        self._lock = threading.RLock()
        self._asked_file = None if folder is None else SharedLines(folder.path / ASKED)
        self._query_file = None if folder is None else SharedLines(folder.path / QUERIES)
        self.refresh()

    @contextmanager
    def _changing(self) -> Iterator[None]:
        """Lock the record against other threads and processes, and read their changes."""
        with self._lock, nullcontext() if self.folder is None else self.folder.changing():
            self._read()
            yield

    def refresh(self) -> None:
        """Read what other processes have added to the folder."""
        with self._changing():
            pass

    @property
    def waiting(self) -> list[Candidate]:
        """Candidates that were never handed out and have no outcome."""
        return [c for c in self.candidates if c.id not in self._handed_out and self._is_open(c)]

    @property
    def num_begun(self) -> int:
        """Architectures that were handed out or have an outcome."""
        adopted = sum(query.cell.hash in self._ids for query in self.unlisted)
        return len(self.candidates) - len(self.waiting) + len(self.unlisted) - adopted

    def pending(self, worker: str | None = None, older_than: float = 0.0) -> list[Candidate]:
        """Return candidates that were handed out and have no outcome.

        Args:
            worker: Only those that this worker has; None for all.
            older_than: Only those handed out at least this number of seconds ago.
        """
        limit = time.time() - older_than
        return [
            self.candidates[number]
            for number, handed in sorted(self._handed_out.items())
            if self._is_open(self.candidates[number])
            and worker in (None, handed.worker)
            and handed.at <= limit
        ]

    def _is_open(self, candidate: Candidate) -> bool:
        return candidate.id not in self._answers and candidate.id not in self.failures

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
            event = {
                "handed_out": [candidate.id for candidate in candidates],
                "at": time.time(),
                "worker": worker,
            }
            _write(self._asked_file, event)
            self._hand_out(event)

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
            rungs = tuple(self._rungs.get(number, ()))
            if rungs and not outcome.rungs:
                outcome = replace(outcome, rungs=rungs, full_seconds=outcome.seconds)
            query = Query(candidate.proposal, outcome, candidate.parameters, candidate.batch)
            earlier = self._answers.get(number)
            if earlier is not None:
                excused = earlier.outcome.stopped or self._handed_out[number].count > 1
                if earlier.outcome != query.outcome and not excused:
                    raise SettingsError(
                        f"architecture {number} has {_figures(earlier.outcome)} already, got "
                        f"{_figures(outcome)}; the "
                        f"first outcome counts"
                    )
                return False
            _write(self._query_file, query.to_dict())
            self._answer(query)
            return True

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
            if not self._is_open(candidate):
                return False
            # Output of a worker in another encoding has lone surrogates, which no file may have.
            readable = reason.encode("utf-8", "backslashreplace").decode()
            event = {"failed": number, "reason": readable}
            _write(self._asked_file, event)
            self._fail(event)
            return True

    def report(
        self, number: int, epochs: int, accuracy: float, seconds: float | None = None
    ) -> bool:
        """Record the accuracy of a run so far, and stop it early if it is hopeless.

        Returns:
            Whether to train further. False if it is stopped now or has an outcome. A report of no
            more epochs than the last one changes nothing.

        Raises:
            SettingsError: If the number was never handed out, or a figure is invalid.
        """
        with self._changing():
            candidate = self._handed(number)
            try:
                rung = make_rung(epochs, accuracy, seconds)
            except ValueError as error:
                raise SettingsError(f"architecture {number}: {error}") from None
            if number in self._answers:
                return False
            if number in self._rungs and rung.budget <= self._rungs[number][-1].budget:
                return True
            event = {"reported": number, "rung": [rung.budget, rung.accuracy, rung.seconds]}
            _write(self._asked_file, event)
            self._report(event)
            rungs = tuple(self._rungs[number])
            expected = expected_if_stopped(self.history, candidate.cell, rungs)
            if expected is None:
                return True
            full = expected_seconds(self.history, rung)
            outcome = Outcome(expected, rung.seconds, rungs=rungs, full_seconds=full, stopped=True)
            query = Query(candidate.proposal, outcome, candidate.parameters, candidate.batch)
            _write(self._query_file, query.to_dict())
            self._answer(query)
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
            SettingsError: If neither or both of ``accuracy`` and ``failed`` are given, or as in
                these methods.
        """
        if failed:
            if accuracy is not None:
                raise SettingsError(f"architecture {number}: it cannot fail and have an accuracy")
            return self.fail(number, reason)
        if accuracy is None:
            raise SettingsError(f"architecture {number}: give its accuracy, or that it failed")
        return self.answer(number, Outcome(accuracy, seconds, test_accuracy))

    def _handed(self, number: int) -> Candidate:
        if number not in self._handed_out and number not in self._answers:
            begun = sorted({*self._handed_out, *self._answers})
            known = f"numbers go from 0 to {begun[-1]}" if begun else "none was handed out yet"
            raise SettingsError(f"architecture {number} was never handed out: {known}")
        return self.candidates[number]

    def _read(self) -> None:
        """Apply what others have written; candidates come before their outcomes."""
        if self.folder is None or self._asked_file is None or self._query_file is None:
            return
        space = self.folder.space
        for where, line in self._asked_file.read_new():
            try:
                self._apply(parse_json(line), space)
            except (ValueError, KeyError, TypeError, IndexError) as error:
                raise SettingsError(f"{where}: not a valid record ({error!r})") from None
        for where, line in self._query_file.read_new():
            query = parse_query(where, line, space)
            try:
                self._answer(query)
            except ValueError as error:
                raise SettingsError(
                    f"{where}: {error}; perhaps a program wrote to the folder without its lock"
                ) from None

    def _apply(self, event: dict[str, Any], space: SearchSpace) -> None:
        if "proposed" in event:
            start = len(self.candidates)
            added = [
                Candidate(start + i, Proposal.from_dict(record, space), record["parameters"], start)
                for i, record in enumerate(event["proposed"])
            ]
            if [record["id"] for record in event["proposed"]] != [c.id for c in added]:
                raise ValueError(f"candidates must be numbered from {start}")
            self._add(added)
        elif "handed_out" in event:
            self._hand_out(event)
        elif "reported" in event:
            self._report(event)
        else:
            self._fail(event)

    def _add(self, added: list[Candidate]) -> None:
        recorded = {query.cell.hash: query for query in self.unlisted}
        for candidate in added:
            digest = candidate.cell.hash
            self.candidates.append(candidate)
            self._ids[digest] = candidate.id
            if digest in recorded:
                self._answers[candidate.id] = recorded[digest]
            else:
                self.history.expect(candidate.proposal)

    def _hand_out(self, event: dict[str, Any]) -> None:
        for number in event["handed_out"]:
            earlier = self._handed_out.get(number)
            count = 1 if earlier is None else earlier.count + 1
            self._handed_out[self.candidates[number].id] = _HandOut(
                count, float(event["at"]), event["worker"]
            )

    def _report(self, event: dict[str, Any]) -> None:
        number = self.candidates[event["reported"]].id
        self._rungs.setdefault(number, []).append(make_rung(*event["rung"]))

    def _fail(self, event: dict[str, Any]) -> None:
        candidate = self.candidates[event["failed"]]
        self.failures[candidate.id] = event["reason"]
        self.history.fail(candidate.cell.hash)

    def _answer(self, query: Query) -> None:
        number = self._ids.get(query.cell.hash)
        if number is None:
            self.unlisted.append(query)
        else:
            self._answers[number] = query
            if self.failures.pop(number, None) is not None:
                self.history.retry(self.candidates[number].proposal)
        self.history.append(query)


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
