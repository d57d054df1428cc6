"""Measures the shipped table: cells drawn uniformly from NAS-Bench-101, trained on digits.

    python datasets/scripts/make_nasbench_digits.py --cells 1500

The journal keeps every finished run: stop it at any time, the same command resumes. Cells
come in the order of one random permutation of all 423,624, so the finished ones are a uniform
sample. Several processes may work on one journal at once.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from pyg_nas.data.table import Table
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.measure.campaign import CampaignProgress, measure_cells
from pyg_nas.measure.digits import digits_task
from pyg_nas.measure.journal import Journal

BUDGETS = (2, 6, 16)
SEEDS = (0, 1, 2)
SAMPLE_SEED = 0
HERE = Path(__file__).parents[1]


def export(journal: Journal, cells: int) -> Table:
    """Returns the cells whose runs are all finished, in the order of the draw."""
    # Processor time: the machine was shared, so that wall time says little about a cell.
    table = journal.to_table(
        BUDGETS,
        SEEDS,
        sample_cells(cells, SAMPLE_SEED),
        clock="cpu",
        about={"sample": f"uniform over the cells of NAS-Bench-101, seed {SAMPLE_SEED}"},
    )
    return table.subset(np.flatnonzero(table.measured.all(axis=(1, 2, 3, 4))))


def main(
    cells: Annotated[int, typer.Option(help="Cells to measure.")] = 1500,
    journal: Annotated[
        Path, typer.Option(help="Journal of finished runs; an existing one is resumed.")
    ] = Path("nasbench_digits.sqlite"),
    table: Annotated[Path, typer.Option(help="Table to write.")] = HERE / "nasbench_digits.hdf5",
    measure: Annotated[bool, typer.Option(help="Train what is missing first.")] = True,
) -> None:
    """Measure cells and write the table."""

    def show(progress: CampaignProgress) -> None:
        print(f"{progress.runs} runs, {progress.finished / progress.total:.2%}", flush=True)

    task = digits_task()
    with Journal(journal, task) as opened:
        if measure:
            drawn = sample_cells(cells, SAMPLE_SEED)
            measure_cells(drawn, task, BUDGETS, SEEDS, opened, on_progress=show)
        result = export(opened, cells)
    result.save(table)
    print(f"{table}: {len(result)} cells")


if __name__ == "__main__":
    typer.run(main)
