"""The network of a cell for images of a task: as it is trained, and as a plain module."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from pyg_nas.compute.generators import seeded_generator
from pyg_nas.errors import MeasureError, check_count
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.registry import missing_network
from pyg_nas.io.limits import MOST_SEED
from pyg_nas.measure.tasks.by_name import get_task
from pyg_nas.measure.tasks.task import Task

if TYPE_CHECKING:
    from pyg_nas.graphs.cell import Cell
    from pyg_nas.graphs.cell_network import NetworkSize


class Normalization(nn.Module):
    """Brings images to mean 0 and standard deviation 1 of the training images.

    Args:
        mean: Mean of each channel, ``[C]``.
        deviation: Standard deviation of each channel, ``[C]``.
    """

    mean: Tensor
    deviation: Tensor

    def __init__(self, mean: NDArray[np.float32], deviation: NDArray[np.float32]) -> None:
        super().__init__()
        for name, values in (("mean", mean), ("deviation", deviation)):
            self.register_buffer(name, torch.as_tensor(values).view(-1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        """Map float images ``[..., C, H, W]`` to the same shape."""
        return (images - self.mean) / self.deviation


class ImageNetwork(nn.Module):
    """One trained network as a plain module: images as the task has them to logits.

    Args:
        normalization: Applied to the images first.
        network: A network of one member, from
            :meth:`~pyg_nas.graphs.cell_network.CellNetwork.build`.
        label_scale: Mean and standard deviation of numbers that are predicted; None for classes.
    """

    label_scale: Tensor | None

    def __init__(
        self,
        normalization: Normalization,
        network: nn.Module,
        label_scale: tuple[float, float] | None = None,
    ) -> None:
        super().__init__()
        self.normalization = normalization
        self.network = network
        self.register_buffer(
            "label_scale", None if label_scale is None else torch.tensor(label_scale)
        )

    def forward(self, images: Tensor) -> Tensor:
        """Map images ``[B, C, H, W]``, pixels in the task's unit, to logits ``[B, labels]``.

        Numbers ``[B, 1]`` in the unit of the labels where those are predicted.
        """
        logits: Tensor = self.network(self.normalization(images.float()).unsqueeze(0))
        outputs = logits.squeeze(0)
        if self.label_scale is None:
            return outputs
        return outputs * self.label_scale[1] + self.label_scale[0]


def build_members(cell: Cell, size: NetworkSize, momentum: float, members: int) -> Any:
    """Return the space's network of a cell for images ``[M, B, C, H, W]``.

    Args:
        momentum: Share of the running statistics that batch normalisation keeps at every step.
        members: ``M``, the networks that are trained side by side.

    Raises:
        MeasureError: If cells of this space have no network.
    """
    architecture = cell.space.support.network
    if architecture is None:
        raise MeasureError(missing_network(cell.space))
    return architecture.build(cell, size, members, momentum)


def sized_network(cell: Cell, size: NetworkSize) -> tuple[ImageNetwork, Tensor]:
    """Return the space's network of a cell at a size, with random weights and one image.

    Raises:
        MeasureError: If the cell has no network.
    """
    network = build_members(cell, size, 0.9, 1)
    network.initialize([seeded_generator(0)])
    channels = size.image_channels
    unit = Normalization(np.zeros(channels, np.float32), np.ones(channels, np.float32))
    return ImageNetwork(unit, network), torch.zeros(1, channels, *size.image_size)


def draw_official_network(cell: Cell, generator: torch.Generator) -> tuple[Any, NetworkSize]:
    """Return a cell's network of the official size, with random weights, and that size.

    Args:
        generator: Draws the weights.

    Raises:
        MeasureError: If cells of this space have no such network.
    """
    architecture = cell.space.support.official_network
    if architecture is None:
        raise MeasureError(f"cells of space {cell.space.name!r} have no network of official size")
    network: Any = architecture.build(cell, architecture.size)
    network.initialize([generator])
    return network, architecture.size


def build_network(cell: Cell, task: Task | str | os.PathLike[str], seed: int = 0) -> ImageNetwork:
    """Return the network that a task trains for a cell, with random weights.

    Args:
        task: A task, its name or the path of its images. Images and settings give the network's
            size, labels, normalisation of images and momentum of batch normalisation.
        seed: Random seed of the weights.

    Raises:
        MeasureError: If the cell has no network, is too wide for the task's, or
            there is no such task.
        SettingsError: If the seed is no whole number from 0.
    """
    check_count("seed", seed, MOST_SEED, least=0)
    task = task if isinstance(task, Task) else get_task(task)
    task.check_cells(CellArray.from_cells([cell]))
    network = build_members(cell, task.network_size, task.settings.batch_norm_momentum, 1)
    network.initialize([seeded_generator(seed)])
    return image_network(task, network)


def image_network(task: Task, network: nn.Module) -> ImageNetwork:
    """Return a space's network with the task's normalisation of images and scale of numbers."""
    scale = task.label_scale if task.is_regression else None
    return ImageNetwork(Normalization(*task.statistics), network, scale)
