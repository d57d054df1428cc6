"""Measures the shipped tables: cells drawn uniformly from a space, trained on small images.

    python datasets/scripts/make_tables.py nasbench_digits --cells 1500
    python datasets/scripts/make_tables.py nasbench201_digits nasbench201_textures --cells 1000

The journals keep every finished run: stop it at any time, the same command resumes. Cells come in
the order of one random permutation of their space, ten of them on every task before the next ten,
so the finished ones are a uniform sample. Several processes may work on the journals at once.
`--no-measure` writes the tables of what is finished so far.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer

from pyg_nas.data.tables.table import Table
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.registry import find_space
from pyg_nas.measure.campaigns.campaign import measure_cells
from pyg_nas.measure.campaigns.journal import Journal
from pyg_nas.measure.tasks.digits import digits_task
from pyg_nas.measure.tasks.task import Task
from pyg_nas.measure.tasks.textures import textures_task

SEEDS = (0, 1, 2)
SAMPLE_SEED = 0
BLOCK = 10
HERE = Path(__file__).parents[1]


def _cheap_digits() -> Task:
    """Returns the digits with fewer images for evaluation, for networks of one stack."""
    task = digits_task()
    settings = replace(task.settings, stem_channels=8, num_stacks=1, modules_per_stack=2)
    validation, test = (part.take(slice(0, 500)) for part in (task.validation, task.test))
    return replace(task, settings=settings, validation=validation, test=test)


@dataclass(frozen=True)
class Plan:
    """What a table is measured on."""

    space: str
    task: Callable[[], Task]
    budgets: tuple[int, ...]

    def drawn(self, cells: int) -> CellArray:
        """Returns the first cells of the draw."""
        return sample_cells(cells, SAMPLE_SEED, find_space(self.space).support.cells())


PLANS = {
    "nasbench_digits": Plan("nasbench101", digits_task, (2, 6, 16)),
    "nasbench201_digits": Plan("nasbench201", _cheap_digits, (2, 4, 10)),
    "nasbench201_textures": Plan("nasbench201", textures_task, (2, 4, 10)),
}


def export(journal: Journal, plan: Plan, cells: CellArray) -> Table:
    """Returns the cells whose runs are all finished, in the order of the draw."""
    sample = f"uniform over the cells of {plan.space}, seed {SAMPLE_SEED}"
    # Processor time: the machine was shared, so that wall time says little about a cell.
    table = journal.to_table(plan.budgets, SEEDS, cells, clock="cpu", about={"sample": sample})
    return table.subset(np.flatnonzero(table.measured.all(axis=(1, 2, 3, 4))))


def main(
    names: Annotated[list[str], typer.Argument(help=f"Tables: {', '.join(PLANS)}.")],
    cells: Annotated[int, typer.Option(help="Cells to measure.")] = 1500,
    journals: Annotated[
        Path, typer.Option(help="Folder of the journals; existing ones are resumed.")
    ] = Path(),
    tables: Annotated[Path, typer.Option(help="Folder of the tables.")] = HERE,
    measure: Annotated[bool, typer.Option(help="Train what is missing first.")] = True,
) -> None:
    """Measure cells and write the tables."""
    torch.set_num_threads(1)
    with ExitStack() as stack:
        opened = []
        for name in names:
            plan = PLANS[name]
            task, drawn = plan.task(), plan.drawn(cells)
            journal = Journal(journals / f"{name}.sqlite", task, drawn.space)
            opened.append((name, plan, task, drawn, stack.enter_context(journal)))
        for start in range(0, cells if measure else 0, BLOCK):
            for _, plan, task, drawn, journal in opened:
                block = drawn[start : start + BLOCK]
                measure_cells(block, task, plan.budgets, SEEDS, journal)
            print(f"{min(start + BLOCK, cells)} of {cells} cells", flush=True)
        for name, plan, _, drawn, journal in opened:
            result = export(journal, plan, drawn)
            result.save(tables / f"{name}.hdf5")
            print(f"{name}: {len(result)} cells")


if __name__ == "__main__":
    typer.run(main)
