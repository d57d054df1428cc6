"""Compiled training of residual networks: each member's steps run in one core's cache.

The same steps as :func:`pyg_nas.engine.residual.torch_epochs`, with hand-written gradients and
without padding. Members are trained in parallel threads, without Python's lock; meanwhile the main
thread draws the next batches and dropout masks.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from pyg_nas.compute.jit import Floats, Integers, compiled
from pyg_nas.compute.threads import single_threaded_pool
from pyg_nas.engine.adam import ADAM_EPSILON
from pyg_nas.engine.compiled.mersenne import draw_kept
from pyg_nas.engine.residual import BETA2, ResidualTask, weight_decay_of
from pyg_nas.graphs.ragged import pointers
from pyg_nas.nn.dense_residual import ResidualGraphs
from pyg_nas.nn.residual_gnn import ResidualGNN

Bytes = NDArray[np.uint8]

_DRAWN_BYTES = 2**21  # most dropout masks drawn together, unless one step has more


class _Weights(NamedTuple):
    """One member's weights, or their gradients: views of one flat array.

    ``C`` features of a vertex, ``G`` of a graph, width ``H``, depth ``L``, ``K`` targets.
    """

    embed: Floats  # [C, H]
    embed_bias: Floats  # [H]
    layers: Floats  # [L, H, 3 H]: own, to predecessors, to successors
    biases: Floats  # [L, H]
    gains: Floats  # [L, H]
    shifts: Floats  # [L, H]
    read: Floats  # [2 H, H]: mean over the vertices, last vertex
    read_bias: Floats  # [H]
    read_graph: Floats  # [G, H]
    output: Floats  # [H, K]
    output_bias: Floats  # [K]


class _Flat(NamedTuple):
    """All ``P`` numbers of one member that AdamW reads or changes."""

    weights: Floats  # [P]
    gradient: Floats  # [P]
    moments: Floats  # [2, P]
    ends: Integers  # where each weight matrix ends in them
    decays: NDArray[np.float64]  # the weight decay of each


class _Graphs(NamedTuple):
    """``N`` training graphs without padding."""

    rows: Floats  # [vertices of all graphs, C]
    starts: Integers  # [N + 1], where each graph's vertices begin
    edges: Integers  # [2, edges of all graphs]: source and target within the graph
    edge_starts: Integers  # [N + 1]
    graph: Floats  # [N, G]
    targets: Floats  # [N, K]


class _Stretch(NamedTuple):
    """Some consecutive steps of all ``M`` members: their batches and dropout masks.

    ``V`` is the padded number of vertices: masks are drawn for padding too, as in torch.
    """

    order: Integers  # [steps, M, B]
    layers: Bytes  # [steps, L, M, B V, H], 1 where a number is kept
    read: Bytes  # [steps, M, B, 2 H]
    graph: Bytes  # [steps, M, B, G]
    joined: Bytes  # [steps, M, B, H]
    rates: NDArray[np.float64]  # [steps], learning rates
    betas: NDArray[np.float64]  # [steps], Adam's first beta


def residual_epochs(task: ResidualTask) -> Iterator[float]:
    """Train; yield the members' mean loss after each epoch."""
    members = _Members(task)
    threads = min(torch.get_num_threads(), members.count)
    losses: list[float] = []  # losses of the steps of the current epoch
    with single_threaded_pool(threads) as pool:
        before: list[Future[Floats]] = []
        for stretch in _drawn(task):
            # The previous stretch is trained while this one is drawn.
            futures = members.submit(pool, stretch, before)
            if before:
                losses.extend(np.mean([future.result() for future in before], axis=0))
            while len(losses) >= task.steps:
                yield float(np.mean(losses[: task.steps]))
                del losses[: task.steps]
            before = futures
        losses.extend(np.mean([future.result() for future in before], axis=0))
    members.finish()
    for first in range(0, len(losses), task.steps):
        yield float(np.mean(losses[first : first + task.steps]))


