"""Images of a task on their way into a network: by batches, augmented and normalised."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from pyg_nas.measure.network import Normalization
from pyg_nas.measure.tasks.task import Task

# Images are augmented by the block: a call for each small batch would cost more than its work.
_AUGMENTED_AT_ONCE = 2048
# Large images are few at a time, so that they need no more memory than those of 32 pixels.
_AUGMENTED_PIXELS = _AUGMENTED_AT_ONCE * 32 * 32
# Of larger images a batch is augmented at a time. Each call is then long enough for one run alone,
# and several would need the memory of all.
_LARGE_PIXELS = 64 * 64


def read_tensor(array: NDArray[Any]) -> Tensor:
    """Return a tensor on the memory of an array, for reading alone."""
    if array.flags.writeable:
        return torch.from_numpy(array)
    with warnings.catch_warnings():
        # The images of Ray's and joblib's workers are in shared memory that cannot be written.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)


def steps_per_epoch(task: Task) -> int:
    """Return how many batches an epoch has."""
    full, rest = divmod(len(task.train), task.settings.batch_size)
    return full + int(rest > 0 and task.settings.whole_epochs)


def training_batches(
    task: Task, generators: Sequence[torch.Generator]
) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield images ``[M, B, C, H, W]`` and labels ``[M, B]``, epoch after epoch without end."""
    normalize = Normalization(*task.statistics)
    images, labels = read_tensor(task.train.images), read_tensor(task.train.labels)
    size = task.settings.batch_size
    usable = steps_per_epoch(task) * size
    together = 1 if is_large(task) else at_once(_AUGMENTED_AT_ONCE, _AUGMENTED_PIXELS, task)
    block = max(1, together // size) * size
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
            del ready  # before the next block


def _order(images: int, usable: int, generator: torch.Generator) -> Tensor:
    """Return the images of an epoch, ``[usable]``."""
    order = torch.randperm(images, generator=generator)
    if usable > images:
        again = torch.randperm(images, generator=generator)[: usable - images]
        order = torch.cat([order, again])
    return order[:usable]


def is_large(task: Task) -> bool:
    """Return whether the images of a task are large enough that their memory matters most."""
    return math.prod(task.network_size.image_size) > _LARGE_PIXELS


def at_once(most: int, pixels: int, task: Task) -> int:
    """Return how many of a task's images are computed together."""
    height, width = task.network_size.image_size
    return max(1, min(most, pixels // (height * width)))
