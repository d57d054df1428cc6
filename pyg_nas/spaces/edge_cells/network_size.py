"""Exact trainable parameters and multiply-accumulates of the layers of networks of edge cells."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyg_nas.graphs.cell_network import NetworkSize


class Layers(NamedTuple):
    """Equal layers of the networks of ``N`` architectures.

    Args:
        number: Number of such layers, ``[N]``, or one number for all architectures.
        parameters: Trainable parameters of one.
        macs: Its multiply-accumulates for one image.
    """

    number: NDArray[np.int64] | int
    parameters: int
    macs: int


def convolution(
    kernel_size: int, channels_in: int, channels_out: int, pixels: int
) -> tuple[int, int]:
    """Return parameters, with those of batch normalisation, and multiply-accumulates."""
    weights = kernel_size**2 * channels_in * channels_out
    return weights + 2 * channels_out, weights * pixels


def dense(channels: int, size: NetworkSize) -> tuple[int, int]:
    """Return parameters and multiply-accumulates of the dense layer."""
    return (channels + 1) * size.num_labels, channels * size.num_labels
