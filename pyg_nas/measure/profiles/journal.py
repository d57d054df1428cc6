"""The journal of a profile: lines before and after each measurement, and its result."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Gt
from pydantic import FiniteFloat

from pyg_nas.errors import SettingsError
from pyg_nas.io.record import Rule, check_fields, record_from_dict
from pyg_nas.io.records_file import RecordsFile


@dataclass(frozen=True)
class Profile:
    """Measurement of one network.

    Args:
        latency: Median seconds of a pass.
        spread: Interquartile range of the passes, as a fraction of the median.
        drift: Time of the reference network right afterwards, as a multiple of its first time.
        peak_memory: Peak bytes of memory in a pass, parameters included; None if not known.
    """

    latency: Annotated[FiniteFloat, Gt(0), Rule("a number above 0")]
    spread: Annotated[FiniteFloat, Ge(0), Rule("a number from 0 on")]
    drift: Annotated[FiniteFloat, Gt(0), Rule("a number above 0")]
    peak_memory: Annotated[FiniteFloat | None, Rule("a number or null")]

    def __post_init__(self) -> None:
        check_fields(self, "profile")

    @property
    def noise(self) -> float:
        """The larger one of the spread and the reference network's change."""
        return max(self.spread, abs(self.drift - 1))


class ProfileJournal:
    """A JSON Lines file: the settings, the reference network's seconds, then the networks.

    A line before and a line after each measurement show during which one a process ended: it was
    killed, crashed or had not enough memory.

    Only one process at a time may use it: two that measure would disturb each other.

    Args:
        path: The file, created if missing.
        about: Settings and device; those of an existing journal must be equal.

    Raises:
        SettingsError: On entering, if another process uses the file, it was made with other
            settings, or it is damaged.
    """

    def __init__(self, path: str | os.PathLike[str], about: dict[str, Any]) -> None:
        self._file = RecordsFile(Path(path), "settings")
        self._about = about
        self._open = ExitStack()
        self.reference: float | None = None
        self._networks: dict[tuple[str, str], Profile] = {}
        self._unfinished: Counter[tuple[str, str]] = Counter()

    def __enter__(self) -> ProfileJournal:
        with ExitStack() as stack:
            stack.enter_context(self._file.locked())
            self._read()
            self._open = stack.pop_all()
        return self

    def __exit__(self, *exception: object) -> None:
        self._open.close()

    def find(self, name: str, digest: str) -> Profile | None:
        """Return the measurement of the network with this name and graph."""
        return self._networks.get((name, digest))

    def deaths(self, name: str, digest: str) -> int:
        """Return how many earlier processes ended while they measured this network."""
        return self._unfinished[name, digest]

    @contextmanager
    def measuring(self, name: str, digest: str) -> Iterator[None]:
        """Write one line before the block that measures a network, and one after it."""
        self.add({"begin": name, "hash": digest})
        try:
            yield
        finally:  # also by Ctrl-C, but not if the process ends here
            self.add({"end": name, "hash": digest})

    def add(self, record: dict[str, Any]) -> None:
        """Append a record; it is on the disk when this returns."""
        self._file.append(record)

    def _read(self) -> None:
        settings, records = self._file.open(self._about)
        stated = settings if isinstance(settings, dict) else {}
        self._file.check_subject({name: stated.get(name) for name in self._about}, self._about)
        for where, record in records:
            if "reference" in record:
                self.reference = record["reference"]
                if not isinstance(self.reference, float) or self.reference <= 0:
                    raise SettingsError(f"{where}: the reference must be a number above 0")
                continue
            kind = next((name for name in ("begin", "end") if name in record), "name")
            key = (str(record.pop(kind, "")), str(record.pop("hash", "")))
            if kind == "name":
                try:
                    self._networks[key] = record_from_dict(Profile, record, "a profile")
                except SettingsError as error:
                    raise SettingsError(f"{where}: {error}") from None
            else:
                change = 1 if kind == "begin" else -1
                self._unfinished[key] = max(self._unfinished[key] + change, 0)
