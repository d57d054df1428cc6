"""All output of commands; text of files and users is never markup or a control code."""

from __future__ import annotations

import shlex
import sys
import warnings
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from io import TextIOWrapper
from typing import NoReturn

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pyg_nas.cli.signals import exit_code
from pyg_nas.cli.silence import Silence
from pyg_nas.errors import with_options
from pyg_nas.io.text import printable

OUTPUT = Console(highlight=False, soft_wrap=True)
_MOST_CHARACTERS = 5_000  # of an error: the longest path has 4,096
ERRORS = Console(stderr=True, highlight=False, soft_wrap=True)
SILENCE = Silence(ERRORS)


def bold(value: object) -> Text:
    """Return a value in bold, for :func:`print_line`."""
    return Text(printable(value), style="bold")


def print_line(*parts: object) -> None:
    """Print values side by side as one line, on standard output."""
    with SILENCE.broken():
        OUTPUT.print(_literal(parts))


def print_next(what: str, words: Iterable[object], options: Mapping[str, object]) -> None:
    """Print the command that usually follows; options that are None are left out."""
    given = (str(word) for pair in options.items() if pair[1] is not None for word in pair)
    print_line(f"next, {what}: {shlex.join(['pyg-nas', *map(str, words), *given])}")


def print_note(*parts: object) -> None:
    """Print a note, which is not a result, on standard error."""
    with SILENCE.broken():
        ERRORS.print(_literal(parts))


def print_heading(text: str) -> None:
    """Print a heading across the terminal."""
    with SILENCE.broken():
        OUTPUT.rule(bold(text))


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    right: Collection[str] = (),
    header: bool = True,
) -> None:
    """Print a table.

    Args:
        rows: Cells of each row, in the order of the columns. A column named ``hash`` is not cut.
        right: Columns whose cells are aligned to the right.
        header: Whether the names of the columns are shown.
    """
    texts = [[printable(cell) for cell in row] for row in rows]
    shown = Table(title=bold(title), show_header=header)
    for index, name in enumerate(columns):
        whole = name == "hash"
        width = max((len(row[index]) for row in texts), default=0) if whole else None
        shown.add_column(
            Text(printable(name)),
            justify="right" if name in right else "left",
            no_wrap=whole,
            min_width=width,
        )
    for row in texts:
        shown.add_row(*map(Text, row))
    with SILENCE.broken():
        OUTPUT.print(shown, soft_wrap=False)


def fail(message: str, exit_code: int = 2, more: Iterable[str] = ()) -> NoReturn:
    """Print an error as one line on standard error, a line each of ``more``, and exit.

    Arguments that they name become options.
    """
    ERRORS.print(Text.assemble(("error:", "red"), " ", _one_line(message)))
    for line in more:
        ERRORS.print(Text(f"  {_one_line(line)}"))
    raise SystemExit(exit_code)


def _one_line(message: str) -> str:
    text = " ".join(with_options(message).split())
    return printable(text if len(text) <= _MOST_CHARACTERS else f"{text[:_MOST_CHARACTERS]}...")


@contextmanager
def resumable(place: object) -> Iterator[None]:
    """On Ctrl-C or a signal, print from which file or folder the command resumes, and exit."""
    try:
        yield
    except KeyboardInterrupt as stop:
        print_line(f"stopped; the same command resumes from {place}")
        raise typer.Exit(exit_code(stop)) from None


def prepare_streams() -> None:
    """Print characters that the terminal lacks as their codes, and each warning in one line."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    warnings.showwarning = _print_warning  # type: ignore[assignment]


def _print_warning(message: Warning | str, *_: object) -> None:
    print_note("warning: ", " ".join(str(message).split()))


def _literal(parts: Iterable[object]) -> Text:
    return Text.assemble(*(p if isinstance(p, Text) else printable(p) for p in parts))
