"""Training on the processor: a member's steps run one after another, compiled, in one core's cache.

At ten cells a batch the matrix products are so small that calls and memory cost more than the
arithmetic. Here a step is one loop over weights, gradients and moments that stay where they are,
without Python's lock, so that every core trains a member of its own.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyg_nas.compute.blas import rows_per_product
from pyg_nas.compute.jit import Floats, Integers, compiled
from pyg_nas.compute.splitmix import FIRST, GOLDEN, SECOND
from pyg_nas.compute.threads import single_threaded_pool
from pyg_nas.engine.config import TrainingConfig, TrainingTask, batch_loss, draw_batches
from pyg_nas.engine.dropout import draw_key, keep_from
from pyg_nas.nn.conv import joined_weights, set_joined_weights
from pyg_nas.nn.dense import DenseCells
from pyg_nas.nn.gcn import GCN


class CompiledTrainer:
    """Train the networks of a task on the CPU, in place."""

    def __init__(self, task: TrainingTask) -> None:
        members, cells, targets, weights, config, seeds = task
        data = _Data(cells, targets, weights)
        self._epochs = config.epochs
        self._members = [
            _Member(member, data, config, seed) for member, seed in zip(members, seeds, strict=True)
        ]

    def epochs(self) -> Iterator[Tensor]:
        """Train; yield the members' mean loss ``[M]`` after each epoch."""
        threads = min(torch.get_num_threads(), len(self._members))
        with single_threaded_pool(threads) as pool:
            parts = [self._members[thread::threads] for thread in range(threads)]
            over = pool.map if threads > 1 else map
            for _ in range(self._epochs):
                losses = torch.empty(len(self._members))
                for thread, part in enumerate(over(_train_epoch, parts)):
                    losses[thread::threads] = torch.tensor(part)
                yield losses
        for member in self._members:
            member.finish()


def _train_epoch(members: Sequence[_Member]) -> list[float]:
    """Train the members that stay on one core; return their mean losses."""
    return [member.train_epoch() for member in members]


class _Data:
    """Training cells as the compiled loop reads them."""

    def __init__(self, cells: DenseCells, targets: Tensor, weights: Tensor) -> None:
        self.columns = cells.x.argmax(-1).numpy()
        self.num_vertices = (cells.pool > 0).sum((-1, -2)).numpy()
        self.propagation = cells.propagation.contiguous().numpy()
        self.targets, self.weights = targets, weights
        self.of_cells = targets.float().numpy(), weights.float().numpy()


class _Member:
    """One network in training, its weights in one flat array: W+ beside W- of each convolution
    ``[in, 2 hidden]``, then the head ``[hidden, head]`` and the output ``[head]``.
    """

    def __init__(self, network: GCN, data: _Data, config: TrainingConfig, seed: int) -> None:
        self._network, self._data, self._config = network, data, config
        self._generator = torch.Generator().manual_seed(seed)
        self._key = draw_key(self._generator)
        with torch.no_grad():
            parts = [joined_weights(conv) for conv in network.convs]
            parts += [network.head.weight.T, network.output.weight.T]
            self._weights = torch.cat([part.flatten() for part in parts]).numpy()
        self._sizes = [part.numel() for part in parts]
        self._moments = np.zeros((2, len(self._weights)), dtype=np.float32)
        self._epochs = self._steps = 0

    def train_epoch(self) -> float:
        """Return the mean loss."""
        network, data, config = self._network, self._data, self._config
        order = draw_batches(self._generator, data.targets.numel(), config)
        predicted = torch.empty(order.shape)
        rate = config.learning_rate * (1 + math.cos(math.pi * self._epochs / config.epochs)) / 2
        depth, hidden, head = (
            len(network.convs),
            network.head.in_features,
            network.head.out_features,
        )
        most = order.shape[1] * data.columns.shape[1]
        _train(
            self._weights,
            self._moments,
            (depth, network.in_channels, hidden, head),
            rows_per_product(most, hidden * 2 * hidden),
            rows_per_product(2 * hidden, hidden * most),
            data.columns,
            data.num_vertices,
            data.propagation,
            *data.of_cells,
            order.numpy(),
            self._key,
            np.int16(keep_from(network.dropout)),
            np.float32(1 - network.dropout),
            config.loss == "bce",
            rate,
            np.float32(config.weight_decay),
            self._steps,
            predicted.numpy(),
        )
        self._steps += len(order)
        self._epochs += 1
        losses = batch_loss(config, predicted, data.targets[order], data.weights[order])
        return float(losses.mean())

    @torch.no_grad()
    def finish(self) -> None:
        """Write the trained weights into the network."""
        *convs, head, output = torch.from_numpy(self._weights).split(self._sizes)
        for conv, weight in zip(self._network.convs, convs, strict=True):
            set_joined_weights(conv, weight.view(conv.in_channels, -1))
        for linear, weight in ((self._network.head, head), (self._network.output, output)):
            linear.weight.copy_(weight.view(linear.in_features, -1).T)


