"""The command line's entry: registers the commands and turns errors into one clear line."""

from __future__ import annotations

import atexit
import gc
import inspect
import logging
import os
import re
import sys
from typing import Any

import typer
from typer.core import TyperGroup

from pyg_nas.cli.commands.ask import ask
from pyg_nas.cli.commands.compare import compare
from pyg_nas.cli.commands.compare_searches import compare_searches
from pyg_nas.cli.commands.demo import demo
from pyg_nas.cli.commands.evaluate import evaluate
from pyg_nas.cli.commands.export import export
from pyg_nas.cli.commands.finish import finish
from pyg_nas.cli.commands.images import images
from pyg_nas.cli.commands.measure import measure
from pyg_nas.cli.commands.plot import plot
from pyg_nas.cli.commands.predict import predict
from pyg_nas.cli.commands.profile import profile
from pyg_nas.cli.commands.report import report
from pyg_nas.cli.commands.search import search
from pyg_nas.cli.commands.table import table_app
from pyg_nas.cli.commands.tell import tell
from pyg_nas.cli.commands.train import train
from pyg_nas.cli.commands.tune import tune
from pyg_nas.cli.console import ERRORS, SILENCE, fail, prepare_streams, print_line, print_note
from pyg_nas.cli.signals import exit_code, stopped_by_signals
from pyg_nas.cli.startup import postpone_unused
from pyg_nas.errors import NetworksError, PygNasError, SettingsError, one_line
from pyg_nas.io.user_code import user_failure
from pyg_nas.version import __version__

_OBJECTS_BETWEEN_COLLECTIONS = 50_000


class _Commands(TyperGroup):
    """Ends a command that Ctrl-C or a signal has stopped with one line."""

    def invoke(self, ctx: Any) -> Any:  # of click or, in recent versions, of a copy in typer
        """Run the command that was chosen."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt as stop:
            print_note(str(stop) or "stopped")
            raise typer.Exit(exit_code(stop)) from None


app = typer.Typer(
    name="pyg-nas",
    cls=_Commands,
    help="Graph neural predictors for neural architecture search.",
    epilog="Example: pyg-nas demo. Recipes of predictors: best (the default), fast, small-gp, "
    "transfer, paper, two-stage; latency and networks for whole networks. "
    "Search spaces: nasbench101, nasbench201, transnasbench101, and graph files.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.add_typer(table_app, name="table", help="Convert, inspect and check tables of measured cells.")
COMMANDS = (
    demo, train, evaluate, predict, plot, tune, compare, compare_searches, search, ask, tell,
    images, finish, measure, profile, report, export,
)  # fmt: skip
for command in COMMANDS:
    app.command()(command)
for registered in (*app.registered_commands, *table_app.registered_commands):
    # Without the line breaks of the source, so that paragraphs fill the terminal.
    paragraphs = (inspect.getdoc(registered.callback) or "").split("\n\n")
    registered.help = "\n\n".join(" ".join(text.split()) for text in paragraphs)


@app.callback(invoke_without_command=True)
def _version(
    version: bool = typer.Option(False, "--version", help="Print the version and exit."),
) -> None:
    if version:
        print_line(__version__)
        raise typer.Exit


class _Notes(logging.Handler):
    """Shows log messages of the package, such as the compilation of machine code."""

    def emit(self, record: logging.LogRecord) -> None:
        print_note(record.getMessage())


def main() -> None:
    """Run the command line; a user's error is one line on stderr and exit code 2."""
    # Read when torch is first imported. Its threads wait for each other awake otherwise, and two
    # commands at once on the same cores take twenty times as long.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    postpone_unused()
    # Imports make many objects that stay. Looking for garbage among them takes up to a tenth of the
    # time of a command without torch.
    gc.set_threshold(_OBJECTS_BETWEEN_COLLECTIONS)
    # Registered first, and so called last. Otherwise the interpreter looks for garbage among all
    # objects of torch when the process ends, which takes a second.
    atexit.register(gc.freeze)
    prepare_streams()
    notes = logging.getLogger("pyg_nas")
    notes.setLevel(logging.INFO)
    notes.handlers = [_Notes()]
    try:
        _check_given(sys.argv[1:])
        with SILENCE.watched(), stopped_by_signals():
            code = app(standalone_mode=False)
    except NetworksError as error:
        fail(error.heading, more=error.refused)
    except PygNasError as error:
        fail(str(error))
    except OSError as error:
        # A missing folder, a full disk, no permission: the system's own words name the file.
        fail(user_failure(error) or str(error))
    except MemoryError:
        fail("not enough memory")
    except RuntimeError as error:
        # By torch's message, because only CUDA devices raise the class OutOfMemoryError.
        if not re.search("can't allocate memory|out of memory", str(error)):
            raise
        fail(f"not enough memory ({one_line(error)})")
    except typer.Abort:
        fail("stopped", exit_code(KeyboardInterrupt()))  # while arguments were read
    except BaseException as error:
        reason = user_failure(error)
        if reason is not None and not isinstance(error, KeyboardInterrupt):
            fail(reason)
        # A wrong option; its class has no public name.
        if not hasattr(error, "format_message"):
            raise
        _refuse_arguments(error)
    sys.exit(code if isinstance(code, int) else 0)


def _check_given(arguments: list[str]) -> None:
    """Refuse an empty argument: as a path it would be the working folder.

    Raises:
        SettingsError: If one is empty, other than the reason of a failure.
    """
    for before, given in zip(["pyg-nas", *arguments], arguments, strict=False):
        place = before if given == "" else given.removesuffix("=")
        is_empty = given == "" or re.fullmatch(r"--[\w-]+=", given)
        if is_empty and place != "--reason":
            raise SettingsError(
                f"the argument after {place} is empty; a variable of the shell may not be set"
            )


def _refuse_arguments(error: BaseException) -> None:
    context = getattr(error, "ctx", None)
    message = error.format_message()  # type: ignore[attr-defined]
    if type(error).__name__ == "NoArgsIsHelpError":  # the message is the help itself
        ERRORS.out(message, highlight=False)
        raise SystemExit(2)
    help_ = f"; see {context.command_path} --help" if context is not None else ""
    fail(f"{message.rstrip('.')}{help_}")
