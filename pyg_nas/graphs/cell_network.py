"""The networks of the cells of a space: their size, and what a space defines of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pyg_nas.io.limits import MOST_BATCH, MOST_CHANNELS, MOST_LAYERS

if TYPE_CHECKING:
    from torch import nn

    from pyg_nas.graphs.cell import Cell
    from pyg_nas.graphs.cell_array import CellArray


@dataclass(frozen=True)
class NetworkSize:
    """Size of a cell's network, and of the images that it maps to logits.

    Args:
        stem_channels: Channels after the stem and in the first stack; they double at each stack.
        num_stacks: Stacks of cells.
        modules_per_stack: Cells in a stack.
        num_labels: Classes.
        image_channels: Channels of an image.
        image_size: Height and width of an image in pixels; only multiply-accumulates depend on it.
        stem_stride: Power of two by which the stem divides height and width.
    """

    stem_channels: int
    num_stacks: int
    modules_per_stack: int
    num_labels: int = 10
    image_channels: int = 3
    image_size: tuple[int, int] = (32, 32)
    stem_stride: int = 1

    @classmethod
    def from_dict(cls, description: Any) -> NetworkSize | None:
        """Return the size that ``dataclasses.asdict`` described, None of anything else.

        A file can claim any size: None too of a network that is too large to be trained.
        """
        try:
            height, width = description["image_size"]
            size = cls(**{**description, "image_size": (height, width)})
        except (TypeError, ValueError, KeyError):
            return None
        numbers = (*vars(size).values(), height, width)
        fields = [number for number in numbers if not isinstance(number, tuple)]
        if not all(type(n) is int and 1 <= n <= MOST_BATCH for n in fields):
            return None
        layers = size.num_stacks * size.modules_per_stack
        possible = (
            layers <= MOST_LAYERS
            and size.stem_channels * 2 ** (size.num_stacks - 1) <= MOST_CHANNELS
            and size.image_channels <= MOST_CHANNELS
        )
        return size if possible else None

    @property
    def stem_output(self) -> tuple[int, int]:
        """Height and width after the stem's convolution, which has stride 2 at most."""
        height, width = self.image_size
        return (height, width) if self.stem_stride == 1 else (-(-height // 2), -(-width // 2))

    @property
    def cell_input(self) -> tuple[int, int]:
        """Height and width of the first cell's input: poolings follow the stem's convolution."""
        height, width = self.stem_output
        further = max(1, self.stem_stride // 2)
        return height // further, width // further


class UniformWidth:
    """The part of a :class:`CellNetwork` whose vertices all have the channels of the output."""

    def channel_shares(self, cells: CellArray) -> NDArray[np.float64]:
        """Return 1 for each vertex, ``[N, V]``, 0 at padding."""
        return cells.mask.astype(np.float64)

    def least_stem_channels(self, cells: CellArray) -> NDArray[np.int64]:
        """Return 1 for each cell, ``[N]``: the network can have any width."""
        return np.ones(len(cells), dtype=np.int64)


class CellNetwork(Protocol):
    """The networks of the cells of a space."""

    @property
    def size(self) -> NetworkSize:
        """Size of the official networks."""

    def trainable_parameters(
        self, cells: CellArray, size: NetworkSize | None = None
    ) -> NDArray[np.int64]:
        """Return the exact trainable parameters, ``[N]``, by default at the official size."""

    def macs(self, cells: CellArray, size: NetworkSize | None = None) -> NDArray[np.int64]:
        """Return the multiply-accumulates of convolutions and dense layers for one image, ``[N]``,
        by default at the official size.
        """

    def channel_shares(self, cells: CellArray) -> NDArray[np.float64]:
        """Return each vertex's channels relative to the output's, ``[N, V]``, 0 at padding."""

    def least_stem_channels(self, cells: CellArray) -> NDArray[np.int64]:
        """Return the narrowest stem that the network of each cell can have, ``[N]``."""

    @property
    def sufficient_stem_channels(self) -> int:
        """Stem channels that are enough for every cell of the space."""

    def build(
        self,
        cell: Cell,
        size: NetworkSize | None = None,
        members: int = 1,
        batch_norm_momentum: float | None = None,
    ) -> nn.Module:
        """Return the network in PyTorch, or ``members`` of them trained side by side.

        The module maps images ``[M, B, C, H, W]`` to logits ``[M, B, labels]``, and its method
        ``initialize`` takes one :class:`torch.Generator` per member. A training sets its attribute
        ``step``, by which layers such as dropout may seed their random numbers, and at its end
        None.
        """
