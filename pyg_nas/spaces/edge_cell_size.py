"""Exact trainable parameters and multiply-accumulates of networks of edge cells.

Every convolution of an architecture counts, also one on an edge that does not reach the output, as
in the published figures. Sizes are those of
:class:`~pyg_nas.spaces.edge_cell_network.EdgeCellNetwork`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyg_nas.graphs.space_support import NetworkSize

OFFICIAL_SIZE = NetworkSize(stem_channels=16, num_stacks=3, modules_per_stack=5)
"""Size of the networks of NAS-Bench-201 on CIFAR-10."""

# Numbers of the operations with weights, and the area of their kernels.
_KERNEL_AREAS = {2: 1, 3: 9}


def trainable_parameters(
    operations: NDArray[np.integer], size: NetworkSize = OFFICIAL_SIZE
) -> NDArray[np.int64]:
    """Return the parameters of the networks of ``N`` architectures, int64 ``[N]``.

    Args:
        operations: Operation numbers ``[N, 6]``.
        size: Size of the networks.
    """
    channels = size.stem_channels
    total = np.full(len(operations), (9 * size.image_channels + 2) * channels, dtype=np.int64)
    for stack in range(size.num_stacks):
        if stack > 0:
            wider = 2 * channels
            # Two 3x3 convolutions with batch normalisation, and the shortcut's 1x1 convolution.
            total += (9 * channels + 2) * wider + (9 * wider + 2) * wider + channels * wider
            channels = wider
        for number, area in _KERNEL_AREAS.items():
            count = (operations == number).sum(axis=1)
            total += size.modules_per_stack * count * (area * channels + 2) * channels
    return np.asarray(total + 2 * channels + (channels + 1) * size.num_labels)


def multiply_accumulates(
    operations: NDArray[np.integer], size: NetworkSize = OFFICIAL_SIZE
) -> NDArray[np.int64]:
    """Return the multiply-accumulates of one image through the networks, int64 ``[N]``.

    Convolutions and the dense layer count, as in ``torch.utils.flop_counter`` (which counts two
    operations for each). Published figures leave out the dense layer.

    Args:
        operations: Operation numbers ``[N, 6]``.
        size: Size of the networks and of an image.
    """
    channels, (height, width) = size.stem_channels, size.stem_output
    pixels = height * width
    total = np.full(len(operations), 9 * size.image_channels * channels * pixels, dtype=np.int64)
    height, width = size.cell_input
    pixels = height * width
    for stack in range(size.num_stacks):
        if stack > 0:
            wider = 2 * channels
            height, width = (height + 1) // 2, (width + 1) // 2
            pixels = height * width
            total += (9 * channels + 9 * wider + channels) * wider * pixels
            channels = wider
        for number, area in _KERNEL_AREAS.items():
            count = (operations == number).sum(axis=1)
            total += size.modules_per_stack * count * area * channels**2 * pixels
    return np.asarray(total + channels * size.num_labels)
