"""Compiled training on the CPU: a member's steps run one after another in one core's cache.

With ten cells per batch the matrix products are so small that calls and memory access take longer
than the arithmetic. Here a step is one loop over weights, gradients and moments that stay in place,
without Python's lock, so that every core trains another member.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyg_nas.compute.blas import rows_per_product
from pyg_nas.compute.generators import seeded_generator
from pyg_nas.compute.jit import Floats, Integers, compiled
from pyg_nas.compute.splitmix import FIRST, GOLDEN, SECOND
from pyg_nas.compute.threads import single_threaded_pool
from pyg_nas.engine.adam import ADAM_BETAS, ADAM_EPSILON
from pyg_nas.engine.dropout import draw_key, lowest_kept_level
from pyg_nas.engine.gcn_config import TrainingTask, batch_loss, draw_batches
from pyg_nas.nn.conv import joined_weights, set_joined_weights
from pyg_nas.nn.gcn import GCN


def gcn_epochs(task: TrainingTask) -> Iterator[Tensor]:
    """Train the networks in place; yield the members' mean loss ``[M]`` after each epoch."""
    dense = task.cells
    cells = _Cells(
        dense.x.argmax(-1).numpy(),
        (dense.pool > 0).sum((-1, -2)).numpy(),
        dense.propagation.contiguous().numpy(),
        task.targets.float().numpy(),
        task.weights.float().numpy(),
    )
    members = [
        _Member(network, task, cells, seed)
        for network, seed in zip(task.members, task.seeds, strict=True)
    ]
    threads = min(torch.get_num_threads(), len(members))
    with single_threaded_pool(threads) as pool:
        parts = [members[thread::threads] for thread in range(threads)]
        over = pool.map if threads > 1 else map
        for _ in range(task.config.epochs):
            losses = torch.empty(len(members))
            for thread, part in enumerate(over(_train_epoch, parts)):
                losses[thread::threads] = torch.tensor(part)
            yield losses
    for member in members:
        member.finish()


def _train_epoch(members: Sequence[_Member]) -> list[float]:
    """Train the members of one core; return their mean losses."""
    return [member.train_epoch() for member in members]


class _Weights(NamedTuple):
    """One network's weights, or their gradients: views of one flat array.

    ``C`` one-hot columns, width ``H``, depth ``L``, head ``T``; each convolution's W+ beside W-.
    """

    first: Floats  # [C, 2 H]
    later: Floats  # [L - 1, H, 2 H]
    head: Floats  # [H, T]
    output: Floats  # [T]


class _Flat(NamedTuple):
    """All ``P`` numbers of one network that Adam reads or changes."""

    weights: Floats  # [P]
    gradient: Floats  # [P]
    moments: Floats  # [2, P]


class _Settings(NamedTuple):
    """What all steps of an epoch have in common."""

    rows_at_once: int  # of each BLAS call for the product with a convolution's weights
    columns_at_once: int  # of each BLAS call for the gradient of these weights
    keep_from: int  # the lowest level that dropout keeps
    kept: float  # the share of numbers that it keeps
    logistic: bool  # binary cross entropy of logits instead of the squared error
    rate: float  # learning rate
    decay: float  # of L2


class _Cells(NamedTuple):
    """``N`` training cells of at most ``V`` vertices."""

    columns: Integers  # [N, V], one-hot column of each vertex
    num_vertices: Integers  # [N]
    propagation: Floats  # [N, 2, V, V], Â and Â'
    targets: Floats  # [N]
    weights: Floats  # [N], of the cells in the loss


