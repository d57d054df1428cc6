"""Content of a folder of images, and the estimated cost of training on it."""

from __future__ import annotations

import os
import time
from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pyg_nas.errors import MeasureError
from pyg_nas.io.regular_files import file_digest
from pyg_nas.measure.image_files import check_image
from pyg_nas.measure.image_folder import FolderScan

if TYPE_CHECKING:
    from pyg_nas.graphs.cell import Cell
    from pyg_nas.measure.task import Task


@dataclass(frozen=True)
class FolderFacts:
    """Properties of the files of a folder.

    Args:
        sizes: Number of images of each (width, height), the most frequent first.
        grey: Images without colour.
        unreadable: Files that cannot be decoded, each with the reason.
        copies: Groups of files of equal content.
    """

    scan: FolderScan
    sizes: tuple[tuple[tuple[int, int], int], ...]
    grey: int
    unreadable: tuple[tuple[Path, str], ...]
    copies: tuple[tuple[Path, ...], ...]

    @property
    def across_parts(self) -> tuple[tuple[Path, ...], ...]:
        """Groups of equal files in more than one part of a divided folder."""
        return self._groups(self.scan.parts)

    @property
    def across_classes(self) -> tuple[tuple[Path, ...], ...]:
        """Groups of equal files with more than one class or number."""
        return self._groups(self.scan.labels)

    def _groups(self, values: object) -> tuple[tuple[Path, ...], ...]:
        if values is None:
            return ()
        known = dict(zip(self.scan.files, np.asarray(values).tolist(), strict=True))
        return tuple(group for group in self.copies if len({known[file] for file in group}) > 1)


def inspect_folder(
    scan: FolderScan, on_file: Callable[[int, int], None] | None = None
) -> FolderFacts:
    """Open every image of a folder.

    Args:
        on_file: Called after each file with the number of files done and that of all.

    Raises:
        MeasureError: If Pillow is missing.
    """
    sizes: Counter[tuple[int, int]] = Counter()
    unreadable, grey = [], 0
    contents: dict[bytes, list[Path]] = defaultdict(list)
    for done, file in enumerate(scan.files, start=1):
        try:
            size, is_grey = check_image(file)
        except MeasureError as error:
            if "needs Pillow" in str(error):
                raise
            unreadable.append((file, str(error).removeprefix(f"{file}: ")))
        else:
            sizes[size] += 1
            grey += is_grey
            contents[file_digest(file, MeasureError)].append(file)
        if on_file is not None:
            on_file(done, len(scan.files))
    copies = tuple(tuple(group) for group in contents.values() if len(group) > 1)
    return FolderFacts(scan, tuple(sizes.most_common()), grey, tuple(unreadable), copies)


@dataclass(frozen=True)
class TrainingCost:
    """Measured cost of one training step on this machine.

    Args:
        step_seconds: Seconds of one step.
        steps: Steps of an epoch.
        evaluated: Images on which accuracy is read, twice a run.
        evaluation_seconds: Seconds to read it once, estimated.
        peak_bytes: Largest main memory of this process; None if the system has no such number.
        gpu_bytes: Largest memory of this process on the CUDA device that trains; None without one.
    """

    step_seconds: float
    steps: int
    evaluated: int
    evaluation_seconds: float
    peak_bytes: int | None
    gpu_bytes: int | None = None

    def run_seconds(self, epochs: int) -> float:
        """Return the estimated seconds of one run."""
        return epochs * self.steps * self.step_seconds + 2 * self.evaluation_seconds


def time_one_step(task: Task, cell: Cell, largest: Cell, device: str = "cpu") -> TrainingCost:
    """Time one step of training a cell on a task, on one thread, after one that is not timed.

    Args:
        cell: A cell of average size, for the time.
        largest: A large cell, for the memory; its step is not timed.

    Raises:
        MeasureError: If a cell has no network.
    """
    import torch

    from pyg_nas.compute.threads import torch_threads
    from pyg_nas.measure.batches import steps_per_epoch
    from pyg_nas.measure.trainer import Trial

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
    return TrainingCost(seconds, steps, evaluated, evaluation_seconds, _peak_bytes(), gpu_bytes)


def _peak_bytes() -> int | None:
    if os.name != "posix":
        return None
    import resource
    import sys

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