@compiled
def _draw_levels(key: np.uint64, step: int, bits: NDArray[np.uint64]) -> None:
    """Draw a step's levels as :func:`~.dropout.draw_levels` does, four to a number."""
    state = key + np.uint64(step) * np.uint64(len(bits)) * GOLDEN
    for i in range(len(bits)):
        value = state + np.uint64(i + 1) * GOLDEN
        value = (value ^ (value >> np.uint64(30))) * FIRST
        value = (value ^ (value >> np.uint64(27))) * SECOND
        bits[i] = value ^ (value >> np.uint64(31))


@compiled
def _gather(
    mixed: Floats,
    propagation: Floats,
    starts: Integers,
    levels: Integers,
    keep_from: int,
    hidden: Floats,
    active: NDArray[np.uint8],
) -> None:
    """Gather both directions, rectify and drop; note which of the two each feature came from."""
    width = hidden.shape[1]
    vertices = propagation.shape[-1]
    zero = np.float32(0)
    outward = np.empty(width, dtype=np.float32)
    inward = np.empty(width, dtype=np.float32)
    for cell in range(len(propagation)):
        start, stop = starts[cell], starts[cell + 1]
        for v in range(stop - start):
            outward[:] = zero
            inward[:] = zero
            for u in range(stop - start):
                share = propagation[cell, 0, v, u]
                if share != zero:
                    for k in range(width):
                        outward[k] += share * mixed[start + u, k]
                share = propagation[cell, 1, v, u]
                if share != zero:
                    for k in range(width):
                        inward[k] += share * mixed[start + u, width + k]
            drawn = levels[(cell * vertices + v) * width : (cell * vertices + v + 1) * width]
            for k in range(width):
                kept = drawn[k] >= keep_from
                # NaN is not at most zero: a network that has diverged is found.
                one = kept and not outward[k] <= zero
                other = kept and not inward[k] <= zero
                hidden[start + v, k] = (outward[k] if one else zero) + (
                    inward[k] if other else zero
                )
                active[start + v, k] = np.uint8(one) + np.uint8(2) * np.uint8(other)


@compiled
def _scatter(
    gradient: Floats,
    propagation: Floats,
    starts: Integers,
    active: NDArray[np.uint8],
    mixed: Floats,
) -> None:
    """Take the gradient of :func:`_gather`'s result back to its input."""
    width = gradient.shape[1]
    zero = np.float32(0)
    outward = np.empty(width, dtype=np.float32)
    inward = np.empty(width, dtype=np.float32)
    for cell in range(len(propagation)):
        start, stop = starts[cell], starts[cell + 1]
        mixed[start:stop] = zero
        for v in range(stop - start):
            for k in range(width):
                ways = active[start + v, k]
                outward[k] = gradient[start + v, k] if ways & np.uint8(1) else zero
                inward[k] = gradient[start + v, k] if ways & np.uint8(2) else zero
            for u in range(stop - start):
                share = propagation[cell, 0, v, u]
                if share != zero:
                    for k in range(width):
                        mixed[start + u, k] += share * outward[k]
                share = propagation[cell, 1, v, u]
                if share != zero:
                    for k in range(width):
                        mixed[start + u, width + k] += share * inward[k]


@compiled
def _multiply(left: Floats, right: Floats, rows_at_once: int, product: Floats) -> None:
    """Write ``left @ right`` into the first rows of ``product``."""
    for first in range(0, len(left), rows_at_once):
        rows = slice(first, min(first + rows_at_once, len(left)))
        np.dot(left[rows], right, product[rows])


