"""Exact trainable parameters and multiply-accumulates of TransNAS-Bench-101 (micro) networks.

Every operation counts, also one that does not reach the output. Parameters equal the published
counts of the task "class_scene".
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.graphs.space_support import NetworkSize
from pyg_nas.spaces.edge_cells import EDGES, SKIP

OFFICIAL_SIZE = NetworkSize(
    stem_channels=64, num_stacks=3, modules_per_stack=2, num_labels=63, image_size=(256, 256)
)
"""Three halving modules with one plain module between two of them, two cells in each."""

STEM_STRIDE = 4
"""By what two convolutions of the stem divide height and width."""

_KERNEL_AREAS = {2: 1, 3: 9}


def cells_of(size: NetworkSize) -> Iterator[tuple[int, int, int]]:
    """Yield input channels, output channels and stride of every cell of a network."""
    channels = size.stem_channels
    for module in range(2 * size.num_stacks - 1):
        for cell in range(size.modules_per_stack):
            halving = module % 2 == 0 and cell == 0
            wider = 2 * channels if halving else channels
            yield channels, wider, 2 if halving else 1
            channels = wider


def trainable_parameters(operations: NDArray[Any], size: NetworkSize) -> NDArray[np.int64]:
    """Return the parameters of the networks of ``N`` architectures, int64 ``[N]``.

    Args:
        operations: Operation numbers ``[N, 6]``.
        size: Size of the network.
    """
    half = max(size.stem_channels // 2, 1)
    stem = (9 * size.image_channels + 2) * half + (9 * half + 2) * size.stem_channels
    total = np.full(len(operations), stem, dtype=np.int64)
    channels = size.stem_channels
    for in_channels, out_channels, stride in cells_of(size):
        for edge, (source, _) in enumerate(EDGES):
            first = in_channels if source == 0 else out_channels
            for number, area in _KERNEL_AREAS.items():
                weights = (area * first + 2) * out_channels
                total += (operations[:, edge] == number) * weights
            if source == 0 and stride == 2:
                total += (operations[:, edge] == SKIP) * (first + 2) * out_channels
        channels = out_channels
    return np.asarray(total + (channels + 1) * size.num_labels)


def multiply_accumulates(operations: NDArray[Any], size: NetworkSize) -> NDArray[np.int64]:
    """Return the multiply-accumulates of one image, int64 ``[N]``: convolutions and dense layer.

    Args:
        operations: Operation numbers ``[N, 6]``.
        size: Size of the network and of an image.
    """
    half = max(size.stem_channels // 2, 1)
    height, width = ((side + 1) // 2 for side in size.image_size)
    stem = 9 * size.image_channels * half * height * width
    height, width = (height + 1) // 2, (width + 1) // 2
    stem += 9 * half * size.stem_channels * height * width
    total = np.full(len(operations), stem, dtype=np.int64)
    channels = size.stem_channels
    further = max(1, size.stem_stride // STEM_STRIDE)
    height, width = height // further, width // further
    for in_channels, out_channels, stride in cells_of(size):
        height, width = -(-height // stride), -(-width // stride)
        pixels = height * width
        for edge, (source, _) in enumerate(EDGES):
            first = in_channels if source == 0 else out_channels
            for number, area in _KERNEL_AREAS.items():
                total += (operations[:, edge] == number) * area * first * out_channels * pixels
            if source == 0 and stride == 2:
                total += (operations[:, edge] == SKIP) * first * out_channels * pixels
        channels = out_channels
    return np.asarray(total + channels * size.num_labels)
