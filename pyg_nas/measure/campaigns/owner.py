"""Processes that own claims, and whether they still run."""

from __future__ import annotations

import os
import secrets
import socket
import sys
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Owner:
    """A process that has claims.

    Args:
        token: Random name, different for every opening of a journal.
        host: Name of its machine and, on Linux, of the part of the machine whose process ids it
            sees: two containers may have one name, and each its own process 7.
        pid: Process id.
        started: Start time of the process in the system's units, or 0 if unknown: a later process
            with the same id has another start time.
    """

    token: str
    host: str
    pid: int
    started: int

    @classmethod
    def current(cls) -> Owner:
        """Return a new owner for this process."""
        pid = os.getpid()
        return cls(secrets.token_hex(16), _host(), pid, _start_time(pid))

    def has_gone(self) -> bool:
        """Return True if this process has certainly ended, False if it runs or that is unknown."""
        if self.host != _host() or sys.platform == "win32":
            return False
        try:
            os.kill(self.pid, 0)  # signal 0 asks whether the process exists and does nothing
        except ProcessLookupError:
            return True
        except PermissionError:
            pass  # it exists and belongs to another user
        return _start_time(self.pid) != self.started


def _host() -> str:
    name = socket.gethostname()
    try:
        return f"{name} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return name


def _start_time(pid: int) -> int:
    """Returns the start of a process in clock ticks since boot, 0 without Linux's /proc."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return 0
    # The second field is the program's name in parentheses and may contain anything.
    fields = text.rpartition(")")[2].split()
    # A zombie has ended; its parent has not read its exit status yet.
    return -1 if fields[0] == "Z" else int(fields[19])