def _drawn(task: ResidualTask) -> Iterator[_Stretch]:
    """Draw the batches and masks of all steps in the order of ``torch_epochs``."""
    rates, betas = task.config.cycle(task.steps)
    shapes = task.mask_shapes
    length = max(1, _DRAWN_BYTES // sum(math.prod(shape) for shape in shapes))
    depth = len(task.network.layers)
    order = task.draw_batches()
    drawn = len(order)
    for first in range(0, len(rates), length):
        last = min(first + length, len(rates))
        while drawn < last:
            order = torch.cat([order, task.draw_batches()])
            drawn += task.steps
        steps = last - first
        layers = np.ones((steps, depth, *shapes[0]), dtype=np.uint8)
        read, graph, joined = (np.ones((steps, *shape), np.uint8) for shape in shapes[depth:])
        if task.network.dropout:
            by_step = zip(layers, read, graph, joined, strict=True)
            draw_kept(chain.from_iterable(by_step), 1 - task.network.dropout, task.generator)
        yield _Stretch(
            order[:steps].numpy(), layers, read, graph, joined, rates[first:last], betas[first:last]
        )
        order = order[steps:]


class _Members:
    """The state of training of all members."""

    def __init__(self, task: ResidualTask) -> None:
        self.count = len(task.network.embed)
        self._task = task
        self._graphs = _packed_graphs(task.graphs, task.targets)
        self._most_edges = task.batch_size * int(np.diff(self._graphs.edge_starts).max(initial=0))
        self._parameters = [task.network.get_parameter(name) for name in _names(task.network)]
        flat = torch.cat([part.detach().flatten(1) for part in self._parameters], dim=1)
        self._flat = np.ascontiguousarray(flat.numpy())  # [M, P]
        self._moments = np.zeros((self.count, 2, self._flat.shape[1]), dtype=self._flat.dtype)
        sizes = [part[0].numel() for part in self._parameters]
        self._ends = np.cumsum(sizes)
        self._decays = np.array([weight_decay_of(p, task.config) for p in self._parameters])
        self._steps = 0

    def submit(
        self, pool: ThreadPoolExecutor, stretch: _Stretch, before: list[Future[Floats]]
    ) -> list[Future[Floats]]:
        """Start a stretch's steps of each member after those of the previous stretch."""
        first, self._steps = self._steps, self._steps + len(stretch.order)
        return [
            pool.submit(self._train, member, stretch, first, before[member] if before else None)
            for member in range(self.count)
        ]

    def _train(
        self, member: int, stretch: _Stretch, first: int, before: Future[Floats] | None
    ) -> Floats:
        """Return the steps' losses."""
        if before is not None:
            before.result()  # another thread may have begun it
        weights = self._flat[member]
        moments, gradient = self._moments[member], np.empty_like(weights)
        losses = np.empty(len(stretch.order), dtype=np.float32)
        _train_steps(
            _Flat(weights, gradient, moments, self._ends, self._decays),
            self._views(weights),
            self._views(gradient),
            self._graphs,
            stretch,
            member,
            first,
            self._most_edges,
            1.0 / (1.0 - self._task.network.dropout),
            losses,
        )
        return losses

    def _views(self, flat: Floats) -> _Weights:
        """Cut a flat array ``[P]`` into the shapes of :class:`_Weights`."""
        network = self._task.network
        _, vertex_columns, hidden = network.embed.shape
        depth, targets = len(network.layers), network.output.shape[2]
        shapes = (
            (vertex_columns, hidden),
            (hidden,),
            (depth, hidden, 3 * hidden),
            *[(depth, hidden)] * 3,
            (2 * hidden, hidden),
            (hidden,),
            (network.read_graph.shape[1], hidden),
            (hidden, targets),
            (targets,),
        )
        ends = np.cumsum([math.prod(shape) for shape in shapes])
        parts = np.split(flat, ends[:-1])
        return _Weights(*(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True)))

    @torch.no_grad()
    def finish(self) -> None:
        """Write the trained weights into the network."""
        parts = np.split(self._flat, self._ends[:-1], axis=1)
        for parameter, part in zip(self._parameters, parts, strict=True):
            parameter.copy_(torch.from_numpy(part).view_as(parameter))


def _names(network: ResidualGNN) -> list[str]:
    """Name the network's parameters in the order of :class:`_Weights`' fields."""
    names = []
    for field in _Weights._fields:
        value = getattr(network, field)
        several = isinstance(value, torch.nn.ParameterList)
        names += [f"{field}.{layer}" for layer in range(len(value))] if several else [field]
    return names


def _packed_graphs(graphs: ResidualGraphs, targets: torch.Tensor) -> _Graphs:
    kind = targets.numpy().dtype
    real = np.arange(graphs.vertices.shape[1]) < graphs.num_vertices[:, None]
    owner, source, target = np.nonzero(graphs.adjacency)
    counts = np.bincount(owner, minlength=len(graphs.graph))
    return _Graphs(
        rows=np.ascontiguousarray(graphs.vertices[real], dtype=kind),
        starts=pointers(graphs.num_vertices),
        edges=np.stack([source, target]),
        edge_starts=pointers(counts),
        graph=np.ascontiguousarray(graphs.graph, dtype=kind),
        targets=targets.numpy(),
    )


