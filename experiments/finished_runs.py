"""Files of finished runs, to which an experiment adds each run as it ends."""

from __future__ import annotations

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np


def digest_of(*arrays: Any) -> str:
    """Return a digest of arrays of numbers: of the data that a run depends on."""
    digest = sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()[:16]


def finished_runs(path: Path, data: str) -> list[dict[str, Any]]:
    """Return the runs of a file that have this digest under ``data``; those of others stay."""
    lines = path.read_text().splitlines() if path.exists() else []
    return [run for run in map(json.loads, lines) if run.get("data") == data]


def append_line(path: Path, run: Any) -> None:
    """Append one run as a line of JSON.

    Raises:
        ValueError: If a number is NaN or infinite; nothing is written.
    """
    line = json.dumps(run, allow_nan=False) + "\n"
    with path.open("a") as file:
        file.write(line)