def _load_gemm() -> Any:
    """Return what ``np.dot`` calls in compiled code; None where Numba has it elsewhere.

    It is a private part of Numba, used because ``np.dot`` cannot write a part of each row.
    """
    try:
        from numba import float32
        from numba.np.linalg import _BLAS

        return _BLAS().numba_xxgemm(float32)
    except (ImportError, AttributeError):
        return None


_gemm = _load_gemm()

if _gemm is not None:

    @compiled
    def _multiply_transposed(
        left: Floats, right: Floats, columns_at_once: int, product: Floats
    ) -> None:
        """Write ``left.T @ right`` into ``product``: ``[inner, rows]``, ``[inner, columns]``."""
        inner, rows = left.shape
        columns = right.shape[1]
        one, zero = np.ones(1, dtype=np.float32), np.zeros(1, dtype=np.float32)
        for first in range(0, columns, columns_at_once):
            # BLAS counts columns first: the arguments swap places.
            _gemm(
                ord("s"),
                ord("n"),
                ord("t"),
                min(columns_at_once, columns - first),
                rows,
                inner,
                one.ctypes,
                right[0, first:].ctypes,
                columns,
                left.ctypes,
                rows,
                zero.ctypes,
                product[0, first:].ctypes,
                columns,
            )

else:

    @compiled
    def _multiply_transposed(
        left: Floats, right: Floats, columns_at_once: int, product: Floats
    ) -> None:
        """Write ``left.T @ right`` into ``product``: ``[inner, rows]``, ``[inner, columns]``."""
        for first in range(0, right.shape[1], columns_at_once):
            part = slice(first, min(first + columns_at_once, right.shape[1]))
            product[:, part] = np.dot(left.T, np.ascontiguousarray(right[:, part]))


@compiled
def _adam(
    weights: Floats,
    gradient: Floats,
    mean: Floats,
    square: Floats,
    rate: float,
    decay: float,
    step: int,
) -> None:
    """Take one step of Adam (β 0.9, 0.999; ε 1e-8) with L2 in the gradient."""
    one, beta1, beta2 = np.float32(1), np.float32(0.9), np.float32(0.999)
    scale = np.float32(rate / (1 - 0.9**step))
    root = np.float32(1 / math.sqrt(1 - 0.999**step))
    epsilon = np.float32(1e-8)
    for i in range(len(weights)):
        slope = gradient[i] + decay * weights[i]
        m = beta1 * mean[i] + (one - beta1) * slope
        s = beta2 * square[i] + (one - beta2) * slope * slope
        mean[i] = m
        square[i] = s
        weights[i] -= scale * m / (np.sqrt(s) * root + epsilon)


