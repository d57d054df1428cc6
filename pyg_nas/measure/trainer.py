"""Training the network of a cell, the seeds of one budget side by side."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.nn import functional

from pyg_nas.errors import MeasureError
from pyg_nas.measure.network import ImageNetwork, Normalization, build_members
from pyg_nas.measure.run import Reading, Run
from pyg_nas.measure.settings import TrainingSettings
from pyg_nas.measure.task import Task

if TYPE_CHECKING:
    from pyg_nas.graphs.cell import Cell

# Small enough that the activations of small networks stay in a core's cache.
JUDGED_AT_ONCE = 128
# Images are augmented by the block: a call for each small batch would cost more than its work.
_AUGMENTED_AT_ONCE = 2048


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
    """Train the network of a cell once for each seed, side by side.

    The runs share nothing but the calls: each has its own weights, order of images, augmentation
    and statistics, drawn from its cell, budget and seed alone. So a run gives the same accuracies
    with any other runs beside it, up to rounding. The results of a failed run are returned too.

    Args:
        cell: The cell.
        task: The task.
        budget: Epochs.
        seeds: One run each.
        device: Torch device of the networks; images are augmented on the processor.

    Returns:
        The runs in the order of ``seeds``.

    Raises:
        MeasureError: If ``budget`` is below 1 or a seed appears twice.
    """
    return _train(cell, task, budget, seeds, device)[0]


def train_network(
    cell: Cell,
    task: Task,
    budget: int,
    seed: int,
    device: str = "cpu",
    on_step: Callable[[int, int], None] | None = None,
) -> tuple[Run, ImageNetwork]:
    """Train the network of a cell as :func:`train` does, and return it with its run.

    Args:
        cell: The cell.
        task: The task.
        budget: Epochs.
        seed: Random seed of the run.
        device: Torch device on which it is trained.
        on_step: Called after each step with the number of steps done and that of all.

    Returns:
        The run, and the network on the processor, in evaluation mode.

    Raises:
        MeasureError: If ``budget`` is below 1.
    """
    (run,), network = _train(cell, task, budget, (seed,), device, on_step)
    return run, ImageNetwork(Normalization(*task.statistics), network.cpu()).eval()


def _train(
    cell: Cell,
    task: Task,
    budget: int,
    seeds: Sequence[int],
    device: str,
    on_step: Callable[[int, int], None] | None = None,
) -> tuple[list[Run], nn.Module]:
    if budget < 1 or len(set(seeds)) != len(seeds) or not seeds:
        raise MeasureError(
            f"a budget must be at least 1 epoch and seeds must differ, got {budget} and "
            f"{list(seeds)}"
        )
    settings = task.settings
    generators = [_generator(cell, budget, seed) for seed in seeds]
    network = build_members(cell, task.network_size, settings.batch_norm_momentum, len(seeds))
    network.initialize(generators)
    network.to(device)
    optimizer = _optimizer(network, settings)
    judge = _Judge(task, len(seeds), device)
    total = budget * (len(task.train) // settings.batch_size)
    batches = _batches(task, generators)
    readings = []
    wall = cpu = 0.0
    for first, last in ((0, total // 2), (total // 2, total)):
        network.train()
        started = time.perf_counter(), time.process_time()
        for step in range(first, last):
            for group in optimizer.param_groups:
                group["lr"] = learning_rate(step, total, settings)
            images, labels = next(batches)
            _step(network, optimizer, images.to(device), labels.to(device))
            if on_step is not None:
                on_step(step + 1, total)
        if torch.device(device).type == "cuda":
            torch.cuda.synchronize(device)
        wall += time.perf_counter() - started[0]
        cpu += time.process_time() - started[1]
        network.eval()
        readings.append(
            [
                Reading(wall / len(seeds), cpu / len(seeds), *accuracies)
                for accuracies in judge(network)
            ]
        )
    runs = [
        Run(budget, seed, halfway, end) for seed, halfway, end in zip(seeds, *readings, strict=True)
    ]
    return runs, network


def _generator(cell: Cell, budget: int, seed: int) -> torch.Generator:
    digest = hashlib.sha256(f"{cell.hash} {budget} {seed}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)


def _optimizer(network: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    if settings.optimizer == "sgd":
        return torch.optim.SGD(
            network.parameters(),
            lr=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=settings.momentum > 0,
            fused=True,
        )
    return torch.optim.RMSprop(
        network.parameters(),
        lr=settings.learning_rate,
        alpha=0.9,
        eps=1.0,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )


def _step(
    network: nn.Module, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor
) -> None:
    logits = network(images)
    # Summed over the members, so that each one's gradient is that of its own mean loss.
    loss = functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), reduction="sum")
    optimizer.zero_grad(set_to_none=True)
    torch.autograd.backward(loss / labels.shape[1])
    optimizer.step()


def _batches(task: Task, generators: Sequence[torch.Generator]) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield images ``[M, B, C, H, W]`` and labels ``[M, B]``, epoch after epoch without end."""
    normalize = Normalization(*task.statistics)
    images = torch.from_numpy(task.train.images)
    labels = torch.from_numpy(task.train.labels)
    size = task.settings.batch_size
    usable = len(task.train) // size * size
    block = max(1, _AUGMENTED_AT_ONCE // size) * size
    while True:
        orders = [torch.randperm(len(labels), generator=g)[:usable] for g in generators]
        for start in range(0, usable, block):
            rows = [order[start : start + block] for order in orders]
            seen = torch.stack(
                [
                    task.settings.augmentation(images[r].float(), normalize.deviation, generator)
                    for r, generator in zip(rows, generators, strict=True)
                ]
            )
            known = torch.stack([labels[r] for r in rows])
            yield from zip(
                torch.split(normalize(seen), size, 1), torch.split(known, size, 1), strict=True
            )


class _Judge:
    """Reads the accuracies of all members of a network."""

    def __init__(self, task: Task, members: int, device: str) -> None:
        normalize = Normalization(*task.statistics).to(device)
        self.members = members
        self.parts = [
            (
                normalize(torch.from_numpy(part.images).to(device).float()),
                torch.from_numpy(part.labels).to(device),
            )
            for part in (task.judged_train, task.validation, task.test)
        ]

    @torch.inference_mode()
    def __call__(self, network: nn.Module) -> list[list[float]]:
        """Return (training, validation, test) accuracy of every member."""
        columns = []
        for images, labels in self.parts:
            correct = torch.zeros(self.members, dtype=torch.int64, device=labels.device)
            for seen, known in zip(
                torch.split(images, JUDGED_AT_ONCE),
                torch.split(labels, JUDGED_AT_ONCE),
                strict=True,
            ):
                predicted = network(seen.expand(self.members, *seen.shape)).argmax(-1)
                correct += (predicted == known).sum(1)
            columns.append((correct.double() / len(labels)).tolist())
        return [list(row) for row in zip(*columns, strict=True)]