@compiled
def _take_batch(
    graphs: _Graphs, batch: Integers, inputs: Floats, starts: Integers, edges: Integers
) -> int:
    """Copy the vertices' features of a batch ``[B]`` below each other; return its edges.

    Args:
        graphs: All graphs.
        batch: Indices of the batch's graphs.
        inputs: Filled: ``[vertices of the batch, C]``.
        starts: Filled: ``[B + 1]``, where each graph begins in ``inputs``.
        edges: Filled: ``[2, edges of the batch]``, rows of ``inputs``.
    """
    taken = 0
    starts[0] = 0
    for b in range(len(batch)):
        graph, start = batch[b], starts[b]
        begin, end = graphs.starts[graph], graphs.starts[graph + 1]
        starts[b + 1] = start + end - begin
        for v in range(begin, end):
            for k in range(inputs.shape[1]):
                inputs[start + v - begin, k] = graphs.rows[v, k]
        for edge in range(graphs.edge_starts[graph], graphs.edge_starts[graph + 1]):
            edges[0, taken] = start + graphs.edges[0, edge]
            edges[1, taken] = start + graphs.edges[1, edge]
            taken += 1
    return taken


@compiled
def _normalise(states: Floats, normal: Floats, scale: Floats) -> None:
    """Apply layer norm without gain and shift, ``[v, H]``; ``scale`` ``[v]`` has rows' factors."""
    hidden = states.shape[1]
    one = states.dtype.type(1)
    share, epsilon = states.dtype.type(1 / hidden), states.dtype.type(1e-5)  # torch's epsilon
    for v in range(len(states)):
        total = square = states.dtype.type(0)
        for k in range(hidden):
            total += states[v, k]
        mean = share * total
        for k in range(hidden):
            square += (states[v, k] - mean) ** 2
        scale[v] = one / np.sqrt(share * square + epsilon)
        for k in range(hidden):
            normal[v, k] = scale[v] * (states[v, k] - mean)


@compiled
def _normalise_back(slope: Floats, normal: Floats, scale: Floats, added: Floats) -> None:
    """Add to ``added`` the gradient of :func:`_normalise`'s input; ``slope`` is its result's."""
    hidden = slope.shape[1]
    share = slope.dtype.type(1 / hidden)
    for v in range(len(slope)):
        total = along = slope.dtype.type(0)
        for k in range(hidden):
            total += slope[v, k]
            along += slope[v, k] * normal[v, k]
        total *= share
        along *= share
        for k in range(hidden):
            added[v, k] += scale[v] * (slope[v, k] - total - along * normal[v, k])


@compiled
def _fold(weights: _Weights, layer: int, scaled: Floats, constant: Floats) -> None:
    """Fold gain, shift and bias into a layer's weights ``[H, 3 H]`` and a constant ``[3 H]``."""
    matrix = weights.layers[layer]
    hidden = len(matrix)
    constant[:] = 0
    constant[:hidden] = weights.biases[layer]
    for i in range(hidden):
        gain, shift = weights.gains[layer, i], weights.shifts[layer, i]
        for j in range(3 * hidden):
            scaled[i, j] = gain * matrix[i, j]
            constant[j] += shift * matrix[i, j]


@compiled
def _fold_back(
    weights: _Weights, gradient: _Weights, layer: int, scaled: Floats, constant: Floats
) -> None:
    """Propagate the gradients of :func:`_fold`'s results to its weights."""
    matrix, slope = weights.layers[layer], gradient.layers[layer]
    hidden = len(matrix)
    gradient.biases[layer] = constant[:hidden]
    for i in range(hidden):
        gain, shift = weights.gains[layer, i], weights.shifts[layer, i]
        to_gain = to_shift = matrix.dtype.type(0)
        for j in range(3 * hidden):
            to_gain += scaled[i, j] * matrix[i, j]
            to_shift += constant[j] * matrix[i, j]
            slope[i, j] = gain * scaled[i, j] + shift * constant[j]
        gradient.gains[layer, i] = to_gain
        gradient.shifts[layer, i] = to_shift


