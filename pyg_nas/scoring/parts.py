"""The folder of scored blocks, from which interrupted scoring resumes."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from pyg_nas.errors import SettingsError, quoted
from pyg_nas.io.files import atomic_path, is_visible, write_json
from pyg_nas.io.formats.json_reader import read_json
from pyg_nas.io.formats.npz import read_npz
from pyg_nas.io.locks import SignedLock
from pyg_nas.scoring.scores import Columns

_NAME = re.compile(r"(\d{9})-([0-9a-f]{16})\.npz")
_SETTINGS = "settings.json"
_LOCK = "lock"
_REMEDY = "delete the file, and the same command scores its block again"


@contextmanager
def open_parts(folder: Path, settings: Mapping[str, Any]) -> Iterator[Parts]:
    """Open a folder of parts, which is created if missing, for this process alone.

    Args:
        folder: The folder.
        settings: JSON-ready settings that determine the scores of an architecture.

    Raises:
        SettingsError: If the folder has parts of other scores, or another process uses it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    lock = SignedLock(folder / _LOCK, f"{folder}: another process scores into this folder")
    with ExitStack() as stack:
        try:
            stack.enter_context(lock.held())
        except FileNotFoundError:
            raise SettingsError(
                f"{folder}: another process that scored into this folder has just removed it; run "
                f"the command again"
            ) from None
        path = folder / _SETTINGS
        if not path.exists():
            # Hidden are temporary files of a process that was killed.
            files = filter(lambda file: is_visible(file.name), folder.iterdir())
            if others := sorted(set(files).difference(lock.files)):
                for file in lock.files:
                    file.unlink(missing_ok=True)
                raise SettingsError(
                    f"{folder}: contains {quoted(others[0].name)} and no scores; parts of scores "
                    f"are kept there, move the folder or choose another output"
                )
            write_json(path, settings)
        elif read_json(path) != settings:
            raise SettingsError(
                f"{folder}: has parts of another model, source or number of best rows, or of "
                f"another version; delete it, or choose another output"
            )
        parts = Parts(folder)
        try:
            yield parts
        except BaseException:
            parts.discard()
            raise


class Parts:
    """A folder with one file for each scored block.

    A file's name has the number of its block and a digest of the block's architectures, so that a
    block is scored once as long as its architectures stay the same.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._found = {
            int(match[1]): match[2]
            for match in map(_NAME.fullmatch, sorted(p.name for p in folder.iterdir()))
            if match
        }

    def has(self, number: int, digest: str) -> bool:
        """Whether a block is scored.

        Raises:
            SettingsError: If its architectures are not those that were scored.
        """
        if number not in self._found:
            return False
        if self._found[number] != digest:
            raise SettingsError(
                f"{self.folder}: block {number} of the source has changed since it was scored; "
                f"delete the folder to begin again"
            )
        return True

    def write(self, number: int, digest: str, columns: Columns) -> None:
        """Keep the scores of a block."""
        with atomic_path(self._path(number, digest)) as temporary, temporary.open("wb") as file:
            np.savez(file, **columns)  # type: ignore[arg-type]  # no column is allow_pickle
        self._found[number] = digest

    def read(self, count: int) -> Iterator[Columns]:
        """Yield the scores of the first ``count`` blocks in their order.

        Raises:
            SettingsError: If a file is damaged.
        """
        names: set[str] = set()
        for number in range(count):
            path = self._path(number, self._found[number])
            try:
                columns = read_npz(path)
            except SettingsError as error:
                raise SettingsError(f"{error}; {_REMEDY}") from None
            names = names or set(columns)
            if set(columns) != names or len({values.shape for values in columns.values()}) != 1:
                raise SettingsError(f"{path}: is not a part of these scores; {_REMEDY}")
            yield columns

    def remove(self) -> None:
        """Remove the folder, the parts first: what a killed process leaves can be resumed."""
        for number, digest in self._found.items():
            self._path(number, digest).unlink(missing_ok=True)
        # Another process that waits for the lock may make the folder again.
        shutil.rmtree(self.folder, ignore_errors=True)

    def discard(self) -> None:
        """Remove the folder if it has no part, from which scoring could resume."""
        if not self._found:
            self.remove()

    def _path(self, number: int, digest: str) -> Path:
        return self.folder / f"{number:09d}-{digest}.npz"
