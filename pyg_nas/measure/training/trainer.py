"""Training the network of a cell, the seeds of one budget side by side."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch

from pyg_nas.compute.generators import seeded_generator
from pyg_nas.errors import MeasureError
from pyg_nas.measure.campaigns.job import Reading, Run
from pyg_nas.measure.network import ImageNetwork, build_members, image_network
from pyg_nas.measure.tasks.objective import Objective
from pyg_nas.measure.tasks.task import Task
from pyg_nas.measure.training.accuracy_reader import AccuracyReader
from pyg_nas.measure.training.batches import is_large, steps_per_epoch, training_batches
from pyg_nas.measure.training.checkpoint import Checkpoint
from pyg_nas.measure.training.optimizers import learning_rate, make_optimizer

if TYPE_CHECKING:
    from pyg_nas.graphs.cell import Cell


def train(
    cell: Cell, task: Task, budget: int, seeds: Sequence[int], device: str = "cpu"
) -> list[Run]:
    """Train the network of a cell once for each seed, side by side, or large images in turn.

    The runs share nothing but the calls: each has its own weights, order of images, augmentation
    and statistics, drawn from its cell, budget and seed alone. So a run gives the same accuracies
    with any other runs beside it, up to rounding. The results of a failed run are returned too.

    Args:
        device: Torch device of the networks; images are augmented on the processor.

    Returns:
        The runs in the order of ``seeds``.

    Raises:
        MeasureError: If ``budget`` is below 1 or a seed appears twice.
    """
    if seeds and is_large(task):
        _check(budget, seeds)
        return [_Training(cell, task, budget, (seed,), device).run()[0] for seed in seeds]
    return _Training(cell, task, budget, seeds, device).run()


def train_network(
    cell: Cell,
    task: Task,
    budget: int,
    seed: int,
    device: str = "cpu",
    on_step: Callable[[int, int], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> tuple[Run, ImageNetwork]:
    """Train the network of a cell as :func:`train` does, and return it with its run.

    Args:
        device: Torch device on which it is trained.
        on_step: Called after each step with the number of steps done and that of all.
        checkpoint: Stores the state after epochs; an existing state is resumed.

    Returns:
        The run, and the network on the processor, in evaluation mode.

    Raises:
        MeasureError: If ``budget`` is below 1.
    """
    training = _Training(cell, task, budget, (seed,), device)
    (run,) = training.run(on_step, checkpoint)
    return run, image_network(task, training.network.cpu()).eval()


class Trial:
    """Single steps of training a cell, to see what they cost."""

    def __init__(self, cell: Cell, task: Task, device: str = "cpu") -> None:
        self._training = _Training(cell, task, 1, (0,), device)
        self._training.network.train()

    def step(self) -> None:
        """Train on the next batch, and wait until the device has finished."""
        self._training.take_step()
        self._training.synchronize()


class _Training:
    """The network of a cell in training, with a member for each seed; its state can be resumed."""

    def __init__(
        self, cell: Cell, task: Task, budget: int, seeds: Sequence[int], device: str
    ) -> None:
        _check(budget, seeds)
        self.budget, self.seeds, self.device = budget, seeds, device
        self.settings, self.objective = task.settings, Objective(task)
        self.generators = [run_generator(cell, budget, seed) for seed in seeds]
        momentum = task.settings.batch_norm_momentum
        self.network = build_members(cell, task.network_size, momentum, len(seeds))
        self.network.initialize(self.generators)
        self.network.to(device)
        self.optimizer = make_optimizer(self.network, task.settings)
        self.loss = self.objective.loss(device)
        self.read_accuracies = AccuracyReader(task, self.objective, len(seeds), device)
        self.batches = training_batches(task, self.generators)
        self.epoch_steps = steps_per_epoch(task)
        self.total = budget * self.epoch_steps
        self.done = 0
        self.wall = self.cpu = 0.0
        self.readings: list[list[list[float]]] = []

    def run(
        self,
        on_step: Callable[[int, int], None] | None = None,
        checkpoint: Checkpoint | None = None,
    ) -> list[Run]:
        """Train to the end, from the state of a checkpoint if there is one."""
        if checkpoint is not None:
            self._restore(checkpoint.read())
        for phase, end in enumerate((self.total // 2, self.total)):
            self.network.train()
            started = time.perf_counter(), time.process_time()
            while self.done < end:
                self.take_step()
                if on_step is not None:
                    on_step(self.done, self.total)
                at_end = self.done % self.epoch_steps == 0
                if checkpoint is not None and checkpoint.is_due and at_end:
                    self._count(*started)
                    checkpoint.write(self._describe())
                    started = time.perf_counter(), time.process_time()
            self.synchronize()
            self._count(*started)
            if len(self.readings) == phase:
                self._read()
        self.network.step = None
        readings = [[Reading(*figures) for figures in members] for members in self.readings]
        return [
            Run(self.budget, seed, halfway, end)
            for seed, halfway, end in zip(self.seeds, *readings, strict=True)
        ]

    def take_step(self) -> None:
        """Train on the next batch."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(self.done, self.total, self.settings)
        self.network.step = self.done
        self.optimizer.zero_grad(set_to_none=True)  # before the images need memory
        images, labels = (each.to(self.device) for each in next(self.batches))
        loss = self.loss(self.network(images), labels)
        torch.autograd.backward(loss / labels.shape[1])
        self.optimizer.step()
        self.done += 1

    def synchronize(self) -> None:
        """Wait until a CUDA device has finished its work."""
        if torch.device(self.device).type == "cuda":
            torch.cuda.synchronize(self.device)

    def _read(self) -> None:
        """Read time and accuracies of every member."""
        self.network.eval()
        members = len(self.seeds)
        times = [self.wall / members, self.cpu / members]
        self.readings.append(
            [[*times, *accuracies] for accuracies in self.read_accuracies(self.network)]
        )

    def _count(self, wall: float, cpu: float) -> None:
        """Add the time since these moments."""
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu

    def _describe(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generators": [generator.get_state() for generator in self.generators],
            "step": self.done,
            "wall": self.wall,
            "cpu": self.cpu,
            "readings": self.readings,
        }

    def _restore(self, described: dict[str, Any] | None) -> None:
        if described is None:
            return
        self.network.load_state_dict(described["network"])
        self.optimizer.load_state_dict(described["optimizer"])
        for generator, state in zip(self.generators, described["generators"], strict=True):
            generator.set_state(state)
        self.done, self.readings = described["step"], described["readings"]
        self.wall, self.cpu = described["wall"], described["cpu"]


def _check(budget: int, seeds: Sequence[int]) -> None:
    if budget < 1 or len(set(seeds)) != len(seeds) or not seeds:
        raise MeasureError(
            f"a budget must be at least 1 epoch and seeds must differ, got {budget} and "
            f"{list(seeds)}"
        )


def run_generator(cell: Cell, budget: int, seed: int) -> torch.Generator:
    """Return the random generator of a run: of its weights, order of images and augmentation."""
    digest = hashlib.sha256(f"{cell.hash} {budget} {seed}".encode()).digest()
    return seeded_generator(int.from_bytes(digest[:8], "big") >> 1)
