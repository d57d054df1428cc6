"""Exact trainable parameters and multiply-accumulates of TransNAS-Bench-101 (micro) networks.

Every operation counts, also one that does not reach the output. Parameters equal the published
counts of the task "class_scene".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from numpy.typing import NDArray

from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.spaces.edge_cells.architectures import EDGES, KERNEL_SIZES, SKIP
from pyg_nas.spaces.edge_cells.network_size import Layers, convolution, dense

OFFICIAL_SIZE = NetworkSize(
    stem_channels=64, num_stacks=3, modules_per_stack=2, num_labels=63, image_size=(256, 256)
)
"""Three halving modules with one plain module between two of them, two cells in each."""

STEM_STRIDE = 4
"""By what two convolutions of the stem divide height and width."""


def cells_of(size: NetworkSize) -> Iterator[tuple[int, int, int]]:
    """Yield input channels, output channels and stride of every cell of a network."""
    channels = size.stem_channels
    for module in range(2 * size.num_stacks - 1):
        for cell in range(size.modules_per_stack):
            halving = module % 2 == 0 and cell == 0
            wider = 2 * channels if halving else channels
            yield channels, wider, 2 if halving else 1
            channels = wider


def layers(operations: NDArray[Any], size: NetworkSize) -> Iterator[Layers]:
    """Yield the layers of the networks of ``N`` architectures.

    Args:
        operations: Operation numbers ``[N, 6]``.
        size: Size of the networks and of an image.
    """
    channels, half = size.stem_channels, max(size.stem_channels // 2, 1)
    height, width = ((side + 1) // 2 for side in size.image_size)
    yield Layers(1, *convolution(3, size.image_channels, half, height * width))
    height, width = (height + 1) // 2, (width + 1) // 2
    yield Layers(1, *convolution(3, half, channels, height * width))
    further = max(1, size.stem_stride // STEM_STRIDE)
    height, width = height // further, width // further
    for channels_in, channels, stride in cells_of(size):
        height, width = -(-height // stride), -(-width // stride)
        for column, (source, _) in zip(operations.T, EDGES, strict=True):
            first = channels_in if source == 0 else channels
            kernels = dict(KERNEL_SIZES)
            if source == 0 and stride == 2:
                kernels[SKIP] = 1  # two 1x1 convolutions of half of the channels each
            for number, kernel_size in kernels.items():
                size_of_one = convolution(kernel_size, first, channels, height * width)
                yield Layers((column == number).astype(int), *size_of_one)
    yield Layers(1, *dense(channels, size))
