"""The records of a search: candidates in order, who has them, and the outcomes so far.

They are lines of two files. ``asked.jsonl`` has what happened to candidates; ``queries.jsonl`` has
outcomes.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyg_nas.errors import SettingsError, quoted
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.formats.json_lines import SharedLines
from pyg_nas.io.formats.json_reader import parse_json
from pyg_nas.search.candidate import Candidate
from pyg_nas.search.goal import Goal
from pyg_nas.search.history import History, Proposal, Query
from pyg_nas.search.outcome import Rung
from pyg_nas.search.search_folder.folder import ASKED, QUERIES


@dataclass
class HandOut:
    """Number of times that a candidate was handed out, and the last time and worker."""

    count: int
    at: float
    worker: str | None


class Records:
    """What the records of a search say.

    Attributes:
        history: Outcomes, failures and pending proposals.
        candidates: All candidates; the ``id`` of each is its position.
        unlisted: Outcomes that were recorded before their candidate. Version 0.1 recorded outcomes
            alone.
    """

    def __init__(self, goal: Goal | None = None) -> None:
        self.history = History(goal)
        self.candidates: list[Candidate] = []
        self.unlisted: list[Query] = []
        self._ids: dict[str, int] = {}
        self._hand_outs: dict[int, HandOut] = {}
        self._rungs: dict[int, list[Rung]] = {}

    @classmethod
    def read(cls, folder: Path, space: SearchSpace, goal: Goal | None = None) -> Records:
        """Return the records of a folder, in which a search may be at work.

        Args:
            goal: What the search compares cells by; by default validation accuracy.

        Raises:
            SettingsError: If a file cannot be read, or a line is not a record of this space.
        """
        records = cls(goal)
        records._read_events(SharedLines(folder / ASKED), space)
        records._read_queries(SharedLines(folder / QUERIES), space)
        return records

    @property
    def waiting(self) -> list[Candidate]:
        """Candidates that were never handed out and have no outcome."""
        return [candidate for candidate in self._open() if candidate.id not in self._hand_outs]

    @property
    def num_begun(self) -> int:
        """Architectures that were handed out or have an outcome."""
        return len(self.history.asked) - len(self.waiting)

    def pending(self, worker: str | None = None, older_than: float = 0.0) -> list[Candidate]:
        """Return candidates that were handed out and have no outcome.

        Args:
            worker: Only those that this worker has; None for all.
            older_than: Only those handed out at least this number of seconds ago. A time that is as
                far in the future counts too: it was recorded before the clock was set back.
        """
        now = time.time()
        return [
            candidate
            for candidate in self._open()
            if (handed := self._hand_outs.get(candidate.id)) is not None
            and worker in (None, handed.worker)
            and abs(now - handed.at) >= older_than
        ]

    def _open(self) -> list[Candidate]:
        """Return the candidates that have no outcome and have not failed."""
        pending = self.history.pending
        return [self.candidates[self._ids[proposal.cell.hash]] for proposal in pending]

    def _read_events(self, file: SharedLines, space: SearchSpace) -> None:
        for where, line in file.read_new():
            try:
                event = parse_json(line)
                if "proposed" in event:
                    self._add(self._proposed(event["proposed"], space))
                else:
                    self._apply(event)
            except (ValueError, KeyError, TypeError, IndexError) as error:
                raise SettingsError(f"{where}: not a valid record ({error!r})") from None

    def _read_queries(self, file: SharedLines, space: SearchSpace) -> None:
        for where, line in file.read_new():
            try:
                query = Query.from_dict(parse_json(line), space)
            except (ValueError, KeyError, TypeError) as error:
                raise SettingsError(f"{where}: not a query ({error!r})") from None
            try:
                self._answer(query)
            except ValueError as error:
                raise SettingsError(
                    f"{where}: {error}; perhaps a program wrote to the folder without its lock"
                ) from None

    def _proposed(self, records: list[dict[str, Any]], space: SearchSpace) -> list[Candidate]:
        start = len(self.candidates)
        if [record["id"] for record in records] != list(range(start, start + len(records))):
            raise ValueError(f"candidates must be numbered from {start}")
        return [
            Candidate(record["id"], Proposal.from_dict(record, space), record["parameters"], start)
            for record in records
        ]

    def _add(self, candidates: list[Candidate]) -> None:
        for candidate in candidates:
            digest = candidate.cell.hash
            if self.history.find(digest) is None:
                self.history.expect(candidate.proposal)
            self.candidates.append(candidate)
            self._ids[digest] = candidate.id

    def _apply(self, event: dict[str, Any]) -> None:
        """Apply a line of ``asked.jsonl`` about candidates that were proposed before."""
        if "handed_out" in event:
            for number in event["handed_out"]:
                earlier = self._hand_outs.get(number)
                self._hand_outs[self._candidate(number).id] = HandOut(
                    1 if earlier is None else earlier.count + 1, float(event["at"]), event["worker"]
                )
        elif "reported" in event:
            number = self._candidate(event["reported"]).id
            self._rungs.setdefault(number, []).append(Rung.checked(*event["rung"]))
        else:
            candidate, reason = self._candidate(event["failed"]), event["reason"]
            if not isinstance(reason, str):
                raise ValueError(f"reason must be text, got {quoted(reason)}")
            self.history.fail(candidate.cell.hash, reason)

    def _candidate(self, number: Any) -> Candidate:
        if type(number) is not int or not 0 <= number < len(self.candidates):
            raise ValueError(f"there is no candidate {quoted(number)}")
        return self.candidates[number]

    def _answer(self, query: Query) -> None:
        self.history.append(query)
        if query.cell.hash not in self._ids:
            self.unlisted.append(query)
