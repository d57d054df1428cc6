"""``pyg-nas table``: convert, inspect, verify, download and export tables."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table as Grid

if TYPE_CHECKING:
    from pyg_nas.data.table import Table

table_app = typer.Typer(help="Tables of measured cells.", no_args_is_help=True)

_BEST_SHOWN = 5

TablePath = Annotated[
    Path, typer.Argument(metavar="TABLE", help="Table in HDF5, or a graph file (.jsonl).")
]


class OfficialFile(str, Enum):
    """Which of Google's files to download."""

    ONLY108 = "only108"
    FULL = "full"


@table_app.command()
def convert(
    source: Annotated[Path, typer.Argument(metavar="IN", help="Official TFRecord file.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="HDF5 file to write.")],
) -> None:
    """Convert a NAS-Bench-101 TFRecord file to a table in HDF5, verifying every record."""
    from pyg_nas.spaces.nasbench101.tfrecord_reader import convert as convert_file

    with _progress_bar("Converting", of_bytes=True) as advance:
        table = convert_file(source, target, advance)
    Console().print(f"{target}: {len(table):,} cells", highlight=False)


@table_app.command()
def info(path: TablePath) -> None:
    """Show what a table holds: cells, what is measured, how much is missing, the best cells."""
    from pyg_nas.data.sources import open_table

    table = open_table(path)
    console = Console()
    _print_summary(table, path, console)
    _print_coverage(table, console)
    _print_best(table, console)


@table_app.command()
def check(path: TablePath) -> None:
    """Verify every graph, hash, parameter count and range of a table."""
    from pyg_nas.data.sources import open_table

    table = open_table(path)
    if path.suffix != ".jsonl":  # isomorphic graphs may stand twice in a graph file
        table.check(str(path))
    Console().print(f"{path}: {len(table):,} cells, all sound", highlight=False)


@table_app.command()
def download(
    which: Annotated[
        OfficialFile, typer.Argument(help="only108 (0.5 GB) or full (2.1 GB).")
    ] = OfficialFile.ONLY108,
    folder: Annotated[Path, typer.Option("--out", help="Folder to download to.")] = Path(),
) -> None:
    """Download an official TFRecord file; a download that broke off goes on where it was."""
    from pyg_nas.io.download import OFFICIAL_FILES
    from pyg_nas.io.download import download as download_file

    with _progress_bar("Downloading", of_bytes=True) as advance:
        path = download_file(OFFICIAL_FILES[which.value], folder, advance)
    Console().print(f"{path}: complete, checksum verified", highlight=False)


@table_app.command()
def export(
    path: Annotated[Path, typer.Argument(metavar="TABLE", help="Table in HDF5.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="TFRecord file to write.")],
) -> None:
    """Write a table in the official TFRecord format, for tools that read only that."""
    from pyg_nas.data.table import Table
    from pyg_nas.io.files import check_output
    from pyg_nas.spaces.nasbench101.tfrecord_writer import write_tfrecord

    check_output(target, path)
    table = Table.load(path)
    with _progress_bar("Writing") as advance:
        records = write_tfrecord(table, target, advance)
    Console().print(f"{target}: {records:,} records of {len(table):,} cells", highlight=False)


@contextmanager
def _progress_bar(what: str, of_bytes: bool = False) -> Iterator[Callable[[int, int], None]]:
    """Show a bar on stderr and give the function that moves it: (done, in all)."""
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    with Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn() if of_bytes else MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    ) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def _print_summary(table: Table, path: Path, console: Console) -> None:
    missing = 1.0 - table.measured.mean() if len(table) else 0.0
    grid = Grid("property", "value", title=escape(str(path)), show_header=False)
    grid.add_row("cells", f"{len(table):,}")
    grid.add_row("space", escape(table.space.name))
    grid.add_row("operations", escape(", ".join(table.space.operations)))
    grid.add_row("budgets", ", ".join(map(str, table.budgets)) + " epochs")
    grid.add_row("runs at each budget", str(table.num_runs))
    grid.add_row("not measured (NaN)", f"{missing:.1%} of {table.metrics.size:,} numbers")
    for key, value in table.about.items():
        grid.add_row(escape(key), escape(str(value)))
    console.print(grid)


def _print_coverage(table: Table, console: Console) -> None:
    from pyg_nas.data.labels import METRICS
    from pyg_nas.data.table import describe_coverage

    grid = Grid("epochs", "read", *(name.replace("_", " ") for name in METRICS))
    grid.title = "Measured, of cells x runs"
    rows: dict[tuple[int, str], list[float]] = {}
    for budget, point, _, fraction in describe_coverage(table):
        rows.setdefault((budget, point), []).append(fraction)
    for (budget, point), fractions in rows.items():
        if any(fractions):
            grid.add_row(str(budget), point, *(f"{fraction:.1%}" for fraction in fractions))
    if grid.row_count:
        console.print(grid)
    else:
        console.print("Nothing is measured.")


def _print_best(table: Table, console: Console) -> None:
    """Show the cells with the best mean final validation accuracy at the largest budget."""
    import numpy as np

    from pyg_nas.data.labels import LabelPolicy

    policy = LabelPolicy(run="mean", resample_below=None)
    label = table.label(policy)
    rows = np.argsort(-label, kind="stable")[: min(_BEST_SHOWN, np.isfinite(label).sum())]
    if not len(rows):
        return
    grid = Grid(title=f"Best cells by {policy}")
    grid.add_column("hash", no_wrap=True, min_width=max(map(len, table.hashes.tolist())))
    for name in ("value", "parameters", "vertices", "edges"):
        grid.add_column(name, justify="right")
    for row in rows.tolist():
        cell = table.cells[row]
        parameters = int(table.trainable_parameters[row])
        grid.add_row(
            cell.hash,
            f"{label[row]:.6g}",
            f"{parameters:,}" if parameters >= 0 else "unknown",
            str(cell.num_vertices),
            str(cell.num_edges),
        )
    console.print(grid)
