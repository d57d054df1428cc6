"""A file of finished records, from which an interrupted command resumes."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from pyg_nas.errors import SettingsError, first_difference, quoted
from pyg_nas.io.formats.json_lines import SharedLines
from pyg_nas.io.formats.json_reader import parse_json
from pyg_nas.io.limits import MOST_LINE_BYTES
from pyg_nas.io.locks import SignedLock
from pyg_nas.io.regular_files import read_regular


class RecordsFile:
    """A JSON Lines file: the first line has the subject, each other line one record.

    Args:
        path: The file; it need not exist yet.
        key: The only key of the first line.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path = path
        self._key = key
        self._lines = SharedLines(path)
        self._lock = SignedLock(
            path.with_name(f".{path.name}.lock"), f"{path}: another process uses this file"
        )

    def locked(self) -> AbstractContextManager[None]:
        """Return a lock of the file against other processes.

        Raises:
            SettingsError: On entering, if another process uses it.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return self._lock.held()

    def open(self, subject: Any) -> tuple[Any, list[tuple[str, dict[str, Any]]]]:
        """Return the first line's subject, and (file and line, record) of all others.

        A file that does not exist, or whose first line is incomplete, begins with ``subject``.

        Raises:
            SettingsError: If it is not such a file; it is left as it is.
        """
        self._lines = SharedLines(self.path)
        lines = self._lines.read_new()
        if not lines:
            self._begin({self._key: subject})
            return self.open(subject)  # as it is read from the file: a tuple is a list there
        records: list[tuple[str, dict[str, Any]]] = []
        for where, line in lines:
            try:
                record = parse_json(line)
            except SettingsError as error:
                raise SettingsError(f"{where}: {error}") from None
            if not isinstance(record, dict) or (self._key in record) == bool(records):
                raise SettingsError(
                    f"{where}: not a record, or the file does not begin with {self._key!r}"
                )
            records.append((where, record))
        return records[0][1][self._key], records[1:]

    def check_subject(self, stored: Any, wanted: dict[str, Any]) -> None:
        """Check that the first line has the wanted settings.

        Args:
            stored: The subject that :meth:`open` has returned.
            wanted: JSON values.

        Raises:
            SettingsError: If one differs, which the message names.
        """
        if stored != wanted:
            name, before, asked = first_difference("", stored, wanted)
            raise SettingsError(
                f"{self.path}: was made with {name or 'settings'} = {quoted(before)}, "
                f"{quoted(asked)} was requested; choose another output or the same settings"
            )

    def append(self, record: dict[str, Any]) -> None:
        """Append a record; it is on the disk when this returns."""
        self._lines.append(record)

    def _begin(self, head: dict[str, Any]) -> None:
        # The disk was full, or the process was killed, before the first line was whole.
        if self.path.exists():
            torn = read_regular(self.path, MOST_LINE_BYTES).rstrip(b"\0")
            if not json.dumps(head).encode().startswith(torn):
                raise SettingsError(
                    f"{self.path}: not a file of records that begins with {self._key!r}"
                )
        self.append(head)