class _Member:
    """The state of training of one network, its weights in one flat array."""

    def __init__(self, network: GCN, task: TrainingTask, cells: _Cells, seed: int) -> None:
        self._network, self._task, self._cells = network, task, cells
        self._generator = seeded_generator(seed)
        self._key = draw_key(self._generator)
        with torch.no_grad():
            parts = [joined_weights(conv) for conv in network.convs]
            parts += [network.head.weight.T, network.output.weight.T]
            self._flat = torch.cat([part.flatten() for part in parts]).numpy()
        self._sizes = [part.numel() for part in parts]
        self._moments = np.zeros((2, len(self._flat)), dtype=np.float32)
        self._epochs = self._steps = 0

    def train_epoch(self) -> float:
        """Return the mean loss."""
        _, _, targets, weights, config, _ = self._task
        network, cells = self._network, self._cells
        order = draw_batches(self._generator, targets.numel(), config)
        predicted = torch.empty(order.shape)
        # Cosine from the learning rate to zero, as torch's scheduler.
        rate = config.learning_rate * (1 + math.cos(math.pi * self._epochs / config.epochs)) / 2
        hidden = network.head.in_features
        most = order.shape[1] * cells.columns.shape[1]  # vertices of a batch
        settings = _Settings(
            rows_per_product(most, hidden * 2 * hidden),
            rows_per_product(2 * hidden, hidden * most),
            np.int16(lowest_kept_level(network.dropout)),
            np.float32(1 - network.dropout),
            config.loss == "bce",
            rate,
            np.float32(config.weight_decay),
        )
        gradient = np.empty_like(self._flat)
        _train(
            _Flat(self._flat, gradient, self._moments),
            self._views(self._flat),
            self._views(gradient),
            settings,
            cells,
            order.numpy(),
            self._key,
            self._steps,
            predicted.numpy(),
        )
        self._steps += len(order)
        self._epochs += 1
        return float(batch_loss(config, predicted, targets[order], weights[order]).mean())

    def _views(self, flat: Floats) -> _Weights:
        """Cut a flat array into the parts of :class:`_Weights`."""
        hidden, head = self._network.head.in_features, self._network.head.out_features
        first, to_head = self._sizes[0], self._sizes[-2]
        ends = [first, len(flat) - to_head - head, len(flat) - head]
        parts = np.split(flat, ends)
        return _Weights(
            parts[0].reshape(-1, 2 * hidden),
            parts[1].reshape(-1, hidden, 2 * hidden),
            parts[2].reshape(hidden, head),
            parts[3],
        )

    @torch.no_grad()
    def finish(self) -> None:
        """Write the trained weights into the network."""
        *convs, head, output = torch.from_numpy(self._flat).split(self._sizes)
        for conv, weight in zip(self._network.convs, convs, strict=True):
            set_joined_weights(conv, weight.view(conv.in_channels, -1))
        for linear, weight in ((self._network.head, head), (self._network.output, output)):
            linear.weight.copy_(weight.view(linear.in_features, -1).T)


@compiled
def _draw_levels(key: np.uint64, step: int, bits: NDArray[np.uint64]) -> None:
    """Draw a step's levels as :func:`pyg_nas.engine.dropout.draw_levels`, four to a number."""
    state = key + np.uint64(step) * np.uint64(len(bits)) * GOLDEN
    for i in range(len(bits)):
        value = state + np.uint64(i + 1) * GOLDEN
        value = (value ^ (value >> np.uint64(30))) * FIRST
        value = (value ^ (value >> np.uint64(27))) * SECOND
        bits[i] = value ^ (value >> np.uint64(31))


@compiled
def _gather(
    mixed: Floats,
    shares: Floats,
    starts: Integers,
    levels: Integers,
    keep_from: int,
    states: Floats,
    active: NDArray[np.uint8],
) -> None:
    """Average over both directions' neighbours, apply ReLU and dropout, and sum both.

    Args:
        mixed: ``[v, 2 H]``: the products with W+ and W- of the batch's ``v`` vertices.
        shares: ``[B, 2, V, V]``: Â and Â' of each cell.
        starts: ``[B + 1]``: where each cell begins in ``mixed``.
        levels: Levels of dropout, ``[B V H]``, for padding too.
        keep_from: The lowest level that is kept.
        states: Filled: ``[v, H]``, without the factors 1/2 and 1 / (1 - dropout).
        active: Filled: ``[v, H]``, bit 1 if W+'s term passed, bit 2 if W-'s did.
    """
    width = states.shape[1]
    most = shares.shape[-1]
    zero = np.float32(0)
    outward = np.empty(width, dtype=np.float32)
    inward = np.empty(width, dtype=np.float32)
    for cell in range(len(shares)):
        start, stop = starts[cell], starts[cell + 1]
        for v in range(stop - start):
            outward[:] = zero
            inward[:] = zero
            for u in range(stop - start):
                share = shares[cell, 0, v, u]
                if share != zero:
                    for k in range(width):
                        outward[k] += share * mixed[start + u, k]
                share = shares[cell, 1, v, u]
                if share != zero:
                    for k in range(width):
                        inward[k] += share * mixed[start + u, width + k]
            drawn = levels[(cell * most + v) * width : (cell * most + v + 1) * width]
            for k in range(width):
                kept = drawn[k] >= keep_from
                # NaN <= 0 is false, so that the NaN of a diverged network is propagated.
                one = kept and not outward[k] <= zero
                other = kept and not inward[k] <= zero
                states[start + v, k] = (outward[k] if one else zero) + (
                    inward[k] if other else zero
                )
                active[start + v, k] = np.uint8(one) + np.uint8(2) * np.uint8(other)


