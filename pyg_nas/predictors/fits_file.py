"""The file of finished fits, from which an interrupted tuning resumes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from filelock import FileLock, Timeout

from pyg_nas.errors import SettingsError
from pyg_nas.io.json_lines import append_line, cut_torn_line, whole_lines
from pyg_nas.io.json_reader import parse_json
from pyg_nas.io.limits import MOST_RECORDS_BYTES
from pyg_nas.io.regular_files import read_regular
from pyg_nas.metrics.intervals import finite_or_none

FitScores = dict[tuple[str, int], tuple[float, float]]
"""(score, seconds) of each (candidate, split)."""


class FitsFile:
    """The file of finished fits: a line that says what is compared, and then one line a fit."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = FileLock(path.with_name(f".{path.name}.lock"), timeout=0)

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes away from the file meanwhile.

        Raises:
            SettingsError: If there is one that uses it.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with self._lock:
                yield
        except Timeout:
            raise SettingsError(f"{self.path}: another tuning is at work on this file") from None

    def open(self, fingerprint: str) -> FitScores:
        """Return the fits that are there; begin the file where there is none."""
        head_line = {"comparison": fingerprint}
        if not self.path.exists():
            append_line(self.path, head_line)
            return {}
        content = read_regular(self.path, MOST_RECORDS_BYTES)
        if json.dumps(head_line).encode().startswith(content.rstrip(b"\0")):
            # The disk was full, or the process was killed, before the first line was whole.
            cut_torn_line(self.path, 0)
            append_line(self.path, head_line)
            return {}
        written, length = whole_lines(content)
        try:
            head, *lines = [parse_json(line) for line in written]
            found = {
                (fit["candidate"], fit["split"]): (
                    np.nan if fit["score"] is None else fit["score"],
                    fit["seconds"],
                )
                for fit in lines
            }
            comparison = head["comparison"]
        except (ValueError, KeyError, TypeError) as error:
            raise SettingsError(f"{self.path}: not a file of fits ({error!r})") from None
        if comparison != fingerprint:
            raise SettingsError(
                f"{self.path}: has fits of other cells, labels or settings; choose another "
                f"file, or delete it"
            )
        cut_torn_line(self.path, length)
        return found

    def append(self, candidate: str, split: int, score: float, seconds: float) -> None:
        """Add one finished fit; NaN is the score of one that diverged."""
        fit = {
            "candidate": candidate,
            "split": split,
            "score": finite_or_none(score),
            "seconds": seconds,
        }
        append_line(self.path, fit)
