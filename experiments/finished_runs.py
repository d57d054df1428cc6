"""Files of finished runs, to which an experiment adds each run as it ends."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def append_line(path: Path, run: Any) -> None:
    """Append one run as a line of JSON.

    Raises:
        ValueError: If a number is NaN or infinite; nothing is written.
    """
    line = json.dumps(run, allow_nan=False) + "\n"
    with path.open("a") as file:
        file.write(line)
