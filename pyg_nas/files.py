"""Writing files so that a reader never meets half of one, and the folder for cached tables."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def atomic_path(target: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary path beside ``target`` and rename it onto ``target`` when the block ends.

    If the block raises, the temporary file is removed and ``target`` stays as it was. Two
    processes may write one target at once: each has its own temporary file, and the last
    rename wins whole.
    """
    target = Path(target)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(
        prefix=f".{target.name}.", suffix=f".part{target.suffix}", dir=target.parent
    )
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(target: str | os.PathLike[str], text: str) -> None:
    """Write ``text`` as UTF-8 to ``target``, whole or not at all."""
    with atomic_path(target) as temporary:
        temporary.write_text(text, encoding="utf-8")


def cache_folder() -> Path:
    """Return the folder for what can be computed again: ``$PYG_NAS_CACHE`` or the user's cache."""
    chosen = os.environ.get("PYG_NAS_CACHE")
    if chosen:
        return Path(chosen)
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "pyg_nas"


def _umask() -> int:
    # The mask can only be read by setting it; mkstemp's 0600 would otherwise hide the file
    # from everybody but its owner.
    mask = os.umask(0)
    os.umask(mask)
    return mask
