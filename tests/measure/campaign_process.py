"""A campaign in a process of its own, to be killed or rivalled; forked from one that is warm."""

from __future__ import annotations

import multiprocessing
from multiprocessing.process import BaseProcess
from pathlib import Path

# Optimizers import it at their first step, which costs more than all jobs of a campaign here.
import torch._dynamo  # noqa: F401

from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.measure.campaigns.campaign import measure_cells
from pyg_nas.measure.campaigns.journal import Journal
from pyg_nas.measure.training import trainer

from .conftest import make_tiny_task

BUDGETS = (2, 6)
SEEDS = (0, 1)


def campaign_cells() -> CellArray:
    return sample_cells(24, seed=2)


def start(journal: Path, log: Path) -> BaseProcess:
    """Start a campaign that writes a line to ``log`` as it begins to train a job."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    process = context.Process(target=_campaign, args=(journal, log))
    process.start()
    return process


def _campaign(path: Path, log: Path) -> None:
    import torch

    torch.set_num_threads(1)
    original = trainer.train

    def logged(cell, task, budget, seeds, device):
        with log.open("a") as lines:
            lines.write(f"{cell.hash} {budget} {seeds}\n")
        return original(cell, task, budget, seeds, device)

    trainer.train = logged
    task = make_tiny_task()
    with Journal(path, task) as journal:
        measure_cells(campaign_cells(), task, BUDGETS, SEEDS, journal)
