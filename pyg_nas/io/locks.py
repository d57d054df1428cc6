"""Locks between processes, which the system releases if a process is killed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from filelock import FileLock, Timeout

from pyg_nas.errors import SettingsError


@contextmanager
def locked(lock: FileLock, refusal: str) -> Iterator[None]:
    """Hold a lock, for which this process waits as long as the lock's timeout.

    Raises:
        SettingsError: With the text ``refusal``, if another process has the lock; or if the disk
            has no locks.
        OSError: If the file of the lock cannot be opened; the error names it.
    """
    try:
        lock.acquire()
    except Timeout:
        raise SettingsError(refusal) from None
    except OSError as error:
        if error.filename is not None:  # the file cannot be opened: the disk may have locks
            raise
        raise SettingsError(
            f"{lock.lock_file}: cannot be locked ({error.strerror}); use a disk with file locks, "
            f"for example a local one or NFS 4"
        ) from error
    try:
        yield
    finally:
        lock.release()
