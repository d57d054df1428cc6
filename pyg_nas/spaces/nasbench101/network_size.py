"""Channels, parameters and multiply-accumulates of NAS-Bench-101 networks, from the graph alone.

Source: ``model_builder.compute_vertex_channels`` and ``build_module`` of the official package
(arXiv:1902.09635, appendix). A vertex's channels are those of its operation's input; edges from
the cell's input have a 1x1 projection.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.cell_network import NetworkSize

OFFICIAL_SIZE = NetworkSize(stem_channels=128, num_stacks=3, modules_per_stack=3)

# Weights per channel pair of each operation id; the pooling vertex has none, nor batch norm.
_KERNEL_AREA = np.array([9, 1, 0])
_HAS_BATCH_NORM = np.array([1, 1, 0])


def vertex_channels(cells: CellArray, channels_in: int, channels_out: int) -> NDArray[np.int64]:
    """Return the channels of every vertex as ``int64 [N, V]``, zero at padding.

    The output's channels are divided equally among its inner predecessors, of which the first ones
    have one channel more if there is a remainder; every other inner vertex has the maximum over
    its inner successors.
    """
    to_output = _to_output(cells)
    feeding = to_output.sum(axis=1, keepdims=True)
    share, rest = np.divmod(channels_out, np.maximum(feeding, 1))
    rank = np.cumsum(to_output, axis=1)
    channels = to_output * (share + (rank <= rest))
    _fill_in(channels, to_output, cells, channels_in, channels_out)
    return np.asarray(channels)


def channel_shares(cells: CellArray) -> NDArray[np.float64]:
    """Return every vertex's channels relative to the output's as ``[N, V]``, zero at padding.

    As :func:`vertex_channels` but not rounded, so that they do not depend on how a cell's inner
    vertices are numbered.
    """
    to_output = _to_output(cells)
    shares = to_output / np.maximum(to_output.sum(axis=1, keepdims=True), 1)
    _fill_in(shares, to_output, cells, 1, 1)
    return np.asarray(shares)


def concatenated_vertices(cells: CellArray) -> NDArray[np.int64]:
    """Return the number of inner vertices that share the output's channels, ``int64 [N]``.

    A network with fewer channels cannot be built: some vertices would have none.
    """
    return np.asarray(_to_output(cells).sum(axis=1))


def _fill_in(
    channels: NDArray[Any],
    to_output: NDArray[np.int64],
    cells: CellArray,
    channels_in: int,
    channels_out: int,
) -> None:
    """Complete ``channels`` ``[N, V]``, in which only the output's predecessors are filled."""
    for v in range(cells.width - 2, 0, -1):
        # A pair of columns at a time: maxima of rows of seven numbers take three times as long.
        from_successors = cells.adjacency[:, v, v + 1] * channels[:, v + 1]
        for u in range(v + 2, cells.width):
            onward = cells.adjacency[:, v, u] * channels[:, u]
            np.maximum(from_successors, onward, out=from_successors)
        channels[:, v] = np.where(to_output[:, v] > 0, channels[:, v], from_successors)
    channels[:, 0] = channels_in
    channels[np.arange(len(cells)), cells.num_vertices.astype(np.int64) - 1] = channels_out


def _to_output(cells: CellArray) -> NDArray[np.int64]:
    """Return 1 for inner predecessors of the output, else 0, ``[N, V]``."""
    last = cells.num_vertices.astype(np.int64) - 1
    to_output = cells.adjacency[np.arange(len(cells)), :, last].astype(np.int64)
    to_output[:, 0] = 0
    return to_output


def parameters_of_channels(cells: CellArray, channels: NDArray[Any]) -> NDArray[Any]:
    """Return the trainable parameters of every vertex with these channels, ``[N, V]``.

    Those of a vertex's operation and of the projection of its edge from the input, if it has one.

    Args:
        cells: ``N`` cells of NAS-Bench-101.
        channels: ``[N, V]``; fractions are allowed.
    """
    inner = _inner(cells)
    normalised = inner * _HAS_BATCH_NORM[np.where(inner, cells.operations, 2)]
    normalised = normalised + cells.adjacency[:, 0, :]
    return np.asarray(_weights_of_channels(cells, channels) + 2 * normalised * channels)


def _weights_of_channels(cells: CellArray, channels: NDArray[Any]) -> NDArray[Any]:
    """Weights of every vertex's convolution and projection, ``[N, V]``."""
    inner = _inner(cells)
    operation = inner * _KERNEL_AREA[np.where(inner, cells.operations, 2)] * channels**2
    return np.asarray(operation + cells.adjacency[:, 0, :] * channels[:, :1] * channels)


def _inner(cells: CellArray) -> NDArray[np.bool_]:
    position = np.arange(cells.width)
    return np.asarray((position > 0) & (position < cells.num_vertices[:, None] - 1))


def trainable_parameters(cells: CellArray, size: NetworkSize = OFFICIAL_SIZE) -> NDArray[np.int64]:
    """Return the exact trainable parameters of the networks of ``N`` cells as ``int64 [N]``."""
    total = np.full(len(cells), (9 * size.image_channels + 2) * size.stem_channels)
    for _, number, channels in _modules(cells, size):
        total += number * parameters_of_channels(cells, channels).sum(axis=1)
    return total + (_last_channels(size) + 1) * size.num_labels


def macs(cells: CellArray, size: NetworkSize = OFFICIAL_SIZE) -> NDArray[np.int64]:
    """Return the multiply-accumulates of the networks of ``N`` cells for one image, ``int64 [N]``.

    Convolutions and the dense layer count; batch normalisation, pooling and sums do not.
    """
    height, width = size.stem_output
    total = np.full(len(cells), 9 * size.image_channels * size.stem_channels * height * width)
    height, width = size.cell_input
    for stack, number, channels in _modules(cells, size):
        pixels = (height >> stack) * (width >> stack)  # each pooling halves and rounds down
        total += number * pixels * _weights_of_channels(cells, channels).sum(axis=1)
    return total + _last_channels(size) * size.num_labels


def _modules(cells: CellArray, size: NetworkSize) -> Iterator[tuple[int, int, NDArray[np.int64]]]:
    """Yield stack, number and channels of the vertices ``[N, V]`` of modules that are alike."""
    channels_in = size.stem_channels
    for stack in range(size.num_stacks):
        channels_out = size.stem_channels * 2**stack
        for number in (1, size.modules_per_stack - 1):  # from the second of a stack on
            yield stack, number, vertex_channels(cells, channels_in, channels_out)
            channels_in = channels_out


def _last_channels(size: NetworkSize) -> int:
    return int(size.stem_channels * 2 ** (size.num_stacks - 1))
