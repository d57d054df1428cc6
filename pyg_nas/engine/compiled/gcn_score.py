"""Compiled scoring on the CPU: the rows of every thread stay in its cache.

It is called by :mod:`pyg_nas.engine.score`.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from pyg_nas.compute.blas import rows_per_product
from pyg_nas.compute.jit import Floats, Integers, compiled
from pyg_nas.engine.shared_terms import Block, Layer, Terms
from pyg_nas.graphs.ragged import pointers

_MOST_TERMS_AT_ONCE = 256  # rows of width 144 whose product fits into a core's own cache
_TERMS_A_TASK = 8_192
_CELLS_AT_ONCE = 32
_CELLS_A_TASK = 4_096
_NO_LAYERS = np.empty((0, 1, 1), dtype=np.float32)


class _Graphs(NamedTuple):
    """The ``N`` cells of a block, with ``E`` edges in all."""

    vertices: Integers  # [N + 1], where each cell begins among the block's vertices
    edges: Integers  # [N + 1], where each cell's edges begin in ends
    ends: Integers  # [2, E], (source, target), numbered within the cell


class BlockScorer:
    """Scores blocks on the CPU."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self._pool = pool

    def score(self, layers: Sequence[Floats], head: Floats, block: Block) -> Floats:
        """Return one network's output for each cell of a block.

        Args:
            layers: Each convolution's W+ beside W-, ``[in, 2 hidden]``.
            head: ``[hidden]``, the product of both linear layers.
            block: Tables that share terms in as many layers as :mod:`pyg_nas.engine.shared_terms`
                does for this depth.
        """
        shared = len(block.layers)
        *earlier, last = block.layers
        states = layers[0][block.columns]
        for layer, weights in zip(earlier, layers[1:shared], strict=True):
            rows = self._project_terms(states, layer, weights)
            states = rows[layer.pairs[0]] + rows[layer.pairs[1]]
        projection = layers[shared] if shared < len(layers) else head[:, np.newaxis]
        rows = self._project_terms(states, last, projection)
        vertices, edges = map(pointers, (block.num_vertices, block.num_edges))
        if shared == len(layers):
            outputs = (rows[last.pairs[0]] + rows[last.pairs[1]]).squeeze(1)
            means: Floats = np.add.reduceat(outputs, vertices[:-1]) / np.float32(block.num_vertices)
            return means
        scores = np.empty(len(block.num_vertices), dtype=np.float32)
        graphs = _Graphs(vertices, edges, block.edges)
        later = np.stack(layers[shared + 1 :]) if shared + 1 < len(layers) else _NO_LAYERS

        def score(part: slice) -> None:
            _score_cells(rows, last.pairs, graphs, later, head, part.start, part.stop, scores)

        list(self._pool.map(score, _slices(len(scores), _CELLS_A_TASK)))
        return scores

    def _project_terms(self, table: Floats, layer: Layer, projection: Floats) -> Floats:
        """Return half the ReLU of each term's mean times ``projection``, successors' terms first.

        The next call overwrites the result.

        Args:
            table: ``[S, 2 hidden]``, both directions' features of the states that the terms gather.
            layer: The terms.
            projection: ``[hidden, width]``.
        """
        outward, inward = (np.ascontiguousarray(half) for half in np.split(table, 2, axis=1))
        split = len(layer.successors)
        shape = split + len(layer.predecessors), projection.shape[1]
        rows = _buffer(math.prod(shape)).reshape(shape)

        together = rows_per_product(_MOST_TERMS_AT_ONCE, projection.size)

        def project(task: tuple[Floats, Terms, Floats, Floats, slice]) -> None:
            states, terms, weight, out, part = task
            _project(
                states,
                weight,
                terms.members,
                terms.offsets[part.start : part.stop + 1],
                terms.scale[part],
                projection,
                together,
                out[part],
            )

        tasks = [
            (states, terms, weight, out, part)
            for states, terms, weight, out in (
                (outward, layer.successors, np.ones_like(layer.weight), rows[:split]),
                (inward, layer.predecessors, layer.weight, rows[split:]),
            )
            for part in _slices(len(terms), _TERMS_A_TASK)
        ]
        list(self._pool.map(project, tasks))
        return rows


class _Kept(threading.local):
    buffer: Floats = np.empty(0, dtype=np.float32)


_kept = _Kept()


