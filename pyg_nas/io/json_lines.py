"""Files of one JSON record a line that grow as work goes on, and outlive the process."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any


def append_line(path: Path, record: dict[str, Any]) -> None:
    """Add one record, on the disk when this returns.

    Raises:
        ValueError: If a number is NaN or infinite; nothing is written.
    """
    line = json.dumps(record, allow_nan=False).encode() + b"\n"
    with path.open("ab") as file:
        file.write(line)
        file.flush()
        os.fsync(file.fileno())


def whole_lines(content: bytes) -> tuple[list[bytes], int]:
    """Return the whole lines of a file's content and how many bytes they have.

    A process that writes at this moment, or was killed when it did, leaves a torn last line.
    """
    length = content.rfind(b"\n") + 1
    return content[:length].splitlines(), length


def cut_torn_line(path: Path, length: int) -> None:
    """Cut a file to its whole lines, ``length`` bytes."""
    if length < path.stat().st_size:
        with path.open("r+b") as file:
            file.truncate(length)
