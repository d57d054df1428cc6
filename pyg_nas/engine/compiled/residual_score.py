"""Compiled predictions of residual networks on the CPU (:mod:`pyg_nas.nn.residual_gnn`).

The same sums as :meth:`pyg_nas.nn.residual_gnn.ResidualGNN.forward` without dropout: a few cells at
a time pass through all layers of all members, so that their states stay in a core's own cache. The
neighbours' states of a vertex are summed before the product with the weights, not after it.

The outputs of a cell do not depend on later cells, to the last bit: BLAS adds in another order in
the last rows of a factor, unless it has a multiple of 12 or 16 rows, by processor.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from pyg_nas.compute.blas import rows_per_product
from pyg_nas.compute.jit import Floats, Integers, compiled
from pyg_nas.nn.dense_residual import ResidualGraphs
from pyg_nas.nn.residual_gnn import ResidualGNN

_VERTICES_AT_ONCE = 336  # 48 of the largest cells of NAS-Bench-101
_ROWS = 48  # a factor of a product has a multiple of them
_EPSILON = np.float32(1e-5)  # epsilon of torch's layer norm


class _Weights(NamedTuple):
    """Weights of ``M`` members of width ``H`` and depth ``L``, as the kernel multiplies by them."""

    embed: Floats  # [C, M H], the members beside each other
    embed_bias: Floats  # [M H]
    layers: Floats  # [L, M, 3 H, H], of own, successors' and predecessors' states below each other
    constants: Floats  # [L, M, 3, H], see _update
    read: Floats  # [M, 2 H, H], of the mean over the vertices and the last vertex
    read_graph: Floats  # [G, M H]
    read_bias: Floats  # [M H]
    output: Floats  # [M, H, targets]
    output_bias: Floats  # [M, targets]


class _Graphs(NamedTuple):
    """``N`` graphs."""

    vertices: Floats  # [N, V, C]
    adjacency: Integers  # [N, V, V]
    num_vertices: Integers  # [N]
    graph: Floats  # [N, G]


@torch.no_grad()
def residual_outputs(network: ResidualGNN, graphs: ResidualGraphs) -> Floats:
    """Return each member's outputs of each of ``N`` graphs, float32 ``[M, N, targets]``."""
    outputs = np.empty(
        (len(network.embed), len(graphs.vertices), network.output.shape[2]), dtype=np.float32
    )
    width, hidden = graphs.adjacency.shape[1], network.embed.shape[2]
    cells_at_once = max(1, _VERTICES_AT_ONCE // width)
    _residual_outputs(
        _Graphs(
            np.ascontiguousarray(graphs.vertices, dtype=np.float32),
            np.ascontiguousarray(graphs.adjacency, dtype=np.int8),
            np.ascontiguousarray(graphs.num_vertices, dtype=np.int64),
            np.ascontiguousarray(graphs.graph, dtype=np.float32),
        ),
        _weights(network),
        cells_at_once,
        rows_per_product(cells_at_once * width, 3 * hidden * hidden),
        outputs,
    )
    return outputs


def _weights(network: ResidualGNN) -> _Weights:
    members, _, hidden = network.embed.shape
    layers, constants = [], []
    for weight, bias, gain, shift in zip(
        network.layers, network.biases, network.gains, network.shifts, strict=True
    ):
        # Weights of own, successors' and predecessors' states below each other, for a vertex's
        # sums in that order; then the shift's contribution to each of the three.
        parts = (gain.transpose(1, 2) * weight).chunk(3, dim=2)
        layers.append(torch.cat(parts, dim=1))
        constant = (shift @ weight).view(members, 3, hidden)
        constant[:, 0] += bias[:, 0]
        constants.append(constant)
    return _Weights(
        _joined(network.embed),
        _joined(network.embed_bias)[0],
        torch.stack(layers).numpy(),
        torch.stack(constants).numpy(),
        network.read.numpy(),
        _joined(network.read_graph),
        _joined(network.read_bias)[0],
        network.output.numpy(),
        network.output_bias[:, 0].numpy(),
    )


def _joined(weights: torch.Tensor) -> Floats:
    """Return the members' weights ``[M, in, out]`` concatenated, ``[in, M out]``."""
    return np.ascontiguousarray(weights.transpose(0, 1).flatten(1).numpy())


@compiled
def _normalise(states: Floats, count: int, normal: Floats) -> None:
    """Write the first ``count`` rows of ``[v, H]``, with mean 0 and variance 1, to ``normal``."""
    hidden = states.shape[1]
    share, one = np.float32(1 / hidden), np.float32(1)
    for row in range(count):
        total, square = np.float32(0), np.float32(0)
        for k in range(hidden):
            total += states[row, k]
        mean = share * total
        for k in range(hidden):
            square += (states[row, k] - mean) ** 2
        scale = one / np.sqrt(share * square + _EPSILON)
        for k in range(hidden):
            normal[row, k] = scale * (states[row, k] - mean)


@compiled
def _neighbours(
    adjacency: Integers, num_vertices: Integers, first: int, last: int, lists: Integers
) -> int:
    """List the neighbours of each vertex of cells ``first`` to ``last``; return the vertices.

    Args:
        adjacency: ``[N, V, V]``.
        num_vertices: ``[N]``.
        first: The first cell.
        last: The cell after the last one.
        lists: Filled: ``[2, v, 1 + V]``. For the successors, then the predecessors, of each of
            these cells' ``v`` vertices: their number, and then their rows among the ``v``.
    """
    begin = 0
    for cell in range(first, last):
        own = num_vertices[cell]
        for v in range(begin, begin + own):
            lists[0, v, 0] = lists[1, v, 0] = 0
        for v in range(begin, begin + own):
            for u in range(begin, begin + own):
                if adjacency[cell, v - begin, u - begin]:
                    lists[0, v, 0] += 1
                    lists[0, v, lists[0, v, 0]] = u
                    lists[1, u, 0] += 1
                    lists[1, u, lists[1, u, 0]] = v
        begin += own
    return begin


@compiled
def _gather(normal: Floats, lists: Integers, count: int, sums: Floats) -> None:
    """Write own states and the sums of successors' and predecessors' states beside each other.

    Args:
        normal: ``[v, H]``.
        lists: :func:`_neighbours`' lists.
        count: Number of vertices.
        sums: Filled: ``[v, 3 H]``.
    """
    hidden = normal.shape[1]
    for v in range(count):
        own, row = normal[v], sums[v]
        for k in range(hidden):
            row[k] = own[k]
        for way in range(2):
            to, found = row[(1 + way) * hidden : (2 + way) * hidden], lists[way, v]
            for k in range(hidden):
                to[k] = 0
            for position in range(1, found[0] + 1):
                other = normal[found[position]]
                for k in range(hidden):
                    to[k] += other[k]


@compiled
def _update(states: Floats, added: Floats, constant: Floats, lists: Integers, count: int) -> None:
    """Add the ReLU of a layer's term to the states ``[v, H]``.

    Args:
        states: Changed.
        added: ``[v, H]``, the products of :func:`_gather`'s sums with the weights.
        constant: ``[3, H]``: what bias and shift contribute by the vertex itself, and by each
            successor and predecessor.
        lists: :func:`_neighbours`' lists, for the numbers of both.
        count: Number of vertices.
    """
    zero = np.float32(0)
    for row in range(count):
        successors, predecessors = np.float32(lists[0, row, 0]), np.float32(lists[1, row, 0])
        for k in range(states.shape[1]):
            own = added[row, k] + constant[0, k]
            value = own + successors * constant[1, k] + predecessors * constant[2, k]
            states[row, k] += max(value, zero)


@compiled
def _means_and_last(
    normal: Floats, num_vertices: Integers, first: int, last: int, read: Floats
) -> None:
    """Write mean and last vertex of cells ``first`` to ``last``, ``[v, H]`` to ``[B, 2 H]``."""
    hidden = normal.shape[1]
    begin = 0
    for cell in range(first, last):
        own = num_vertices[cell]
        share, here = np.float32(1 / own), cell - first
        for k in range(hidden):
            read[here, k] = 0
            read[here, hidden + k] = normal[begin + own - 1, k]
        for v in range(begin, begin + own):
            for k in range(hidden):
                read[here, k] += share * normal[v, k]
        begin += own


@compiled
def _filled(rows: int) -> int:
    """Return the number of rows of a factor that has ``rows`` and is filled up."""
    return (rows + _ROWS - 1) // _ROWS * _ROWS


@compiled
def _residual_outputs(
    cells: _Graphs, weights: _Weights, cells_at_once: int, together: int, outputs: Floats
) -> None:
    """Compute the outputs of all members, some cells at a time.

    Args:
        cells: ``N`` cells.
        weights: Of ``M`` members.
        cells_at_once: Cells that pass through all layers together.
        together: Rows of each BLAS call.
        outputs: Filled: ``[M, N, targets]``.
    """
    vertices, adjacency, num_vertices, graph = cells
    depth, members, _, hidden = weights.layers.shape
    zero, bias = np.float32(0), weights.read_bias
    most, most_cells = _filled(cells_at_once * adjacency.shape[1]), _filled(cells_at_once)
    inputs = np.zeros((most, vertices.shape[2]), dtype=np.float32)
    lists = np.empty((2, most, 1 + adjacency.shape[1]), dtype=np.int64)
    embedded = np.empty((most, members * hidden), dtype=np.float32)
    graphs = np.zeros((most_cells, graph.shape[1]), dtype=np.float32)
    of_graph = np.empty((most_cells, members * hidden), dtype=np.float32)
    states = np.empty((most, hidden), dtype=np.float32)
    normal = np.empty((most, hidden), dtype=np.float32)
    sums = np.zeros((most, 3 * hidden), dtype=np.float32)
    added = np.empty((most, hidden), dtype=np.float32)
    pooled = np.zeros((most_cells, 2 * hidden), dtype=np.float32)
    joined = np.empty((most_cells, hidden), dtype=np.float32)
    for first in range(0, len(vertices), cells_at_once):
        last = min(first + cells_at_once, len(vertices))
        rows, row = _filled(last - first), 0
        for cell in range(first, last):
            for k in range(graph.shape[1]):
                graphs[cell - first, k] = graph[cell, k]
            for v in range(num_vertices[cell]):
                for k in range(vertices.shape[2]):
                    inputs[row, k] = vertices[cell, v, k]
                row += 1
        count = _neighbours(adjacency, num_vertices, first, last, lists)
        filled = _filled(count)
        np.dot(inputs[:filled], weights.embed, embedded[:filled])
        np.dot(graphs[:rows], weights.read_graph, of_graph[:rows])
        for member in range(members):
            begin = member * hidden
            # The embedding, the layers, ...
            for row in range(count):
                for k in range(hidden):
                    states[row, k] = embedded[row, begin + k] + weights.embed_bias[begin + k]
            for layer in range(depth):
                _normalise(states, count, normal)
                _gather(normal, lists, count, sums)
                for row in range(0, filled, together):
                    part = slice(row, min(row + together, filled))
                    np.dot(sums[part], weights.layers[layer, member], added[part])
                _update(states, added, weights.constants[layer, member], lists, count)
            # ... and the readout.
            _normalise(states, count, normal)
            _means_and_last(normal, num_vertices, first, last, pooled)
            np.dot(pooled[:rows], weights.read[member], joined[:rows])
            for cell in range(last - first):
                for k in range(hidden):
                    value = joined[cell, k] + of_graph[cell, begin + k] + bias[begin + k]
                    joined[cell, k] = max(value, zero)
                for target in range(outputs.shape[2]):
                    value = weights.output_bias[member, target]
                    for k in range(hidden):
                        value += joined[cell, k] * weights.output[member, k, target]
                    outputs[member, first + cell, target] = value
