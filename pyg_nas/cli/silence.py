"""A sign that a command works, wherever it has shown nothing for a second."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock, Timer
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console
    from rich.live import Live

_SECONDS = 1.0


class Silence:
    """Shows a moving sign on a terminal after a second in which nothing was shown.

    Args:
        console: Where it is shown.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._lock = RLock()
        self._watched = False
        self._broken = 0
        self._timer: Timer | None = None
        self._live: Live | None = None

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Show the sign where the block is silent; on a terminal alone."""
        self._watched = self._console.is_terminal
        self._wait()
        try:
            yield
        finally:
            self._watched = False
            self._end()

    @contextmanager
    def broken(self) -> Iterator[None]:
        """Show no sign during a block, which shows something itself."""
        with self._lock:
            self._broken += 1
        self._end()
        try:
            yield
        finally:
            with self._lock:
                self._broken -= 1
            self._wait()

    def _wait(self) -> None:
        with self._lock:
            if self._watched and not self._broken:
                self._timer = Timer(_SECONDS, self._show)
                self._timer.daemon = True
                self._timer.start()

    def _end(self) -> None:
        with self._lock:
            if self._timer is not None:
                self._timer.cancel()
            if self._live is not None:
                self._live.stop()
            self._timer = self._live = None

    def _show(self) -> None:
        from rich.live import Live
        from rich.spinner import Spinner

        with self._lock:
            if self._timer is None or self._broken or self._live is not None:
                return  # ended meanwhile
            kind = "dots" if self._console.encoding.startswith("utf") else "line"
            # What users' code prints meanwhile stands above the sign, but never leaves a file.
            self._live = Live(
                Spinner(kind, "working"),
                console=self._console,
                transient=True,
                redirect_stdout=sys.stdout.isatty(),
            )
            self._live.start()
