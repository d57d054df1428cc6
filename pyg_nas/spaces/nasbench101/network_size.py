"""Channels, parameters and multiply-accumulates of NAS-Bench-101 networks, from the graph alone.

Source: ``model_builder.compute_vertex_channels`` and ``build_module`` of the official package
(arXiv:1902.09635, appendix). A vertex's channels are those of its operation's input; edges from
the cell's input have a 1x1 projection.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.graphs.space_support import NetworkSize

STEM_CHANNELS = 128
NUM_STACKS = 3
MODULES_PER_STACK = 3
NUM_LABELS = 10
IMAGE_CHANNELS = 3
OFFICIAL_SIZE = NetworkSize(
    STEM_CHANNELS, NUM_STACKS, MODULES_PER_STACK, NUM_LABELS, IMAGE_CHANNELS, (32, 32)
)

# Weights per channel pair of each operation id; the pooling vertex has none, nor batch norm.
_KERNEL_AREA = np.array([9, 1, 0])
_HAS_BATCH_NORM = np.array([1, 1, 0])


def vertex_channels(
    adjacency: NDArray[np.int8], num_vertices: NDArray[np.int8], channels_in: int, channels_out: int
) -> NDArray[np.int64]:
    """Return the channels of every vertex as ``int64 [N, V]``, zero at padding.

    The output's channels are divided equally among its inner predecessors, of which the first ones
    have one channel more if there is a remainder; every other inner vertex has the maximum over
    its inner successors.

    Args:
        adjacency: ``[N, V, V]``, padded with zeros.
        num_vertices: ``[N]``.
        channels_in: Channels of the cell's input.
        channels_out: Channels of the cell's output.
    """
    to_output = _to_output(adjacency, num_vertices)
    feeding = to_output.sum(axis=1, keepdims=True)
    share, rest = np.divmod(channels_out, np.maximum(feeding, 1))
    rank = np.cumsum(to_output, axis=1)
    channels = to_output * (share + (rank <= rest))
    _fill_in(channels, to_output, adjacency, num_vertices, channels_in, channels_out)
    return np.asarray(channels)


def channel_shares(
    adjacency: NDArray[np.int8], num_vertices: NDArray[np.int8]
) -> NDArray[np.float64]:
    """Return every vertex's channels relative to the output's as ``[N, V]``, zero at padding.

    As :func:`vertex_channels` but not rounded, so that they do not depend on how a cell's inner
    vertices are numbered.

    Args:
        adjacency: ``[N, V, V]``, padded with zeros.
        num_vertices: ``[N]``.
    """
    to_output = _to_output(adjacency, num_vertices)
    shares = to_output / np.maximum(to_output.sum(axis=1, keepdims=True), 1)
    _fill_in(shares, to_output, adjacency, num_vertices, 1, 1)
    return np.asarray(shares)


def concatenated_vertices(
    adjacency: NDArray[np.int8], num_vertices: NDArray[np.int8]
) -> NDArray[np.int64]:
    """Return the number of inner vertices that share the output's channels, ``int64 [N]``.

    A network with fewer channels cannot be built: some vertices would have none.

    Args:
        adjacency: ``[N, V, V]``, padded with zeros.
        num_vertices: ``[N]``.
    """
    return np.asarray(_to_output(adjacency, num_vertices).sum(axis=1))


def _fill_in(
    channels: NDArray[Any],
    to_output: NDArray[np.int64],
    adjacency: NDArray[np.int8],
    num_vertices: NDArray[np.int8],
    channels_in: int,
    channels_out: int,
) -> None:
    """Complete ``channels`` ``[N, V]``, in which only the output's predecessors are filled."""
    total, width = channels.shape
    for v in range(width - 2, 0, -1):
        from_successors = (adjacency[:, v, :] * channels).max(axis=1)
        channels[:, v] = np.where(to_output[:, v] > 0, channels[:, v], from_successors)
    channels[:, 0] = channels_in
    channels[np.arange(total), num_vertices.astype(np.int64) - 1] = channels_out


def _to_output(adjacency: NDArray[np.int8], num_vertices: NDArray[np.int8]) -> NDArray[np.int64]:
    """Return 1 for inner predecessors of the output, else 0, ``[N, V]``."""
    last = num_vertices.astype(np.int64) - 1
    to_output = adjacency[np.arange(len(adjacency)), :, last].astype(np.int64)
    to_output[:, 0] = 0
    return to_output


