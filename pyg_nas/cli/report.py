"""``pyg-nas report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def report(
    source: Annotated[Path, typer.Argument(help="Folder of `pyg-nas train` or `pyg-nas search`.")],
    table: Annotated[
        Path | None, typer.Argument(help="Table or graph file; a model needs it.")
    ] = None,
    out: Annotated[Path, typer.Option(help="The HTML file.")] = Path("report.html"),
    learning_curve: Annotated[
        bool, typer.Option(help="Train a model on parts of its training cells as well.")
    ] = True,
) -> None:
    """Write one HTML file that shows a model's predictions or a search."""
    from rich.console import Console
    from rich.progress import Progress

    from pyg_nas.io.files import check_output
    from pyg_nas.report import write_report

    check_output(out, table, source)
    console = Console(highlight=False)
    with Progress(console=console, transient=True) as bar:
        task = bar.add_task("learning curve", total=None, visible=False)
        write_report(
            source,
            table,
            out,
            learning_curve=learning_curve,
            progress=lambda done, total: bar.update(
                task, completed=done, total=total, visible=True
            ),
        )
    console.print(f"report: {out}")
