"""Signals by which systems end a command: it ends as after Ctrl-C, and its files stay in order.

Slurm sends SIGTERM before a job's time is over, ``kill`` and ``timeout`` send it, and SIGHUP comes
when a terminal is closed. By default they end the interpreter at once: what ends or removes things
on the way out, such as a run of MLflow, would not be called.
"""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_NAMES = ("SIGTERM", "SIGHUP")


class Stopped(KeyboardInterrupt):
    """A signal has ended the command; a Ctrl-C to all code that ends cleanly after one.

    Args:
        number: Number of the signal.
    """

    def __init__(self, number: int) -> None:
        super().__init__(f"stopped by {signal.Signals(number).name}")
        self.number = number


def exit_code(stop: KeyboardInterrupt) -> int:
    """Return the exit code of a command that was stopped, as shells state it: 128 + signal."""
    return 128 + (stop.number if isinstance(stop, Stopped) else signal.SIGINT)


@contextmanager
def stopped_by_signals() -> Iterator[None]:
    """Raise :class:`Stopped` where a signal arrives during the block; a second one ends at once.

    Signals that are ignored, as SIGHUP under ``nohup``, stay so.
    """
    numbers = [getattr(signal, name) for name in _NAMES if hasattr(signal, name)]
    caught = [number for number in numbers if signal.getsignal(number) is signal.SIG_DFL]
    for number in caught:
        signal.signal(number, _stop)
    try:
        yield
    finally:
        for number in caught:
            signal.signal(number, signal.SIG_DFL)


def _stop(number: int, _: FrameType | None) -> None:
    signal.signal(number, signal.SIG_DFL)
    raise Stopped(number)
