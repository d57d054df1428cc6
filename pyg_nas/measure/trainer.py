"""Training the network of a cell, the seeds of one budget side by side."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from inspect import unwrap
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from pyg_nas.errors import MeasureError
from pyg_nas.measure.checkpoint import Checkpoint
from pyg_nas.measure.job import Reading, Run
from pyg_nas.measure.network import ImageNetwork, Normalization, build_members, image_network
from pyg_nas.measure.objective import Objective
from pyg_nas.measure.settings import TrainingSettings
from pyg_nas.measure.task import Task

if TYPE_CHECKING:
    from pyg_nas.graphs.cell import Cell

# Small enough that the activations of small networks stay in a core's cache.
JUDGED_AT_ONCE = 128
# Images are augmented by the block: a call for each small batch would cost more than its work.
_AUGMENTED_AT_ONCE = 2048
# Large images are few at a time, so that they need no more memory than those of 64 and 32 pixels.
_JUDGED_PIXELS = JUDGED_AT_ONCE * 64 * 64
_AUGMENTED_PIXELS = _AUGMENTED_AT_ONCE * 32 * 32
# Of larger images a batch is augmented at a time. Each call is then long enough for one run alone,
# and several would need the memory of all.
_LARGE_PIXELS = 64 * 64


def learning_rate(step: int, total: int, settings: TrainingSettings) -> float:
    """Return the learning rate of ``step`` (0-based) out of ``total`` steps."""
    rising = settings.warmup * total
    if step < rising:
        return settings.learning_rate * (step + 1) / (rising + 1)
    fraction = (step - rising) / (total - rising)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * fraction))


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
    if seeds and _is_large(task):
        _check(budget, seeds)
        return [_train(cell, task, budget, (seed,), device)[0][0] for seed in seeds]
    return _train(cell, task, budget, seeds, device)[0]


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
    (run,), network = _train(cell, task, budget, (seed,), device, on_step, checkpoint)
    return run, image_network(task, network.cpu()).eval()


def _train(
    cell: Cell,
    task: Task,
    budget: int,
    seeds: Sequence[int],
    device: str,
    on_step: Callable[[int, int], None] | None = None,
    checkpoint: Checkpoint | None = None,
) -> tuple[list[Run], nn.Module]:
    _check(budget, seeds)
    settings = task.settings
    generators = [_generator(cell, budget, seed) for seed in seeds]
    network, optimizer = _initial(cell, task, generators, device)
    objective = Objective(task)
    judge = _Judge(task, objective, len(seeds), device)
    loss = objective.loss(device)
    epoch_steps = steps_per_epoch(task)
    total = budget * epoch_steps
    state = _State(network, optimizer, generators)
    if checkpoint is not None:
        state.restore(checkpoint.read())
    batches = _batches(task, generators)
    for phase, end in enumerate((total // 2, total)):
        network.train()
        started = time.perf_counter(), time.process_time()
        for step in range(state.step, end):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, total, settings)
            network.step = step
            images, labels = next(batches)
            _step(network, optimizer, loss, images.to(device), labels.to(device))
            state.step = step + 1
            if on_step is not None:
                on_step(step + 1, total)
            if checkpoint is not None and checkpoint.is_due and (step + 1) % epoch_steps == 0:
                state.count(*started)
                checkpoint.write(state.describe())
                started = time.perf_counter(), time.process_time()
        if torch.device(device).type == "cuda":
            torch.cuda.synchronize(device)
        state.count(*started)
        if len(state.readings) == phase:
            network.eval()
            state.readings.append(
                [
                    [state.wall / len(seeds), state.cpu / len(seeds), *accuracies]
                    for accuracies in judge(network)
                ]
            )
    network.step = None
    readings = [[Reading(*figures) for figures in members] for members in state.readings]
    runs = [
        Run(budget, seed, halfway, end) for seed, halfway, end in zip(seeds, *readings, strict=True)
    ]
    return runs, network


def _check(budget: int, seeds: Sequence[int]) -> None:
    if budget < 1 or len(set(seeds)) != len(seeds) or not seeds:
        raise MeasureError(
            f"a budget must be at least 1 epoch and seeds must differ, got {budget} and "
            f"{list(seeds)}"
        )


class Trial:
    """Single steps of training a cell, to see what they cost."""

    def __init__(self, cell: Cell, task: Task, device: str = "cpu") -> None:
        generators = [_generator(cell, 1, 0)]
        self.network, self._optimizer = _initial(cell, task, generators, device)
        self.network.train()
        self.device = device
        self._loss = Objective(task).loss(device)
        self._batches = _batches(task, generators)

    def step(self) -> None:
        """Train on the next batch."""
        images, labels = next(self._batches)
        _step(
            self.network,
            self._optimizer,
            self._loss,
            images.to(self.device),
            labels.to(self.device),
        )
        if torch.device(self.device).type == "cuda":
            torch.cuda.synchronize(self.device)


@dataclass
class _State:
    """The state from which a run is resumed."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    generators: Sequence[torch.Generator]
    step: int = 0
    wall: float = 0.0
    cpu: float = 0.0
    readings: list[list[list[float]]] = field(default_factory=list)

    def count(self, wall: float, cpu: float) -> None:
        """Add the time since these moments."""
        self.wall += time.perf_counter() - wall
        self.cpu += time.process_time() - cpu

    def describe(self) -> dict[str, Any]:
        return {
            "network": self.network.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generators": [generator.get_state() for generator in self.generators],
            "step": self.step,
            "wall": self.wall,
            "cpu": self.cpu,
            "readings": self.readings,
        }

    def restore(self, described: dict[str, Any] | None) -> None:
        if described is None:
            return
        self.network.load_state_dict(described["network"])
        self.optimizer.load_state_dict(described["optimizer"])
        for generator, state in zip(self.generators, described["generators"], strict=True):
            generator.set_state(state)
        self.step, self.readings = described["step"], described["readings"]
        self.wall, self.cpu = described["wall"], described["cpu"]


