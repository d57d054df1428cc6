"""``pyg-nas report``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from pyg_nas.cli.console import print_line
from pyg_nas.cli.options import OwnRecipe, import_own
from pyg_nas.cli.progress import progress_bar
from pyg_nas.errors import SettingsError
from pyg_nas.io.files import check_output

_ENDINGS = (".html", ".htm")


def report(
    source: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="Folder of `pyg-nas train` or `pyg-nas search`."),
    ],
    table: Annotated[
        Path | None,
        typer.Argument(metavar="TABLE", help="Table or graph file; needed for a model."),
    ] = None,
    out: Annotated[Path, typer.Option(help="File to write: .html.")] = Path("report.html"),
    learning_curve: Annotated[
        bool,
        typer.Option(
            help="Also train on fewer cells, to show how much more training cells would help."
        ),
    ] = True,
    recipe: OwnRecipe = None,
) -> None:
    """Write a web page (one HTML file) about a model's predictions or about a search.

    Example: pyg-nas report model nasbench101.hdf5 --out report.html
    """
    from pyg_nas.report import write_report

    check_output(out, table, source)
    if out.suffix.lower() not in _ENDINGS:
        raise SettingsError(f"{out}: a report is HTML, its name must end with .html or .htm")
    import_own(recipe)
    with progress_bar("report, predictors trained") as advance:
        write_report(source, table, out, learning_curve=learning_curve, progress=advance)
    print_line(f"report: {out}")