@compiled
def _scatter(
    slope: Floats, shares: Floats, starts: Integers, active: NDArray[np.uint8], mixed: Floats
) -> None:
    """Propagate the gradient ``[v, H]`` of :func:`_gather`'s ``states`` to its ``mixed``."""
    width = slope.shape[1]
    zero = np.float32(0)
    outward = np.empty(width, dtype=np.float32)
    inward = np.empty(width, dtype=np.float32)
    for cell in range(len(shares)):
        start, stop = starts[cell], starts[cell + 1]
        mixed[start:stop] = zero
        for v in range(stop - start):
            for k in range(width):
                ways = active[start + v, k]
                outward[k] = slope[start + v, k] if ways & np.uint8(1) else zero
                inward[k] = slope[start + v, k] if ways & np.uint8(2) else zero
            for u in range(stop - start):
                share = shares[cell, 0, v, u]
                if share != zero:
                    for k in range(width):
                        mixed[start + u, k] += share * outward[k]
                share = shares[cell, 1, v, u]
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
    """Return the BLAS function of Numba's ``np.dot``; None if this version of Numba lacks it.

    It is a private part of Numba, used because ``np.dot`` cannot write to a part of each row.
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
            # BLAS is column-major: the arguments are exchanged.
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
def _adam(flat: _Flat, rate: float, decay: float, step: int) -> None:
    """Apply one step of Adam (Kingma and Ba, 2015) with L2; steps from 1."""
    weights, gradient, means, squares = (
        flat.weights,
        flat.gradient,
        flat.moments[0],
        flat.moments[1],
    )
    beta1, beta2 = ADAM_BETAS
    size = np.float32(rate / (1 - beta1**step))
    root = np.float32(1 / math.sqrt(1 - beta2**step))
    one, keep1, keep2 = np.float32(1), np.float32(beta1), np.float32(beta2)
    new1, new2 = one - keep1, one - keep2
    least, shrink = np.float32(ADAM_EPSILON), np.float32(decay)
    for i in range(len(weights)):
        slope = gradient[i] + shrink * weights[i]
        mean = keep1 * means[i] + new1 * slope
        square = keep2 * squares[i] + new2 * slope * slope
        means[i] = mean
        squares[i] = square
        weights[i] -= size * mean / (np.sqrt(square) * root + least)


@compiled
def _take_batch(
    cells: _Cells, batch: Integers, kinds: Integers, starts: Integers, shares: Floats
) -> int:
    """Copy a batch's cells below each other without padding; return the number of vertices.

    Args:
        cells: All cells.
        batch: Indices of the batch's cells, ``[B]``.
        kinds: Filled: ``[v]``, one-hot column of each vertex.
        starts: Filled: ``[B + 1]``, where each cell begins.
        shares: Filled: ``[B, 2, V, V]``.
    """
    starts[0] = 0
    for b in range(len(batch)):
        cell, start = batch[b], starts[b]
        for v in range(cells.num_vertices[cell]):
            kinds[start + v] = cells.columns[cell, v]
        starts[b + 1] = start + cells.num_vertices[cell]
        shares[b] = cells.propagation[cell]
    return int(starts[len(batch)])


@compiled
def _pool(states: Floats, starts: Integers, scale: float, pooled: Floats) -> None:
    """Compute ``scale`` times the mean over each cell's vertices, ``[v, H]`` to ``[B, H]``."""
    for b in range(len(pooled)):
        factor = scale / np.float32(starts[b + 1] - starts[b])
        pooled[b] = 0
        for v in range(starts[b], starts[b + 1]):
            for k in range(pooled.shape[1]):
                pooled[b, k] += factor * states[v, k]


@compiled
def _pool_back(pooled: Floats, starts: Integers, scale: float, slope: Floats) -> None:
    """Propagate the gradient of :func:`_pool`'s result to its input."""
    for b in range(len(pooled)):
        factor = scale / np.float32(starts[b + 1] - starts[b])
        for v in range(starts[b], starts[b + 1]):
            for k in range(pooled.shape[1]):
                slope[v, k] = factor * pooled[b, k]