def steps_per_epoch(task: Task) -> int:
    """Return how many batches an epoch has."""
    full, rest = divmod(len(task.train), task.settings.batch_size)
    return full + int(rest > 0 and task.settings.whole_epochs)


def _generator(cell: Cell, budget: int, seed: int) -> torch.Generator:
    digest = hashlib.sha256(f"{cell.hash} {budget} {seed}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def _initial(
    cell: Cell, task: Task, generators: Sequence[torch.Generator], device: str
) -> tuple[Any, torch.optim.Optimizer]:
    """Return the network of a cell with random weights, a member for each generator."""
    momentum = task.settings.batch_norm_momentum
    network = build_members(cell, task.network_size, momentum, len(generators))
    network.initialize(generators)
    network.to(device)
    return network, _optimizer(network, task.settings)


def _optimizer(network: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    if settings.optimizer == "sgd":
        return _SGD(
            network.parameters(),
            lr=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=settings.momentum > 0,
            fused=True,
        )
    return _RMSprop(
        network.parameters(),
        lr=settings.learning_rate,
        alpha=0.9,
        eps=1.0,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )


class _Light:
    """Methods of an optimizer that do not import torch's compiler, which needs 70 MB and 2 s."""

    add_param_group = unwrap(torch.optim.Optimizer.add_param_group)
    zero_grad = unwrap(torch.optim.Optimizer.zero_grad)
    state_dict = unwrap(torch.optim.Optimizer.state_dict)
    load_state_dict = unwrap(torch.optim.Optimizer.load_state_dict)


class _SGD(_Light, torch.optim.SGD):
    step = torch.no_grad()(unwrap(torch.optim.SGD.step))


class _RMSprop(_Light, torch.optim.RMSprop):
    step = torch.no_grad()(unwrap(torch.optim.RMSprop.step))


def _step(
    network: nn.Module,
    optimizer: torch.optim.Optimizer,
    loss: Callable[[Tensor, Tensor], Tensor],
    images: Tensor,
    labels: Tensor,
) -> None:
    total = loss(network(images), labels)
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(total / labels.shape[1])
    optimizer.step()


def _batches(task: Task, generators: Sequence[torch.Generator]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield images ``[M, B, C, H, W]`` and labels ``[M, B]``, epoch after epoch without end."""
    normalize = Normalization(*task.statistics)
    images = torch.from_numpy(task.train.images)
    labels = torch.from_numpy(task.train.labels)
    size = task.settings.batch_size
    usable = steps_per_epoch(task) * size
    at_once = 1 if _is_large(task) else _at_once(_AUGMENTED_AT_ONCE, _AUGMENTED_PIXELS, task)
    block = max(1, at_once // size) * size
    while True:
        orders = [_order(len(labels), usable, generator) for generator in generators]
        for start in range(0, usable, block):
            rows = [order[start : start + block] for order in orders]
            seen = [
                task.settings.augmentation(images[r].float(), normalize.deviation, generator)
                for r, generator in zip(rows, generators, strict=True)
            ]
            # In place, as images are the largest arrays here.
            ready = seen[0][None].contiguous() if len(seen) == 1 else torch.stack(seen)
            del seen
            ready.sub_(normalize.mean).div_(normalize.deviation)
            known = torch.stack([labels[r] for r in rows])
            yield from zip(torch.split(ready, size, 1), torch.split(known, size, 1), strict=True)


def _order(images: int, usable: int, generator: torch.Generator) -> Tensor:
    """Return the images of an epoch, ``[usable]``."""
    order = torch.randperm(images, generator=generator)
    if usable > images:
        again = torch.randperm(images, generator=generator)[: usable - images]
        order = torch.cat([order, again])
    return order[:usable]


def _is_large(task: Task) -> bool:
    """Return whether the images of a task are large enough that their memory matters most."""
    return math.prod(task.network_size.image_size) > _LARGE_PIXELS


def _at_once(most: int, pixels: int, task: Task) -> int:
    """Return how many of a task's images are computed together."""
    height, width = task.network_size.image_size
    return max(1, min(most, pixels // (height * width)))


class _Judge:
    """Reads the accuracies of all members of a network."""

    def __init__(self, task: Task, objective: Objective, members: int, device: str) -> None:
        self.normalize = Normalization(*task.statistics).to(device)
        self.objective = objective
        self.members = members
        self.device = device
        self.at_once = _at_once(JUDGED_AT_ONCE, _JUDGED_PIXELS, task)
        self.parts = (task.judged_train, task.validation, task.test)

    @torch.inference_mode()
    def __call__(self, network: nn.Module) -> list[list[float]]:
        """Return (training, validation, test) accuracy of every member."""
        columns = []
        for part in self.parts:
            predicted = torch.cat(
                [
                    self._predict(network, torch.from_numpy(part.images[start:][: self.at_once]))
                    for start in range(0, len(part), self.at_once)
                ],
                dim=1,
            )
            columns.append(
                [self.objective.score(part.labels, member) for member in predicted.cpu().numpy()]
            )
        return [list(row) for row in zip(*columns, strict=True)]

    def _predict(self, network: nn.Module, images: Tensor) -> Tensor:
        """Return the predictions of every member for images ``[B, C, H, W]``, ``[M, B]``."""
        seen = self.normalize(images.to(self.device).float())
        return self.objective.predictions(network(seen.expand(self.members, *seen.shape)))
