"""The journal of a profile: one line for each network that was measured."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from annotated_types import Ge, Gt
from filelock import FileLock, Timeout
from pydantic import FiniteFloat

from pyg_nas.errors import MeasureError, SettingsError, quoted
from pyg_nas.io.json_lines import SharedLines
from pyg_nas.io.json_reader import parse_json
from pyg_nas.io.record import Rule, check_fields, record_from_dict


@dataclass(frozen=True)
class Profile:
    """What was measured of one network.

    Args:
        latency: Median seconds of a pass.
        spread: Interquartile range of the passes, as a fraction of the median.
        drift: Time of the reference network right afterwards, as a multiple of its first time.
        peak_memory: Most bytes in memory in a pass, parameters included; None if not known.
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

    Only one process at a time may use it: two that measure would disturb each other.

    Args:
        path: The file, made where it is missing.
        about: Settings and device; those of an existing journal must be equal.

    Raises:
        MeasureError: If another process uses the file.
        SettingsError: If it was made with other settings, or is damaged.
    """

    def __init__(self, path: str | os.PathLike[str], about: dict[str, Any]) -> None:
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.reference: float | None = None
        self._networks: dict[tuple[str, str], Profile] = {}
        self._lines = SharedLines(self.path)
        self._lock = FileLock(f"{self.path}.lock", timeout=0)
        try:
            self._lock.acquire()
        except Timeout:
            raise MeasureError(f"{self.path}: another process measures into this file") from None
        try:
            self._read(about)
        except BaseException:
            self._lock.release()
            raise

    def __enter__(self) -> ProfileJournal:
        return self

    def __exit__(self, *exception: object) -> None:
        self._lock.release()

    def find(self, name: str, digest: str) -> Profile | None:
        """Return what was measured of a network with this name and graph."""
        return self._networks.get((name, digest))

    def add(self, record: dict[str, Any]) -> None:
        """Append a record; it is on the disk when this returns."""
        self._lines.append(record)

    def _read(self, about: dict[str, Any]) -> None:
        lines = self._lines.read_new()
        for number, (where, line) in enumerate(lines):
            try:
                record = parse_json(line)
            except SettingsError as error:
                raise SettingsError(f"{where}: {error}") from None
            if not isinstance(record, dict) or (number == 0) != ("settings" in record):
                raise SettingsError(f"{where}: not a line of a profile's journal")
            if number == 0:
                self._check_settings(record["settings"], about)
            elif "reference" in record:
                self.reference = record["reference"]
                if not isinstance(self.reference, float) or self.reference <= 0:
                    raise SettingsError(f"{where}: the reference must be a number above 0")
            else:
                key = (str(record.pop("name", "")), str(record.pop("hash", "")))
                try:
                    self._networks[key] = record_from_dict(Profile, record, "a profile")
                except SettingsError as error:
                    raise SettingsError(f"{where}: {error}") from None
        if not lines:
            self.add({"settings": about})

    def _check_settings(self, found: Any, about: dict[str, Any]) -> None:
        for name, value in about.items():
            stored = found.get(name) if isinstance(found, dict) else None
            if stored != value:
                raise SettingsError(
                    f"{self.path}: was measured with {name} = {quoted(stored)}, asked for is "
                    f"{quoted(value)}; choose another output file"
                )
