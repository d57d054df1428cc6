"""The progress bar of all commands, on standard error and gone when the work is done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from pyg_nas.cli.console import ERRORS, SILENCE
from pyg_nas.io.text import counted, printable

if TYPE_CHECKING:
    from pyg_nas.measure.campaigns.campaign import CampaignProgress

# Some steps take minutes: the usual 30 seconds would contain none or one of them.
_SPEED_SECONDS = 3_600
_NARROW = 80  # columns of a terminal: below, there is no room for what is counted


class Advance(Protocol):
    """Moves a bar: the amounts done and in all, and a text beside the bar."""

    def __call__(self, done: float, total: float | None = None, text: str = "") -> None:
        """Show ``done`` of ``total``; None where the total is not known."""


@contextmanager
def progress_bar(description: str, of_bytes: bool = False) -> Iterator[Advance]:
    """Show a bar while the block runs, and return the function that moves it.

    Work that is done at the first call is not counted for the speed.
    """
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        Task,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )
    from rich.table import Column
    from rich.text import Text

    if ERRORS.width < _NARROW:
        description = description.partition(",")[0]

    class Left(TimeRemainingColumn):
        """The remaining time, once it can be estimated from what is done."""

        def render(self, task: Task) -> Text:
            known = task.time_remaining is not None
            return Text.assemble("left ", super().render(task)) if known else Text()

    # In a narrow terminal the bar becomes shorter; numbers stay whole.
    whole = Column(no_wrap=True)
    amount = DownloadColumn if of_bytes else MofNCompleteColumn
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        amount(table_column=whole),
        TextColumn("{task.fields[text]}", markup=False),
        TimeElapsedColumn(table_column=whole),
        Left(table_column=whole),
    )
    with (
        SILENCE.broken(),
        Progress(
            *columns,
            console=ERRORS,
            transient=True,
            speed_estimate_period=_SPEED_SECONDS,
            disable=not ERRORS.is_terminal,
        ) as bar,
    ):
        task = bar.add_task(printable(description), total=None, text="")
        started = False

        def advance(done: float, total: float | None = None, text: str = "") -> None:
            nonlocal started
            if not started:
                bar.reset(task, completed=int(done), total=total)
                started = True
            bar.update(task, completed=done, total=total, text=printable(text))

        yield advance


@contextmanager
def working(description: str) -> Iterator[None]:
    """Show that work of unknown length is in progress."""
    if not ERRORS.is_terminal:
        yield
        return
    spinner = "dots" if ERRORS.encoding.startswith("utf") else "line"
    with SILENCE.broken(), ERRORS.status(printable(description), spinner=spinner):
        yield


def campaign_progress(advance: Advance) -> Callable[[CampaignProgress], None]:
    """Return the function that moves a bar by the epochs of a campaign, which take the time."""
    return lambda state: advance(state.finished, state.total, counted(state.runs, "run"))