@compiled
def _train(
    weights: Floats,
    moments: Floats,
    shape: tuple[int, int, int, int],
    rows_at_once: int,
    columns_at_once: int,
    columns: Integers,
    num_vertices: Integers,
    propagation: Floats,
    targets: Floats,
    cell_weights: Floats,
    order: Integers,
    key: np.uint64,
    keep_from: int,
    kept: float,
    logistic: bool,
    rate: float,
    decay: float,
    steps_before: int,
    predicted: Floats,
) -> None:
    """Run the steps of ``order`` ``[steps, B]`` on ``weights`` and ``moments``, in place.

    Dropout's levels are those of :func:`~pyg_nas.engine.dropout.draw_levels` for each convolution's
    ``[B, V, hidden]`` and then the head's ``[B, head]``. The constant factors of dropout (``kept``)
    and of the mean of both directions pass through ReLU unchanged and are applied once, in the
    readout.
    """
    depth, inputs, hidden, head = shape
    batch, most = order.shape[1], columns.shape[1]
    zero = np.float32(0)
    gradient = np.empty_like(weights)
    first, first_gradient = _first(weights, shape), _first(gradient, shape)
    mixed = np.empty((batch * most, 2 * hidden), dtype=np.float32)
    states = np.empty((depth, batch * most, hidden), dtype=np.float32)
    active = np.empty((depth, batch * most, hidden), dtype=np.uint8)
    slope = np.empty((batch * most, hidden), dtype=np.float32)
    pooled = np.empty((batch, hidden), dtype=np.float32)
    top = np.empty((batch, head), dtype=np.float32)
    starts = np.zeros(batch + 1, dtype=np.int64)
    kinds = np.empty(batch * most, dtype=np.int64)
    shares = np.empty((batch, 2, most, most), dtype=np.float32)
    at_top = depth * batch * most * hidden
    bits = np.empty((at_top + batch * head + 3) // 4, dtype=np.uint64)
    drawn = bits.view(np.int16)
    scale = np.float32((0.5 / kept) ** depth / kept)
    at_head = inputs * 2 * hidden + (depth - 1) * 2 * hidden * hidden
    at_output = at_head + hidden * head
    to_head, head_gradient = (
        weights[at_head:at_output].reshape(hidden, head),
        gradient[at_head:at_output].reshape(hidden, head),
    )
    output, output_gradient = weights[at_output:], gradient[at_output:]
    for step in range(len(order)):
        _draw_levels(key, steps_before + step, bits)
        for b in range(batch):
            cell, start = order[step, b], starts[b]
            for v in range(num_vertices[cell]):
                kinds[start + v] = columns[cell, v]
            starts[b + 1] = start + num_vertices[cell]
            shares[b] = propagation[cell]
        count = starts[batch]

        for v in range(count):
            mixed[v] = first[kinds[v]]
        for layer in range(depth):
            if layer:
                _multiply(
                    states[layer - 1, :count], _later(weights, shape, layer), rows_at_once, mixed
                )
            part = drawn[layer * batch * most * hidden : (layer + 1) * batch * most * hidden]
            _gather(mixed, shares, starts, part, keep_from, states[layer], active[layer])
        last = states[depth - 1]
        for b in range(batch):
            factor = scale / np.float32(starts[b + 1] - starts[b])
            pooled[b] = zero
            for v in range(starts[b], starts[b + 1]):
                for k in range(hidden):
                    pooled[b, k] += factor * last[v, k]
        np.dot(pooled, to_head, top)

        output_gradient[:] = zero
        for b in range(batch):
            cell = order[step, b]
            kept_top = drawn[at_top + b * head : at_top + (b + 1) * head]
            result = zero
            for k in range(head):
                if kept_top[k] < keep_from:
                    top[b, k] = zero
                result += top[b, k] * output[k]
            predicted[step, b] = result
            if logistic:
                error = np.float32(1 / (1 + math.exp(-result))) - targets[cell]
            else:
                error = np.float32(2) * (result - targets[cell])
            error *= cell_weights[cell] / np.float32(batch)
            for k in range(head):
                output_gradient[k] += error * top[b, k]
                top[b, k] = error * output[k] if kept_top[k] >= keep_from else zero
        np.dot(pooled.T, top, head_gradient)
        np.dot(top, to_head.T, pooled)
        for b in range(batch):
            factor = scale / np.float32(starts[b + 1] - starts[b])
            for v in range(starts[b], starts[b + 1]):
                for k in range(hidden):
                    slope[v, k] = factor * pooled[b, k]
        for layer in range(depth - 1, -1, -1):
            _scatter(slope, shares, starts, active[layer], mixed)
            if layer:
                below, matrix = states[layer - 1, :count], _later(weights, shape, layer)
                _multiply_transposed(
                    below, mixed[:count], columns_at_once, _later(gradient, shape, layer)
                )
                np.dot(mixed[:count], matrix.T, slope[:count])
        first_gradient[:] = zero
        for v in range(count):
            first_gradient[kinds[v]] += mixed[v]
        _adam(weights, gradient, moments[0], moments[1], rate, decay, steps_before + step + 1)


@compiled
def _first(flat: Floats, shape: tuple[int, int, int, int]) -> Floats:
    _, inputs, hidden, _ = shape
    return flat[: inputs * 2 * hidden].reshape(inputs, 2 * hidden)


@compiled
def _later(flat: Floats, shape: tuple[int, int, int, int], layer: int) -> Floats:
    _, inputs, hidden, _ = shape
    start = inputs * 2 * hidden + (layer - 1) * 2 * hidden * hidden
    return flat[start : start + 2 * hidden * hidden].reshape(hidden, 2 * hidden)
