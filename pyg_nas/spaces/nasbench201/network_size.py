"""Exact trainable parameters and multiply-accumulates of NAS-Bench-201 networks.

Every convolution of an architecture counts, also one on an edge that does not reach the output, as
in the published figures.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.spaces.edge_cells.architectures import KERNEL_SIZES
from pyg_nas.spaces.edge_cells.network_size import Layers, convolution, dense

OFFICIAL_SIZE = NetworkSize(stem_channels=16, num_stacks=3, modules_per_stack=5)
"""Size of the official networks on CIFAR-10."""


def layers(operations: NDArray[np.integer], size: NetworkSize) -> Iterator[Layers]:
    """Yield the layers of the networks of ``N`` architectures.

    Args:
        operations: Operation numbers ``[N, 6]``.
        size: Size of the networks and of an image.
    """
    channels, (height, width) = size.stem_channels, size.stem_output
    yield Layers(1, *convolution(3, size.image_channels, channels, height * width))
    height, width = size.cell_input
    for stack in range(size.num_stacks):
        if stack > 0:
            wider = 2 * channels
            height, width = (height + 1) // 2, (width + 1) // 2
            yield Layers(1, *convolution(3, channels, wider, height * width))
            yield Layers(1, *convolution(3, wider, wider, height * width))
            # The shortcut's 1x1 convolution has no batch normalisation.
            yield Layers(1, channels * wider, channels * wider * height * width)
            channels = wider
        for number, kernel_size in KERNEL_SIZES.items():
            count = size.modules_per_stack * (operations == number).sum(axis=1)
            yield Layers(count, *convolution(kernel_size, channels, channels, height * width))
    yield Layers(1, 2 * channels, 0)  # the last batch normalisation
    yield Layers(1, *dense(channels, size))
