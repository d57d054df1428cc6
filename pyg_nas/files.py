"""Writing files so that a reader never meets half of one, and the folder for cached tables."""

from __future__ import annotations

import os
import secrets
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
    # Opened by hand rather than by mkstemp, whose 0600 would hide the file from everybody but its
    # owner; the umask cannot be read without setting it, which another thread would notice.
    temporary = target.with_name(f".{target.name}.{secrets.token_hex(6)}.part{target.suffix}")
    os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
    try:
        yield temporary
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