@compiled
def _read_out(
    top: Floats,
    levels: Integers,
    settings: _Settings,
    cells: _Cells,
    batch: Integers,
    output: Floats,
    output_gradient: Floats,
    predicted: Floats,
) -> None:
    """Compute predictions from the head's values, and replace these by their gradient.

    Args:
        top: ``[B, T]``, before dropout; then the gradient of the loss.
        levels: Levels of dropout, ``[B T]``.
        batch: Indices of the batch's cells, ``[B]``.
        output: ``[T]``.
        output_gradient: Filled: ``[T]``.
        predicted: Filled: ``[B]``.
    """
    size, head = top.shape
    zero = np.float32(0)
    output_gradient[:] = zero
    for b in range(size):
        cell = batch[b]
        drawn = levels[b * head : (b + 1) * head]
        result = zero
        for k in range(head):
            if drawn[k] < settings.keep_from:
                top[b, k] = zero
            result += top[b, k] * output[k]
        predicted[b] = result
        if settings.logistic:
            error = np.float32(1 / (1 + math.exp(-result))) - cells.targets[cell]
        else:
            error = np.float32(2) * (result - cells.targets[cell])
        error *= cells.weights[cell] / np.float32(size)
        for k in range(head):
            output_gradient[k] += error * top[b, k]
            top[b, k] = error * output[k] if drawn[k] >= settings.keep_from else zero


@compiled
def _train(
    flat: _Flat,
    weights: _Weights,
    gradient: _Weights,
    settings: _Settings,
    cells: _Cells,
    order: Integers,
    key: np.uint64,
    steps_before: int,
    predicted: Floats,
) -> None:
    """Run a step for each batch of ``order``, in place.

    The constant factors of dropout and of the mean of both directions commute with ReLU and are
    applied once, in the mean over the vertices.

    Args:
        flat: Of which ``weights`` and ``gradient`` are views.
        order: ``[steps, B]``.
        key: Key of dropout. A step's levels are those of
            :func:`~pyg_nas.engine.dropout.draw_levels` for each convolution's ``[B, V, H]`` and
            then the head's ``[B, T]``.
        predicted: Filled: ``[steps, B]``.
    """
    depth, (hidden, head) = 1 + len(weights.later), weights.head.shape
    batch_size, padded = order.shape[1], cells.columns.shape[1]  # B, V
    most = batch_size * padded
    mixed = np.empty((most, 2 * hidden), dtype=np.float32)
    states = np.empty((depth, most, hidden), dtype=np.float32)
    active = np.empty((depth, most, hidden), dtype=np.uint8)
    slope = np.empty((most, hidden), dtype=np.float32)
    pooled = np.empty((batch_size, hidden), dtype=np.float32)
    top = np.empty((batch_size, head), dtype=np.float32)
    starts = np.zeros(batch_size + 1, dtype=np.int64)
    kinds = np.empty(most, dtype=np.int64)
    shares = np.empty((batch_size, 2, padded, padded), dtype=np.float32)
    layer_size = most * hidden
    bits = np.empty((depth * layer_size + batch_size * head + 3) // 4, dtype=np.uint64)
    levels = bits.view(np.int16)
    scale = np.float32((0.5 / settings.kept) ** depth / settings.kept)
    for step in range(len(order)):
        _draw_levels(key, steps_before + step, bits)
        count = _take_batch(cells, order[step], kinds, starts, shares)

        # Forward. The first convolution's product is a row of its weights: the input is one-hot.
        for v in range(count):
            mixed[v] = weights.first[kinds[v]]
        for layer in range(depth):
            if layer:
                below = states[layer - 1, :count]
                _multiply(below, weights.later[layer - 1], settings.rows_at_once, mixed)
            drawn = levels[layer * layer_size : (layer + 1) * layer_size]
            _gather(mixed, shares, starts, drawn, settings.keep_from, states[layer], active[layer])
        _pool(states[depth - 1], starts, scale, pooled)
        np.dot(pooled, weights.head, top)
        _read_out(
            top,
            levels[depth * layer_size :],
            settings,
            cells,
            order[step],
            weights.output,
            gradient.output,
            predicted[step],
        )

        # Backward: top, pooled, slope and mixed are overwritten by gradients.
        np.dot(pooled.T, top, gradient.head)
        np.dot(top, weights.head.T, pooled)
        _pool_back(pooled, starts, scale, slope)
        for layer in range(depth - 1, -1, -1):
            _scatter(slope, shares, starts, active[layer], mixed)
            if layer:
                below = states[layer - 1, :count]
                into = gradient.later[layer - 1]
                _multiply_transposed(below, mixed[:count], settings.columns_at_once, into)
                np.dot(mixed[:count], weights.later[layer - 1].T, slope[:count])
        gradient.first[:] = 0
        for v in range(count):
            gradient.first[kinds[v]] += mixed[v]
        _adam(flat, settings.rate, settings.decay, steps_before + step + 1)
