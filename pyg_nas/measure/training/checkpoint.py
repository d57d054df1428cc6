"""The state of a run, stored so that a killed run resumes from an epoch."""

from __future__ import annotations

import io
import os
import time
from hashlib import sha256
from pathlib import Path
from typing import Any

import torch

from pyg_nas.errors import SettingsError
from pyg_nas.io.files import atomic_path
from pyg_nas.io.limits import MOST_WEIGHTS_BYTES
from pyg_nas.io.regular_files import read_regular

_DIGEST_BYTES = sha256().digest_size


class Checkpoint:
    """A file with the SHA-256 of its content, followed by the state of one run.

    The digest is needed because torch does not notice changed bytes in its files.

    Args:
        seconds: Shortest time between two writes.
    """

    def __init__(self, path: str | os.PathLike[str], seconds: float = 10.0) -> None:
        self.path = Path(path)
        self.seconds = seconds
        self._written = time.monotonic()

    def read(self) -> dict[str, Any] | None:
        """Return the state; None where the file is missing or damaged."""
        try:
            content = read_regular(self.path, MOST_WEIGHTS_BYTES)
        except SettingsError:
            return None
        digest, stored = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
        if sha256(stored).digest() != digest:
            return None
        state: dict[str, Any] = torch.load(
            io.BytesIO(stored), map_location="cpu", weights_only=True
        )
        return state

    @property
    def is_due(self) -> bool:
        """Whether it is time to write the file again."""
        return time.monotonic() - self._written >= self.seconds

    def write(self, state: dict[str, Any]) -> None:
        """Replace the file by a state."""
        stored = io.BytesIO()
        torch.save(state, stored)
        content = stored.getvalue()
        with atomic_path(self.path) as temporary:
            temporary.write_bytes(sha256(content).digest() + content)
        self._written = time.monotonic()

    def remove(self) -> None:
        """Delete the file, if there is one."""
        self.path.unlink(missing_ok=True)