def _buffer(size: int) -> Floats:
    """Return the calling thread's buffer, which later blocks and scorers use again.

    The rows of a block need hundreds of megabytes, and new memory can cost more time than the
    scores. The next block needs a little more or less than this one.
    """
    if _kept.buffer.size < size:
        _kept.buffer = np.empty(size + size // 4, dtype=np.float32)
    return _kept.buffer[:size]


def _slices(length: int, step: int) -> list[slice]:
    return [slice(*ends) for ends in pairwise([*range(0, length, step), length])]


@compiled
def _project(
    table: Floats,
    weight: Floats,
    members: Integers,
    offsets: Integers,
    scale: Floats,
    projection: Floats,
    together: int,
    rows: Floats,
) -> None:
    """Write half the ReLU of the weighted mean of each of ``n`` terms, times ``projection``.

    Args:
        table: ``[S, H]``, one direction's features of the states that the terms sum.
        weight: ``[S]``, of each state in its sum.
        members: States of all terms of the block, one term after another.
        offsets: ``[n + 1]``, where these terms begin in ``members``.
        scale: ``[n]``, one over the total weight of each term.
        projection: ``[H, width]``.
        together: Terms of each BLAS call.
        rows: Filled: ``[n, width]``.
    """
    hidden = table.shape[1]
    zero, half = np.float32(0), np.float32(0.5)
    means = np.empty((together, hidden), dtype=np.float32)
    for start in range(0, len(scale), together):
        count = min(together, len(scale) - start)
        for term in range(start, start + count):
            mean = means[term - start]
            mean[:] = 0
            for position in range(offsets[term], offsets[term + 1]):
                state = members[position]
                share = weight[state]
                for k in range(hidden):
                    mean[k] += share * table[state, k]
            factor = half * scale[term]
            for k in range(hidden):
                mean[k] = factor * max(mean[k], zero)
        np.dot(means[:count], projection, rows[start : start + count])


@compiled
def _convolve(mixed: Floats, graphs: _Graphs, first: int, last: int, hidden: Floats) -> None:
    """Finish a convolution of cells ``first`` to ``last`` from their products with W+ and W-.

    Args:
        mixed: ``[v, 2 H]``: the products of these cells' ``v`` vertices with W+ and W-.
        graphs: The block.
        first: The first cell.
        last: The cell after the last one.
        hidden: Filled: ``[v, H]``, the new states.
    """
    vertices, edges, ends = graphs
    width = hidden.shape[1]
    zero, half, one = np.float32(0), np.float32(0.5), np.float32(1)
    most = 0
    for cell in range(first, last):
        most = max(most, vertices[cell + 1] - vertices[cell])
    outward = np.empty((most, width), dtype=np.float32)
    inward = np.empty((most, width), dtype=np.float32)
    weight = np.empty(most, dtype=np.float32)
    received = np.empty(most, dtype=np.float32)
    for cell in range(first, last):
        start = vertices[cell] - vertices[first]
        count = vertices[cell + 1] - vertices[cell]
        weight[:count] = one
        for edge in range(edges[cell], edges[cell + 1]):
            weight[ends[0, edge]] += one
        for v in range(count):
            weight[v] = one / weight[v]
            received[v] = weight[v]
            for k in range(width):
                outward[v, k] = mixed[start + v, k]
                inward[v, k] = weight[v] * mixed[start + v, width + k]
        for edge in range(edges[cell], edges[cell + 1]):
            source, target = ends[0, edge], ends[1, edge]
            share = weight[source]
            received[target] += share
            for k in range(width):
                outward[source, k] += mixed[start + target, k]
            for k in range(width):
                inward[target, k] += share * mixed[start + source, width + k]
        for v in range(count):
            to_outward, to_inward = half * weight[v], half / received[v]
            for k in range(width):
                hidden[start + v, k] = to_outward * max(outward[v, k], zero) + to_inward * max(
                    inward[v, k], zero
                )


@compiled
def _score_cells(
    rows: Floats,
    pairs: Integers,
    graphs: _Graphs,
    later: Floats,
    head: Floats,
    first: int,
    last: int,
    scores: Floats,
) -> None:
    """Score cells ``first`` to ``last`` of a block from the rows of their shared terms.

    Args:
        rows: ``[terms, 2 H]``, products of the last shared terms with the next layer's W+ and W-.
        pairs: ``[2, V]``, rows of the successor and predecessor term of each vertex of the block.
        graphs: The block.
        later: ``[layers, H, 2 H]``, weights of the layers after that one, W+ beside W-.
        head: ``[H]``, the product of both linear layers.
        first: The first cell.
        last: The cell after the last one.
        scores: Filled from ``first`` to ``last``: ``[N]``.
    """
    width, vertices = len(head), graphs.vertices
    zero = np.float32(0)
    most = 0
    for start in range(first, last, _CELLS_AT_ONCE):
        most = max(most, vertices[min(start + _CELLS_AT_ONCE, last)] - vertices[start])
    mixed = np.empty((most, 2 * width), dtype=np.float32)
    hidden = np.empty((most, width), dtype=np.float32)
    for start in range(first, last, _CELLS_AT_ONCE):
        stop = min(start + _CELLS_AT_ONCE, last)
        begin = vertices[start]
        count = vertices[stop] - begin
        for v in range(count):
            successors, predecessors = pairs[0, begin + v], pairs[1, begin + v]
            for k in range(2 * width):
                mixed[v, k] = rows[successors, k] + rows[predecessors, k]
        _convolve(mixed, graphs, start, stop, hidden)
        for layer in range(len(later)):
            np.dot(hidden[:count], later[layer], mixed[:count])
            _convolve(mixed, graphs, start, stop, hidden)
        for cell in range(start, stop):
            total = zero
            for v in range(vertices[cell] - begin, vertices[cell + 1] - begin):
                for k in range(width):
                    total += head[k] * hidden[v, k]
            scores[cell] = total / np.float32(vertices[cell + 1] - vertices[cell])