def trainable_parameters(
    adjacency: NDArray[np.int8],
    operations: NDArray[np.int8],
    num_vertices: NDArray[np.int8],
    *,
    stem_channels: int = STEM_CHANNELS,
    num_stacks: int = NUM_STACKS,
    modules_per_stack: int = MODULES_PER_STACK,
    num_labels: int = NUM_LABELS,
    image_channels: int = IMAGE_CHANNELS,
) -> NDArray[np.int64]:
    """Return the exact trainable parameters of the networks of ``N`` cells as ``int64 [N]``.

    Args:
        adjacency: ``[N, V, V]``, padded with zeros.
        operations: ``[N, V]`` ids of NAS-Bench-101.
        num_vertices: ``[N]``.
        stem_channels: Channels after the 3x3 stem; they double at each stack but the first.
        num_stacks: Stacks of cells.
        modules_per_stack: Cells in a stack.
        num_labels: Classes of the final dense layer.
        image_channels: Channels of an image.
    """
    total = np.full(len(num_vertices), 9 * image_channels * stem_channels + 2 * stem_channels)
    channels_in = stem_channels
    for stack in range(num_stacks):
        channels_out = stem_channels * 2**stack
        for repeat in range(modules_per_stack):
            if repeat < 2:  # from the second cell of a stack on, all are alike
                cell = vertex_parameters(
                    adjacency, operations, num_vertices, channels_in, channels_out
                ).sum(axis=1)
            total += cell
            channels_in = channels_out
    return total + channels_in * num_labels + num_labels


def vertex_parameters(
    adjacency: NDArray[np.int8],
    operations: NDArray[np.int8],
    num_vertices: NDArray[np.int8],
    channels_in: int,
    channels_out: int,
) -> NDArray[np.int64]:
    """Return the trainable parameters of every vertex of one cell of a network, ``int64 [N, V]``.

    A vertex's operation and the projection of its edge from the input, if it has one.

    Args:
        adjacency: ``[N, V, V]``, padded with zeros.
        operations: ``[N, V]`` ids of NAS-Bench-101.
        num_vertices: ``[N]``.
        channels_in: Channels of the cell's input.
        channels_out: Channels of the cell's output.
    """
    channels = vertex_channels(adjacency, num_vertices, channels_in, channels_out)
    return parameters_of_channels(adjacency, operations, num_vertices, channels)


def parameters_of_channels(
    adjacency: NDArray[np.int8],
    operations: NDArray[np.int8],
    num_vertices: NDArray[np.int8],
    channels: NDArray[Any],
) -> NDArray[Any]:
    """Return the trainable parameters of every vertex with these channels, ``[N, V]``.

    Args:
        adjacency: ``[N, V, V]``, padded with zeros.
        operations: ``[N, V]`` ids of NAS-Bench-101.
        num_vertices: ``[N]``.
        channels: ``[N, V]``; fractions are allowed.
    """
    inner = _inner(num_vertices, adjacency.shape[1])
    normalised = inner * _HAS_BATCH_NORM[np.where(inner, operations, 2)] + adjacency[:, 0, :]
    weights = _weights_of_channels(adjacency, operations, num_vertices, channels)
    return np.asarray(weights + 2 * normalised * channels)


def _weights_of_channels(
    adjacency: NDArray[np.int8],
    operations: NDArray[np.int8],
    num_vertices: NDArray[np.int8],
    channels: NDArray[Any],
) -> NDArray[Any]:
    """Weights of every vertex's convolution and projection, ``[N, V]``."""
    inner = _inner(num_vertices, adjacency.shape[1])
    operation = inner * _KERNEL_AREA[np.where(inner, operations, 2)] * channels**2
    return np.asarray(operation + adjacency[:, 0, :] * channels[:, :1] * channels)


def _inner(num_vertices: NDArray[np.int8], width: int) -> NDArray[np.bool_]:
    position = np.arange(width)
    return np.asarray((position > 0) & (position < num_vertices[:, None] - 1))


def macs(
    adjacency: NDArray[np.int8],
    operations: NDArray[np.int8],
    num_vertices: NDArray[np.int8],
    size: NetworkSize = OFFICIAL_SIZE,
) -> NDArray[np.int64]:
    """Return the multiply-accumulates of the networks of ``N`` cells for one image, ``int64 [N]``.

    Convolutions and the dense layer count; batch normalisation, pooling and sums do not.

    Args:
        adjacency: ``[N, V, V]``, padded with zeros.
        operations: ``[N, V]`` ids of NAS-Bench-101.
        num_vertices: ``[N]``.
        size: Size of the networks and their images.
    """
    height, width = size.stem_output
    channels_in = size.stem_channels
    total = np.full(len(num_vertices), 9 * size.image_channels * channels_in * height * width)
    height, width = size.cell_input
    for stack in range(size.num_stacks):
        if stack > 0:
            height, width = height // 2, width // 2
        channels_out = size.stem_channels * 2**stack
        for repeat in range(size.modules_per_stack):
            if repeat < 2:  # from the second cell of a stack on, all are alike
                channels = vertex_channels(adjacency, num_vertices, channels_in, channels_out)
                weights = _weights_of_channels(adjacency, operations, num_vertices, channels)
                cell = weights.sum(axis=1) * height * width
            total += cell
            channels_in = channels_out
    return total + channels_in * size.num_labels
