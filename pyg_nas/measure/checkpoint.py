"""The state of a training, kept so that a killed one resumes from an epoch."""

from __future__ import annotations

import os
import time
from pathlib import Path
from pickle import UnpicklingError
from typing import Any
from zipfile import BadZipFile

import torch

from pyg_nas.io.files import atomic_path


class Checkpoint:
    """A file with the state of one training.

    Args:
        path: The file.
        seconds: It is written at most once in so many seconds.
    """

    def __init__(self, path: str | os.PathLike[str], seconds: float = 10.0) -> None:
        self.path = Path(path)
        self.seconds = seconds
        self._written = time.monotonic()

    def read(self) -> dict[str, Any] | None:
        """Return the state; None where the file is missing or damaged."""
        try:
            state: dict[str, Any] = torch.load(self.path, map_location="cpu", weights_only=True)
        except (OSError, RuntimeError, EOFError, UnpicklingError, BadZipFile, ValueError, KeyError):
            return None
        return state

    @property
    def is_due(self) -> bool:
        """Whether it is time to write the file again."""
        return time.monotonic() - self._written >= self.seconds

    def write(self, state: dict[str, Any]) -> None:
        """Replace the file by a state."""
        with atomic_path(self.path) as temporary:
            torch.save(state, temporary)
        self._written = time.monotonic()

    def remove(self) -> None:
        """Delete the file, if there is one."""
        self.path.unlink(missing_ok=True)
