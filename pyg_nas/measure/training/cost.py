"""The estimated cost of training on a task, from one step that is timed."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from pyg_nas.compute.threads import torch_threads
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.measure.training.batches import steps_per_epoch
from pyg_nas.measure.training.trainer import Trial

if TYPE_CHECKING:
    from pyg_nas.graphs.cell import Cell
    from pyg_nas.graphs.search_space import SearchSpace
    from pyg_nas.measure.tasks.task import Task

_SAMPLED = 99


@dataclass(frozen=True)
class TrainingCost:
    """Measured cost of one training step on this machine.

    Args:
        step_seconds: Seconds of one step.
        steps: Steps of an epoch.
        evaluation_seconds: Seconds to read accuracy once, which is done twice a run, estimated.
        peak_bytes: Largest main memory of this process; None if the system has no such number.
        gpu_bytes: Largest memory of this process on the CUDA device that trains; None without one.
    """

    step_seconds: float
    steps: int
    evaluation_seconds: float
    peak_bytes: int | None
    gpu_bytes: int | None = None

    def run_seconds(self, epochs: int) -> float:
        """Return the estimated seconds of one run."""
        return epochs * self.steps * self.step_seconds + 2 * self.evaluation_seconds


def estimated_cost(task: Task, space: SearchSpace, device: str) -> TrainingCost:
    """Return the cost of training cells of a space, measured on two of some random cells.

    The time is that of the one with the median number of parameters, the memory that of the
    largest.

    Args:
        space: Its cells have networks.

    Raises:
        MeasureError: If the task's networks are too narrow for one of the cells.
    """
    cells = space.support.cells()
    drawn = sample_cells(min(_SAMPLED, len(cells)), 0, cells)
    task.check_cells(drawn)
    order = drawn.trainable_parameters(task.network_size).argsort()
    middle, largest = drawn[int(order[len(drawn) // 2])], drawn[int(order[-1])]
    return time_one_step(task, middle, largest, device)


def time_one_step(task: Task, cell: Cell, largest: Cell, device: str = "cpu") -> TrainingCost:
    """Time one step of training a cell on a task, on one thread, after one that is not timed.

    Args:
        cell: A cell of average size, for the time.
        largest: A large cell, for the memory; its step is not timed.

    Raises:
        MeasureError: If a cell has no network.
    """
    with torch_threads(1):
        trial = Trial(cell, task, device)
        trial.step()
        started = time.perf_counter()
        trial.step()
        seconds = time.perf_counter() - started
        del trial
        Trial(largest, task, device).step()
    evaluated = len(task.evaluated_train) + len(task.validation) + len(task.test)
    # A forward pass is a third of a step.
    evaluation_seconds = seconds / 3 * evaluated / task.settings.batch_size
    steps = steps_per_epoch(task)
    # Reserved memory, which is more than the tensors need: other processes cannot use it.
    cuda = torch.device(device).type == "cuda"
    gpu_bytes = torch.cuda.max_memory_reserved(device) if cuda else None
    return TrainingCost(seconds, steps, evaluation_seconds, _peak_bytes(), gpu_bytes)


def _peak_bytes() -> int | None:
    if os.name != "posix":
        return None
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
