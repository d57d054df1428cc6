"""Locks between processes, which the system releases if a process is killed."""

from __future__ import annotations

import json
import logging
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from pyg_nas.errors import SettingsError

_log = logging.getLogger(__name__)

_SILENT_SECONDS = 5.0
_MOST_BYTES = 1_000  # of a signature


class SignedLock:
    """A lock between processes that names its holder to those that wait or are refused.

    The holder writes its process id, its machine and the time to ``PATH.holder``.

    Args:
        path: File of the lock.
        taken: What another process does with the lock, in words: the beginning of messages.
        patience: Longest wait in seconds; None to wait without an end. After five seconds a warning
            is logged.
    """

    def __init__(self, path: Path, taken: str, patience: float | None = 0.0) -> None:
        self._lock = FileLock(path)
        self._signature = path.with_name(f"{path.name}.holder")
        self._taken = taken
        self._patience = patience

    @property
    def files(self) -> tuple[Path, Path]:
        """The file of the lock, and that of its holder's name."""
        return Path(self._lock.lock_file), self._signature

    @property
    def is_locked(self) -> bool:
        """Whether this thread holds the lock by this object."""
        return bool(self._lock.is_locked)

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the lock.

        Raises:
            SettingsError: If another process has the lock for longer than the patience, or the disk
                has no locks.
            OSError: If the file of the lock cannot be opened; the error names it.
        """
        if not self._waited():
            waited = f", waited {self._patience:.0f} s" if self._patience else ""
            raise SettingsError(f"{self._taken} ({self._holder()}){waited}")
        try:
            if self._lock.lock_counter == 1:
                self._sign()
            yield
        finally:
            self._lock.release()

    def _waited(self) -> bool:
        """Whether the lock is free in time; a long wait is logged."""
        patience = -1.0 if self._patience is None else self._patience
        if 0 <= patience <= _SILENT_SECONDS:
            return self._acquired(patience)
        if self._acquired(_SILENT_SECONDS):
            return True
        _log.warning(f"{self._taken} ({self._holder()}); waiting for it")
        return self._acquired(patience if patience < 0 else patience - _SILENT_SECONDS)

    def _acquired(self, timeout: float) -> bool:
        """Whether the lock is free within ``timeout`` seconds; it is then held."""
        try:
            self._lock.acquire(timeout)
        except Timeout:
            return False
        except OSError as error:
            if error.filename is not None:  # the file cannot be opened: the disk may have locks
                raise
            raise SettingsError(
                f"{self._lock.lock_file}: cannot be locked ({error.strerror}); use a disk with "
                f"file locks, for example a local one or NFS 4"
            ) from error
        return True

    def _sign(self) -> None:
        signature = {"pid": os.getpid(), "host": socket.gethostname(), "at": time.time()}
        with suppress(OSError):  # a full disk: the lock holds without it
            self._signature.write_text(json.dumps(signature))

    def _holder(self) -> str:
        """Return who has the lock, in words."""
        try:
            with self._signature.open("rb") as file:
                signature = json.loads(file.read(_MOST_BYTES))
            pid, host, at = int(signature["pid"]), str(signature["host"]), float(signature["at"])
            since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
        except (OSError, ValueError, KeyError, TypeError, OverflowError):
            return "its name is not known"
        is_here = host == socket.gethostname()
        stopped = ", stopped: kill -CONT resumes it" if is_here and _stopped(pid) else ""
        return f"process {pid} on {host} since {since}{stopped}"


def _stopped(pid: int) -> bool:
    """Whether a process of this machine is stopped, by SIGSTOP or Ctrl-Z; False without /proc."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return False
    # The second field is the program's name in parentheses and may contain anything.
    return text.rpartition(")")[2].split()[0] in ("T", "t")
