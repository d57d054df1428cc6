"""Results of training runs, and jobs: the runs of one cell at one budget, which a worker trains."""

from __future__ import annotations

import traceback
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pyg_nas.errors import PygNasError, one_line
from pyg_nas.graphs.registry import open_space

if TYPE_CHECKING:
    from pyg_nas.graphs.cell import Cell
    from pyg_nas.measure.tasks.task import Task


@dataclass(frozen=True)
class Reading:
    """The metrics of one run at one moment.

    Args:
        wall_seconds: Seconds of training so far, without evaluation. Runs that were trained side
            by side share the time equally.
        cpu_seconds: The same in processor seconds of the process, all threads together.
        train_accuracy: Fraction of the evaluated training images that is classified correctly.
        validation_accuracy: The same of the validation images.
        test_accuracy: The same of the test images.
    """

    wall_seconds: float
    cpu_seconds: float
    train_accuracy: float
    validation_accuracy: float
    test_accuracy: float


@dataclass(frozen=True)
class Run:
    """One finished training run.

    Args:
        budget: Epochs.
        seed: Seed of the run.
        halfway: Reading after half of the steps.
        end: Reading after all steps.
    """

    budget: int
    seed: int
    halfway: Reading
    end: Reading


@dataclass(frozen=True)
class Job:
    """Runs of one cell at one budget that are trained side by side.

    Args:
        budget: Epochs.
        seeds: One run each.
    """

    cell: Cell
    budget: int
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class JobOutcome:
    """The outcome of a job.

    Args:
        runs: Its finished runs, none if it failed.
        error: The error, None if there was none.
        is_final: Whether another try with the same seeds would end in the same error.
    """

    job: Job
    runs: tuple[Run, ...]
    error: str | None = None
    is_final: bool = False


def attempt(
    task: Task, job: Job, device: str, threads: int, space: str | None = None
) -> JobOutcome:
    """Train a job; an error is its outcome.

    Args:
        threads: Torch threads on a CPU.
        space: ``file.py:NAME`` of the cell's space where the user named one.
    """
    from pyg_nas.compute.threads import torch_threads
    from pyg_nas.measure.training.trainer import train

    try:
        with torch_threads(threads):
            if space is not None:
                open_space(space)
            return JobOutcome(job, tuple(train(job.cell, task, job.budget, job.seeds, device)))
    except PygNasError as error:  # its message says all
        return JobOutcome(job, (), one_line(error), is_final=True)
    except (Exception, SystemExit) as error:
        place = traceback.extract_tb(error.__traceback__)[-1]
        where = f"{Path(place.filename).name}:{place.lineno}"
        return JobOutcome(job, (), f"{type(error).__name__}: {one_line(error)} ({where})")
