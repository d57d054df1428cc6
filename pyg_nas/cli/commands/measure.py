"""``pyg-nas measure``: train cells for real and write the table of their results."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pyg_nas.cli.console import print_line, resumable
from pyg_nas.cli.options import (
    Backend,
    Device,
    ImageSize,
    ImageSplitSeed,
    Metric,
    TrainingSettingsFile,
    check_settings_file,
    check_split_seed,
    check_table_output,
    refuse,
    seed_option,
)
from pyg_nas.cli.progress import campaign_progress, progress_bar, working
from pyg_nas.cli.spaces import OWN, chosen_space
from pyg_nas.compute.device import check_device
from pyg_nas.errors import SettingsError, quoted
from pyg_nas.io.limits import MOST_CELLS, MOST_DIGITS, MOST_RETRIES
from pyg_nas.io.text import counted

if TYPE_CHECKING:
    from pyg_nas.graphs.cell_array import CellArray


def measure(
    task: Annotated[
        str,
        typer.Argument(
            metavar="TASK",
            help="digits, textures, cifar10, an .npz file or a folder of class folders.",
        ),
    ],
    cells: Annotated[
        str,
        typer.Option(
            metavar="N|FILE", help="Number of cells drawn from the space, or a table's cells."
        ),
    ],
    journal: Annotated[
        Path,
        typer.Option(help="File that stores every finished run, so that the command can resume."),
    ],
    table: Annotated[Path, typer.Option(help="Table to write when all runs are finished.")],
    budgets: Annotated[str, typer.Option(help="Epochs, separated by commas.")] = "4,12,36",
    seeds: Annotated[int, typer.Option(min=1, help="Runs of each cell at each budget.")] = 3,
    settings: TrainingSettingsFile = None,
    image_size: ImageSize = None,
    metric: Metric = None,
    space: Annotated[
        str | None,
        typer.Option(
            help="Search space of the cells: nasbench101 by default, nasbench201, "
            f"transnasbench101, {OWN}."
        ),
    ] = None,
    sample_seed: Annotated[int, seed_option("Random seed of the cells that are drawn.")] = 0,
    split_seed: ImageSplitSeed = 0,
    backend: Backend = "loky",
    workers: Annotated[int, typer.Option(help="Jobs at a time; -1 for all cores.")] = 1,
    threads: Annotated[int, typer.Option(help="Processor threads of each job.")] = 1,
    device: Device = "auto",
    gpus_per_run: Annotated[
        float, typer.Option(help="GPUs that Ray reserves for each job, 0.5 for two jobs on one.")
    ] = 0.0,
    retries: Annotated[
        int, typer.Option(min=0, max=MOST_RETRIES, help="Retries of a failed job.")
    ] = 2,
) -> None:
    """Train cells on images and write their accuracies as a table.

    Every finished run is stored in the journal at once. The command can be stopped at any time; the
    same command resumes with the missing runs. Several processes of one machine may share a
    journal; use the backend ray or dask for several machines.

    Example: pyg-nas measure photos --cells 100 --journal runs.sqlite --table photos.hdf5
    """
    from pyg_nas.measure import Executor, Journal, get_task, measure_cells
    from pyg_nas.measure.campaigns.campaign import check_request

    check_device(device)
    # The table of --cells may well be measured further in place.
    check_table_output(table, task, settings, journal)
    if table.resolve() == journal.resolve():
        raise SettingsError(f"--table and --journal must be two files, got {table} for both")
    executor = Executor(backend, workers, device, threads, gpus_per_run)
    epochs = _budgets(budgets)
    check_settings_file(settings)
    check_split_seed(task, split_seed)
    if not cells.isdecimal():
        refuse({"--sample-seed": sample_seed or None}, f"is for a number of cells, got {cells}")
    with working("reading cells and images"):
        drawn = _cells(cells, sample_seed, space)
        check_request(drawn, epochs, seeds)  # before there is a journal
        loaded = get_task(task, settings, image_size, split_seed, journal, metric)
    with (
        resumable(journal),
        Journal(journal, loaded, drawn.space) as opened,
        progress_bar("measuring, epochs") as advance,
    ):
        shown = campaign_progress(advance)
        result = measure_cells(drawn, loaded, epochs, seeds, opened, executor, retries, shown)
    result.save(table)
    print_line(f"{table}: {counted(len(result), 'cell')} of {loaded.name}")


def _budgets(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError:
        raise SettingsError(
            f"--budgets must be whole numbers of epochs separated by commas, got {quoted(text)}"
        ) from None


def _cells(text: str, seed: int, space: str | None) -> CellArray:
    import numpy as np

    from pyg_nas.data.tables.sources import open_table
    from pyg_nas.graphs.enumeration import sample_cells

    found = chosen_space(space)
    if not text.isdecimal():
        cells = open_table(text, found if space is not None else None).cells
        if cells.space.support.network is None:
            # Plain graphs are read again as cells of the default space, for its error.
            cells = open_table(text, found).cells
        # Several rows of a table may be drawings of one cell.
        return cells[np.sort(np.unique(cells.hashes(), return_index=True)[1])]
    if len(text) > MOST_DIGITS or not 1 <= int(text) <= MOST_CELLS:
        raise SettingsError(f"--cells must be 1 to {MOST_CELLS:,}, or a file, got {quoted(text)}")
    return sample_cells(int(text), seed, found.support.cells())