@compiled
def _sum_messages(sent: Floats, constant: Floats, edges: Integers, summed: Floats) -> None:
    """Sum the own, the successors' and the predecessors' messages of each vertex.

    Args:
        sent: ``[v, 3 H]``: own, to predecessors, to successors; the constant is added.
        constant: ``[3 H]``, part of every message.
        edges: ``[2, edges]``.
        summed: Filled: ``[v, H]``.
    """
    hidden = summed.shape[1]
    for v in range(len(summed)):
        for k in range(3 * hidden):
            sent[v, k] += constant[k]
        for k in range(hidden):
            summed[v, k] = sent[v, k]
    for edge in range(edges.shape[1]):
        source, target = edges[0, edge], edges[1, edge]
        at_source, at_target = summed[source], summed[target]
        back, forth = sent[target, hidden : 2 * hidden], sent[source, 2 * hidden :]
        for k in range(hidden):
            at_source[k] += back[k]
        for k in range(hidden):
            at_target[k] += forth[k]


@compiled
def _sum_messages_back(summed: Floats, edges: Integers, sent: Floats, constant: Floats) -> None:
    """Propagate the gradient of :func:`_sum_messages`' result ``[v, H]`` to its inputs."""
    hidden = summed.shape[1]
    zero = summed.dtype.type(0)
    for v in range(len(summed)):
        for k in range(hidden):
            sent[v, k] = summed[v, k]
        sent[v, hidden:] = zero
    for edge in range(edges.shape[1]):
        source, target = edges[0, edge], edges[1, edge]
        at_source, at_target = summed[source], summed[target]
        back, forth = sent[target, hidden : 2 * hidden], sent[source, 2 * hidden :]
        for k in range(hidden):
            back[k] += at_source[k]
        for k in range(hidden):
            forth[k] += at_target[k]
    constant[:] = 0
    for v in range(len(sent)):
        for k in range(3 * hidden):
            constant[k] += sent[v, k]


@compiled
def _rectify(values: Floats, kept: Bytes, factor: float, slope: Floats) -> None:
    """Write the derivative of dropout after ReLU, row by row: 0 or ``factor``."""
    zero, share = values.dtype.type(0), values.dtype.type(factor)
    for row in range(len(values)):
        for k in range(values.shape[1]):
            # NaN <= 0 is false, so that the NaN of a diverged network is propagated.
            slope[row, k] = share if kept[row, k] and not values[row, k] <= zero else zero


@compiled
def _adamw(flat: _Flat, rate: float, beta1: float, step: int) -> None:
    """Apply one step of AdamW (Loshchilov and Hutter, 2019) in torch's form; steps from 1."""
    kind = flat.weights.dtype.type
    size, root = kind(rate / (1 - beta1**step)), kind(1 / math.sqrt(1 - BETA2**step))
    keep1, keep2 = kind(beta1), kind(BETA2)
    new1, new2, least = kind(1 - beta1), kind(1 - BETA2), kind(ADAM_EPSILON)
    begin = 0
    for part in range(len(flat.ends)):
        end, shrink = flat.ends[part], kind(1 - rate * flat.decays[part])
        # Loops from 0 over slices are vectorised, because their indices cannot be negative.
        w, g = flat.weights[begin:end], flat.gradient[begin:end]
        m, s = flat.moments[0, begin:end], flat.moments[1, begin:end]
        for i in range(len(w)):
            mean = keep1 * m[i] + new1 * g[i]
            square = keep2 * s[i] + new2 * g[i] * g[i]
            m[i] = mean
            s[i] = square
            w[i] = shrink * w[i] - size * mean / (np.sqrt(square) * root + least)
        begin = end


@compiled
def _read(final: Floats, starts: Integers, kept: Bytes, factor: float, read: Floats) -> None:
    """Write each graph's mean over vertices and its last vertex, with dropout: ``[B, 2 H]``."""
    hidden = final.shape[1]
    zero, share = final.dtype.type(0), final.dtype.type(factor)
    for b in range(len(read)):
        start, stop = starts[b], starts[b + 1]
        part = share / final.dtype.type(stop - start)
        for k in range(hidden):
            read[b, k] = zero
            read[b, hidden + k] = share * final[stop - 1, k] if kept[b, hidden + k] else zero
        for v in range(start, stop):
            for k in range(hidden):
                read[b, k] += part * final[v, k]
        for k in range(hidden):
            if not kept[b, k]:
                read[b, k] = zero


