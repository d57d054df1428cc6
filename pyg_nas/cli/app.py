"""The command line's entry: registers the commands and turns errors into one clear line."""

from __future__ import annotations

import io
import os
import sys

import typer
from rich.console import Console

from pyg_nas.cli.demo import demo
from pyg_nas.cli.export import export
from pyg_nas.cli.measure import measure
from pyg_nas.cli.models import evaluate, plot, predict, train
from pyg_nas.cli.report import report
from pyg_nas.cli.search import search
from pyg_nas.cli.table import table_app
from pyg_nas.cli.tune import tune
from pyg_nas.errors import PygNasError
from pyg_nas.version import __version__

app = typer.Typer(
    name="pyg-nas",
    help="Graph neural predictors for neural architecture search.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(table_app, name="table", help="Convert, inspect and check tables of measured cells.")
for command in (demo, train, evaluate, predict, plot, tune, search, measure, report, export):
    app.command()(command)


@app.callback(invoke_without_command=True)
def _version(
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if version:
        print(__version__)
        raise typer.Exit


def main() -> None:
    """Run the command line; a user's error is one line on stderr and exit code 2."""
    # Read when torch is first imported. Its threads wait for each other awake otherwise, and two
    # commands at once on the same cores take twenty times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # ² must not end a command on an ASCII terminal
            stream.reconfigure(errors="replace")
    try:
        app()
    except PygNasError as error:
        _fail(str(error))
    except OSError as error:
        # A missing folder, a full disk, no permission: the system's own words name the file.
        _fail(str(error))


def _fail(message: str) -> None:
    line = " ".join(message.split())
    Console(stderr=True, highlight=False, soft_wrap=True).print("[red]error:[/red]", end=" ")
    print(line, file=sys.stderr)
    raise SystemExit(2)
