"""``pyg-nas tell``: the outcome of an architecture that was trained elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyg_nas.cli.console import print_line, print_note
from pyg_nas.errors import SettingsError
from pyg_nas.io.limits import MOST_EPOCHS


def _fraction(accuracy: float | None) -> float | None:
    if accuracy is not None and accuracy > 1:
        raise SettingsError(
            f"an accuracy must be a fraction, 0.912 for 91.2 %, got {accuracy:g}; use Search.tell "
            f"in Python for other metrics"
        )
    return accuracy


def tell(
    folder: Annotated[Path, typer.Argument(metavar="FOLDER", help="Folder of the search.")],
    number: Annotated[int, typer.Argument(metavar="ID", help="Number that ask printed.")],
    accuracy: Annotated[
        float | None,
        typer.Option(callback=_fraction, help="Validation accuracy, a fraction; larger is better."),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            max=MOST_EPOCHS,
            help="Report a run that has not ended: its epochs so far. Prints go on or stop.",
        ),
    ] = None,
    seconds: Annotated[float | None, typer.Option(min=0, help="Seconds of training.")] = None,
    test_accuracy: Annotated[
        float | None, typer.Option(callback=_fraction, help="Test accuracy, for reports.")
    ] = None,
    failed: Annotated[bool, typer.Option("--failed", help="Training gave no accuracy.")] = False,
    reason: Annotated[str, typer.Option(help="Why it failed.")] = "",
) -> None:
    """Record the outcome of an architecture's training, or with --epochs its progress.

    The first outcome of an architecture counts; telling it again changes nothing. If --epochs
    prints stop, the architecture is hopeless: stop its training and tell no outcome.

    Example: pyg-nas tell my-search 3 --accuracy 0.91
    """
    from pyg_nas.search.search_folder.folder import SearchFolder
    from pyg_nas.search.search_folder.ledger import Ledger

    if not failed and reason:
        raise SettingsError(f"architecture {number}: --reason is that of a failure, give --failed")
    opened = SearchFolder.open(folder)
    opened.settings.check_external()
    ledger = Ledger(opened, opened.settings.constraints.max_seconds)
    if epochs is not None:
        if failed or accuracy is None or test_accuracy is not None:
            raise SettingsError(
                f"architecture {number}: --epochs needs --accuracy, and no other outcome"
            )
        go_on = ledger.report(number, epochs, accuracy, seconds)
        print_line("go on" if go_on else "stop")
        return
    if failed and (seconds, test_accuracy) != (None, None):
        print_note(f"architecture {number}: of a failure, seconds and accuracies are not recorded")
    recorded = ledger.tell(number, accuracy, seconds, test_accuracy, failed, reason)
    print_line("recorded" if recorded else f"architecture {number} has an outcome already")