@compiled
def _read_back(read: Floats, starts: Integers, kept: Bytes, factor: float, final: Floats) -> None:
    """Propagate the gradient of :func:`_read`'s result to its input."""
    hidden = final.shape[1]
    zero, share = final.dtype.type(0), final.dtype.type(factor)
    for b in range(len(read)):
        start, stop = starts[b], starts[b + 1]
        part = share / final.dtype.type(stop - start)
        for k in range(hidden):
            if not kept[b, k]:
                read[b, k] = zero
        for v in range(start, stop):
            for k in range(hidden):
                final[v, k] = part * read[b, k]
        for k in range(hidden):
            if kept[b, hidden + k]:
                final[stop - 1, k] += share * read[b, hidden + k]


@compiled
def _sum_rows(rows: Floats, total: Floats) -> None:
    """Write the sum over the rows of ``[v, H]`` into ``total`` ``[H]``."""
    total[:] = 0
    for v in range(len(rows)):
        for k in range(rows.shape[1]):
            total[k] += rows[v, k]


@compiled
def _loss(predicted: Floats, targets: Floats, batch: Integers) -> float:
    """Return the mean squared error of ``[B, K]``, and replace predictions by its gradient."""
    count = predicted.size
    factor = predicted.dtype.type(2 / count)
    total = 0.0
    for b in range(len(predicted)):
        for k in range(predicted.shape[1]):
            error = predicted[b, k] - targets[batch[b], k]
            total += error * error
            predicted[b, k] = factor * error
    return total / count


class _Scratch(NamedTuple):
    """Arrays of one step, for batches of ``B`` graphs with at most ``v`` vertices together.

    All are written by the forward pass. The backward pass overwrites ``states``, ``work``,
    ``read``, ``joined`` and ``predicted`` by their gradients.
    """

    inputs: Floats  # [v, C], features of vertices
    edges: Integers  # [2, edges], rows of inputs
    starts: Integers  # [B + 1], where each graph begins in inputs
    normals: Floats  # [L + 1, v, H], normalised states before each layer and before the readout
    scales: Floats  # [L + 1, v], by which they were multiplied
    slopes: Floats  # [L, v, H], derivatives of ReLU and dropout
    scaled: Floats  # [L, H, 3 H], weights with gains
    constant: Floats  # [3 H], part of every message
    sent: Floats  # [v, 3 H], messages
    states: Floats  # [v, H]
    work: Floats  # [v, H], sums of messages
    read: Floats  # [B, 2 H]
    graph: Floats  # [B, G]
    joined: Floats  # [B, H]
    joined_slope: Floats  # [B, H]
    predicted: Floats  # [B, K]


@compiled
def _new_scratch(weights: _Weights, stretch: _Stretch, most_edges: int) -> _Scratch:
    kind = weights.embed.dtype
    depth, hidden = weights.biases.shape
    batch_size, most = stretch.order.shape[2], stretch.layers.shape[3]  # B, B V
    return _Scratch(
        np.empty((most, len(weights.embed)), kind),
        np.empty((2, most_edges), np.int64),
        np.empty(batch_size + 1, np.int64),
        np.empty((depth + 1, most, hidden), kind),
        np.empty((depth + 1, most), kind),
        np.empty((depth, most, hidden), kind),
        np.empty((depth, hidden, 3 * hidden), kind),
        np.empty(3 * hidden, kind),
        np.empty((most, 3 * hidden), kind),
        np.empty((most, hidden), kind),
        np.empty((most, hidden), kind),
        np.empty((batch_size, 2 * hidden), kind),
        np.empty((batch_size, len(weights.read_graph)), kind),
        np.empty((batch_size, hidden), kind),
        np.empty((batch_size, hidden), kind),
        np.empty((batch_size, len(weights.output_bias)), kind),
    )


