"""``pyg-nas report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyg_nas.cli.console import print_line
from pyg_nas.cli.progress import progress_bar


def report(
    source: Annotated[Path, typer.Argument(help="Folder of `pyg-nas train` or `pyg-nas search`.")],
    table: Annotated[
        Path | None,
        typer.Argument(metavar="[TABLE]", help="Table or graph file; needed for a model."),
    ] = None,
    out: Annotated[Path, typer.Option(help="The HTML file.")] = Path("report.html"),
    learning_curve: Annotated[
        bool,
        typer.Option(
            help="Also train on parts of the training cells, to show what more of them bring."
        ),
    ] = True,
) -> None:
    """Write one HTML file that shows a model's predictions or a search.

    Example: pyg-nas report model nasbench101.hdf5 --out report.html
    """
    from pyg_nas.io.files import check_output
    from pyg_nas.report import write_report

    check_output(out, table, source)
    with progress_bar("report, models trained") as advance:
        write_report(source, table, out, learning_curve=learning_curve, progress=advance)
    print_line(f"report: {out}")
