"""``pyg-nas table``: convert, inspect, verify, download and export tables."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pyg_nas.cli.console import print_line, print_table, resumable
from pyg_nas.cli.options import check_table_output
from pyg_nas.cli.progress import progress_bar, working
from pyg_nas.cli.spaces import OWN, chosen_space
from pyg_nas.errors import SettingsError
from pyg_nas.io.files import check_output
from pyg_nas.io.text import counted, percent

if TYPE_CHECKING:
    from pyg_nas.data.networks.table import NetworkTable
    from pyg_nas.data.tables.table import Table

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
    """Convert a NAS-Bench-101 TFRecord file to a table in HDF5, verifying every record.

    Example: pyg-nas table convert nasbench_only108.tfrecord nasbench101.hdf5
    """
    from pyg_nas.data.tables.official_file import convert as convert_file

    check_table_output(target, source)
    with progress_bar("converting", of_bytes=True) as advance:
        table = convert_file(source, target, advance)
    print_line(f"{target}: {counted(len(table), 'cell')}")


@table_app.command()
def info(path: TablePath) -> None:
    """Show what a table contains: cells, what is measured, how much is missing, the best cells.

    Example: pyg-nas table info nasbench101.hdf5
    """
    from pyg_nas.data.networks.table import NetworkTable
    from pyg_nas.data.tables.sources import open_any_table

    table = open_any_table(path)
    if isinstance(table, NetworkTable):
        _print_networks(table, path)
        return
    _print_summary(table, path)
    _print_coverage(table)
    _print_best(table)


@table_app.command()
def check(path: TablePath) -> None:
    """Verify every graph, hash, parameter count and range of a table.

    Example: pyg-nas table check nasbench101.hdf5
    """
    from pyg_nas.data.networks.table import NetworkTable
    from pyg_nas.data.tables.sources import GRAPH_FILE_SUFFIX, open_any_table

    with working("checking"):
        table = open_any_table(path)
        # Isomorphic graphs may stand twice in a graph file; whole networks are checked on reading.
        if not isinstance(table, NetworkTable) and path.suffix != GRAPH_FILE_SUFFIX:
            table.check(str(path))
    print_line(f"{path}: {counted(len(table), table.thing)}, all valid")


@table_app.command()
def download(
    which: Annotated[
        OfficialFile, typer.Argument(metavar="FILE", help="only108 (0.5 GB) or full (2.1 GB).")
    ] = OfficialFile.ONLY108,
    folder: Annotated[Path, typer.Option("--out", help="Folder to download to.")] = Path(),
) -> None:
    """Download an official TFRecord file; a download that was interrupted resumes.

    Example: pyg-nas table download only108
    """
    from pyg_nas.graphs.registry import default_space
    from pyg_nas.io.download import download as download_file

    with resumable(folder), progress_bar("downloading", of_bytes=True) as advance:
        path = download_file(default_space().support.official_files[which.value], folder, advance)
    print_line(f"{path}: complete, checksum verified")


@table_app.command("import")
def import_csv(
    source: Annotated[
        Path,
        typer.Argument(
            metavar="IN",
            help="CSV file with the column arch, and any of epochs, seed, training_time, "
            "train_accuracy, validation_accuracy, test_accuracy; each other column of numbers "
            "becomes a target of its name.",
        ),
    ],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="HDF5 file to write.")],
    space: Annotated[
        str,
        typer.Option(help=f"Search space of the architectures, such as nasbench201, {OWN}."),
    ],
) -> None:
    """Make a table from a CSV file of architectures in text form and their measurements.

    Example: pyg-nas table import results.csv table.hdf5 --space nasbench201
    """
    from pyg_nas.data.tables.architecture_csv import read_architectures

    check_table_output(target, source)
    found = chosen_space(space)
    with working("reading architectures"):
        read = read_architectures(source, found)
        read.table.save(target)
    for note in read.notes:
        print_line(note)
    print_line(f"{target}: {counted(len(read.table), 'architecture')} of {found.name}")


@table_app.command()
def export(
    path: Annotated[Path, typer.Argument(metavar="TABLE", help="Table in HDF5.")],
    target: Annotated[Path, typer.Argument(metavar="OUT", help="File to write.")],
    csv: Annotated[
        bool, typer.Option("--csv", help="Write architectures in text form as CSV instead.")
    ] = False,
) -> None:
    """Write a table in the official TFRecord format, for tools that read only that, or as CSV.

    Example: pyg-nas table export nasbench101.hdf5 nasbench101.tfrecord
    """
    from pyg_nas.data.networks.table import NetworkTable, is_network_table
    from pyg_nas.data.tables.architecture_csv import write_architectures
    from pyg_nas.data.tables.official_file import write_official
    from pyg_nas.data.tables.table import Table

    check_output(target, path)
    if target.suffix.lower() == ".csv" and not csv:
        raise SettingsError(f"{target}: CSV is written with --csv alone, TFRecord without")
    if is_network_table(path):
        if not csv:
            raise SettingsError(f"{path}: whole networks have no TFRecord format, use --csv")
        networks = NetworkTable.load(path)
        networks.write_csv(target)
        print_line(f"{target}: {counted(len(networks), 'network')}")
        return
    table = Table.load(path)
    if csv:
        with working("writing"):
            write_architectures(table, target)
        print_line(f"{target}: {counted(len(table), 'architecture')} of {table.space.name}")
        return
    with progress_bar("writing") as advance:
        records = write_official(table, target, advance)
    print_line(f"{target}: {counted(records, 'record')} of {counted(len(table), 'cell')}")


def _print_summary(table: Table, path: Path) -> None:
    missing = 1.0 - table.measured.mean() if len(table) else 0.0
    rows: list[tuple[str, object]] = [
        ("cells" if table.texts is None else "architectures", f"{len(table):,}"),
        ("space", table.space.name),
        ("operations", ", ".join(table.space.operations)),
        ("budgets", ", ".join(map(str, table.budgets)) + " epochs"),
        ("runs at each budget", table.num_runs),
        ("not measured (NaN)", f"{percent(missing, 1)} of {table.metrics.size:,} numbers"),
        *([("further targets", ", ".join(table.targets))] if table.targets else []),
        *table.about.items(),
    ]
    print_table(str(path), ("property", "value"), rows, header=False)


def _print_networks(table: NetworkTable, path: Path) -> None:
    import numpy as np

    sizes = np.diff(table.networks.vertex_ptr)
    rows: list[tuple[str, object]] = [
        ("networks", f"{len(table):,}"),
        ("different graphs", f"{len(np.unique(table.hashes)):,}"),
        ("vertices of a graph", f"{sizes.min():,} to {sizes.max():,}" if len(sizes) else "none"),
        *(
            (name, f"{np.isfinite(values).sum():,} measured, {_range(values)}")
            for name, values in table.targets.items()
        ),
        ("parameters", _range(table.networks.parameters)),
        ("macs", _range(table.networks.macs)),
        *table.about.items(),
    ]
    print_table(str(path), ("property", "value"), rows, header=False)


def _range(values: Any) -> str:
    known = values[values == values]  # NaN is not measured
    return f"{known.min():.4g} to {known.max():.4g}" if known.size else "none"


def _print_coverage(table: Table) -> None:
    from pyg_nas.spaces.measurements import METRICS, READINGS

    shown = [
        (budget, reading, *(percent(fraction, 1) for fraction in fractions))
        for budget, of_budget in zip(table.budgets, table.coverage, strict=True)
        for reading, fractions in zip(READINGS, of_budget, strict=True)
        if fractions.any()
    ]
    if shown:
        columns = ("epochs", "read", *(name.replace("_", " ") for name in METRICS))
        print_table("Measured, of cells x runs", columns, shown)
    else:
        others = " but the further targets" if table.targets else ""
        print_line(f"Nothing is measured{others}.")


def _print_best(table: Table) -> None:
    """Show the cells with the best mean final validation accuracy at the largest budget."""
    import numpy as np

    from pyg_nas.data.protocols.label_texts import label_name
    from pyg_nas.data.protocols.labels import LabelPolicy

    policy = LabelPolicy(run="mean", resample_below=None)
    label = table.label(policy)
    rows = np.argsort(-label, kind="stable")[: min(_BEST_SHOWN, np.isfinite(label).sum())]
    if not len(rows):
        return
    numbers = ("value", "parameters", "vertices", "edges")
    shown = []
    for row in rows.tolist():
        cell, parameters = table.cells[row], int(table.trainable_parameters[row])
        size = f"{parameters:,}" if parameters >= 0 else "unknown"
        shown.append((cell.hash, f"{label[row]:.6g}", size, cell.num_vertices, cell.num_edges))
    name = label_name(table, policy)
    title = f"Best cells by {name} at largest budget, mean of runs"
    print_table(title, ("hash", *numbers), shown, right=numbers)