@compiled
def _forward(
    weights: _Weights,
    graphs: _Graphs,
    stretch: _Stretch,
    step: int,
    member: int,
    factor: float,
    scratch: _Scratch,
) -> int:
    """Compute a batch's predictions; return its number of edges."""
    depth, hidden = weights.biases.shape
    batch, starts = stretch.order[step, member], scratch.starts
    padded = stretch.layers.shape[3] // len(batch)
    taken = _take_batch(graphs, batch, scratch.inputs, starts, scratch.edges)
    count = starts[len(batch)]
    states, work, sent = scratch.states[:count], scratch.work[:count], scratch.sent[:count]
    np.dot(scratch.inputs[:count], weights.embed, states)
    for v in range(count):
        for k in range(hidden):
            states[v, k] += weights.embed_bias[k]
    for layer in range(depth):
        normal = scratch.normals[layer, :count]
        _normalise(states, normal, scratch.scales[layer])
        _fold(weights, layer, scratch.scaled[layer], scratch.constant)
        np.dot(normal, scratch.scaled[layer], sent)
        _sum_messages(sent, scratch.constant, scratch.edges[:, :taken], work)
        masks = stretch.layers[step, layer, member]
        slope = scratch.slopes[layer, :count]
        for b in range(len(batch)):
            start, stop = starts[b], starts[b + 1]
            kept = masks[b * padded : b * padded + stop - start]
            _rectify(work[start:stop], kept, factor, slope[start:stop])
        for v in range(count):
            for k in range(hidden):
                states[v, k] += slope[v, k] * work[v, k]
    final = scratch.normals[depth, :count]
    _normalise(states, final, scratch.scales[depth])
    _read(final, starts, stretch.read[step, member], factor, scratch.read)
    joined, graph = scratch.joined, scratch.graph
    np.dot(scratch.read, weights.read, joined)
    if graph.shape[1]:
        zero, share = graph.dtype.type(0), graph.dtype.type(factor)
        for b in range(len(batch)):
            for k in range(graph.shape[1]):
                is_kept = stretch.graph[step, member, b, k]
                graph[b, k] = share * graphs.graph[batch[b], k] if is_kept else zero
        joined += np.dot(graph, weights.read_graph)
    joined += weights.read_bias
    _rectify(joined, stretch.joined[step, member], factor, scratch.joined_slope)
    joined *= scratch.joined_slope
    predicted = scratch.predicted
    np.dot(joined, weights.output, predicted)
    predicted += weights.output_bias
    return taken


@compiled
def _backward(
    weights: _Weights, gradient: _Weights, kept: Bytes, factor: float, taken: int, scratch: _Scratch
) -> None:
    """Propagate the gradient of the predictions to all weights.

    Args:
        kept: Mask of the readout ``[B, 2 H]``.
        taken: Edges of the batch.
    """
    depth, hidden = weights.biases.shape
    count = scratch.starts[len(scratch.predicted)]
    states, work, sent = scratch.states[:count], scratch.work[:count], scratch.sent[:count]
    joined = scratch.joined
    _sum_rows(scratch.predicted, gradient.output_bias)
    np.dot(joined.T, scratch.predicted, gradient.output)
    np.dot(scratch.predicted, weights.output.T, joined)
    joined *= scratch.joined_slope
    _sum_rows(joined, gradient.read_bias)
    np.dot(scratch.read.T, joined, gradient.read)
    if scratch.graph.shape[1]:
        np.dot(scratch.graph.T, joined, gradient.read_graph)
    np.dot(joined, weights.read.T, scratch.read)
    _read_back(scratch.read, scratch.starts, kept, factor, work)
    states[:] = states.dtype.type(0)
    _normalise_back(work, scratch.normals[depth, :count], scratch.scales[depth], states)
    scaled_gradient = np.empty_like(scratch.scaled[0])
    for layer in range(depth - 1, -1, -1):
        normal, slope = scratch.normals[layer, :count], scratch.slopes[layer, :count]
        for v in range(count):
            for k in range(hidden):
                work[v, k] = slope[v, k] * states[v, k]
        _sum_messages_back(work, scratch.edges[:, :taken], sent, scratch.constant)
        np.dot(normal.T, sent, scaled_gradient)
        np.dot(sent, scratch.scaled[layer].T, work)
        _fold_back(weights, gradient, layer, scaled_gradient, scratch.constant)
        _normalise_back(work, normal, scratch.scales[layer], states)
    np.dot(scratch.inputs[:count].T, states, gradient.embed)
    _sum_rows(states, gradient.embed_bias)


@compiled
def _train_steps(
    flat: _Flat,
    weights: _Weights,
    gradient: _Weights,
    graphs: _Graphs,
    stretch: _Stretch,
    member: int,
    steps_before: int,
    most_edges: int,
    factor: float,
    losses: Floats,
) -> None:
    """Run a stretch's steps of one member, in place.

    Args:
        flat: Of which ``weights`` and ``gradient`` are views.
        most_edges: Largest number of edges of a batch.
        factor: Factor of the features that dropout keeps.
        losses: Filled: ``[steps]``.
    """
    scratch = _new_scratch(weights, stretch, most_edges)
    for step in range(len(losses)):
        taken = _forward(weights, graphs, stretch, step, member, factor, scratch)
        losses[step] = _loss(scratch.predicted, graphs.targets, stretch.order[step, member])
        _backward(weights, gradient, stretch.read[step, member], factor, taken, scratch)
        _adamw(flat, stretch.rates[step], stretch.betas[step], steps_before + step + 1)
