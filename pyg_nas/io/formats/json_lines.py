"""Files with one JSON record per line, to which records are appended during work."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

from pyg_nas.errors import SettingsError
from pyg_nas.io.files import naming
from pyg_nas.io.limits import MOST_LINE_BYTES, MOST_RECORDS_BYTES
from pyg_nas.io.regular_files import AnyPath, Failure, check_regular, open_regular


def read_lines(
    path: AnyPath, failure: Failure = SettingsError, blank: bool = False
) -> Iterator[tuple[int, bytes]]:
    """Yield (line number from 1, content) of a file's lines, whose length is limited.

    Raises:
        failure: If it is not a regular file, or a line is longer than
            :data:`~pyg_nas.io.limits.MOST_LINE_BYTES`.
    """
    with open_regular(path, failure) as file:
        for number in count(1):
            try:
                line = file.readline(MOST_LINE_BYTES + 1)
            except OSError as error:
                raise failure(f"{path}: cannot be read ({error.strerror})") from None
            if not line:
                return
            if len(line) > MOST_LINE_BYTES:
                raise failure(f"{path}, line {number}: longer than {MOST_LINE_BYTES:,} bytes")
            if blank or line.strip():
                yield number, line


class SharedLines:
    """A JSON Lines file that several processes read and append to, one at a time.

    The caller must have a lock while it calls a method, and read new records before it appends.

    Args:
        path: The file; it need not exist yet.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._length = 0
        self._count = 0

    def read_new(self) -> list[tuple[str, bytes]]:
        """Return (file and line, content) of the lines that were appended since the last call.

        An incomplete last line of a process that was killed while it wrote is no record.

        Raises:
            SettingsError: If the file cannot be read, is too large, has become shorter, or ends
                with text that is not the start of a record.
        """
        # A link in a circle does not exist either, and is not empty.
        size = check_regular(self.path) if os.path.lexists(self.path) else 0
        if size < self._length:
            raise SettingsError(f"{self.path}: has become shorter while it was in use")
        if size == self._length:
            return []
        if size > MOST_RECORDS_BYTES:
            raise SettingsError(
                f"{self.path}: has {size:,} bytes, more than {MOST_RECORDS_BYTES:,}"
            )
        with open_regular(self.path) as file:
            file.seek(self._length)
            content = file.read(size - self._length)
        length = content.rfind(b"\n") + 1
        lines, torn = content[:length].splitlines(), content[length:]
        torn = torn.rstrip(b"\0")  # zeros are what a power cut may leave
        if torn and not torn.startswith(b"{"):
            raise SettingsError(
                f"{self.path}: not a file of records, its last line is {torn[:40]!r}"
            )
        self._length += length
        numbered = [
            (f"{self.path}, line {number}", line)
            for number, line in enumerate(lines, start=self._count + 1)
        ]
        self._count += len(lines)
        return numbered

    def append(self, record: dict[str, Any]) -> None:
        """Append one record; it is on the disk when this returns, and :meth:`read_new` skips it.

        An incomplete line before it is cut off.

        Raises:
            ValueError: If a number is NaN or infinite; nothing is written.
            SettingsError: If it is not a regular file.
            OSError: If it cannot be written; the error names it.
        """
        line = json.dumps(record, allow_nan=False).encode() + b"\n"
        if self.path.exists() and check_regular(self.path) > self._length:
            os.truncate(self.path, self._length)
        with naming(self.path), self.path.open("ab") as file:
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
        self._length += len(line)
        self._count += 1
