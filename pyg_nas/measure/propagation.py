"""Propagation of signals through an untrained network of a cell: three proxies of AZ-NAS.

A batch of random images passes through a network with random weights, and random gradients pass
back through each of its blocks. Blocks are the cells and the layers between them. No data and no
label of any task are used.

Source: Lee and Ham, AZ-NAS (arXiv:2403.19232), section 3; its fourth proxy is the count of
multiply-accumulates.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyg_nas.compute.generators import seeded_generator
from pyg_nas.measure.network import draw_official_network

if TYPE_CHECKING:
    from pyg_nas.graphs.cell import Cell

BATCH_SIZE = 16
PROPERTIES = ("expressivity", "progressivity", "trainability")
"""Names of the numbers of :func:`propagation`, in their order."""

_STABLE = 1e-6
_NOTHING = 1e-20
_LEAST_SHARE = 1e-8


def propagation(cell: Cell, seed: int) -> NDArray[np.float64]:
    """Return the expressivity, progressivity and trainability of a cell, float64 ``[3]``.

    - Expressivity: how evenly the variance of the channels is spread over their principal
      components, as an entropy in nats, summed over the input of the first block and the outputs
      of all blocks.
    - Progressivity: the least growth of this entropy from one to the next.
    - Trainability: a gradient of random signs passes back through each block. With ``s`` the
      spectral norm of the covariance of the gradients at its two ends it is ``2 - s - 1 / s``, at
      most 0; the mean over blocks. It is minus infinity where a gradient is lost in a block, or
      passes through it unchanged.

    The network has the official size of the space; it sees 16 images of independent normal pixels,
    and batch normalisation uses their statistics.

    Args:
        cell: A cell whose space has networks of an official size.
        seed: Random seed of weights, images and gradients.

    Raises:
        MeasureError: If cells of its space have no such network.
    """
    generator = seeded_generator(seed)
    network, size = draw_official_network(cell, generator)
    shape = (BATCH_SIZE, size.image_channels, *size.image_size)
    states = torch.randn(shape, generator=generator)[None].permute(1, 3, 4, 0, 2)
    layers = list(network.layers)
    first, last = (layers.index(network.cells[end]) for end in (0, -1))
    for layer in layers[:first]:
        states = layer(states)
    passes: list[tuple[Tensor, Tensor]] = []
    for block in layers[first : last + 1]:
        start = states.detach().requires_grad_()
        states = block(start)
        passes.append((start, states))
    ends = [passes[0][0], *(output for _, output in passes)]
    entropies = np.array([_entropy(values.detach()) for values in ends])
    stable = [_stability(start, output, generator) for start, output in passes]
    return np.array([entropies.sum(), np.diff(entropies).min(), np.mean(stable)])


def _entropy(values: Tensor) -> float:
    """Entropy of the shares of the channels' principal components, of ``[B, H, W, M, C]``."""
    rows = values.reshape(-1, values.shape[-1]).double()
    centred = rows - rows.mean(dim=0)
    components = torch.linalg.eigvalsh(centred.T @ centred / len(rows)).clamp(min=0)
    total = components.sum()
    if total <= _NOTHING:
        return 0.0
    shares = components / total
    return float(-(shares * (shares + _LEAST_SHARE).log()).sum())


def _stability(start: Tensor, output: Tensor, generator: torch.Generator) -> float:
    """Return ``2 - s - 1 / s`` of one block, from ``[B, H, W, M, C]`` to ``[B, H', W', M, C']``."""
    if output.grad_fn is None:
        return -np.inf
    after = (torch.randint(0, 2, output.shape, generator=generator) * 2 - 1).float()
    before = torch.autograd.grad(output, start, after, allow_unused=True)[0]
    if before is None or not before.any():
        return -np.inf
    if before.shape == after.shape and torch.equal(before, after):
        return -np.inf
    # Where a block halves the image, the four pixels of an input belong to one of the output.
    factor = before.shape[1] // after.shape[1]
    batch, height, width, members, channels = before.shape
    parts = before.reshape(
        batch, height // factor, factor, width // factor, factor, members, channels
    )
    rows = parts.permute(0, 1, 3, 5, 2, 4, 6).reshape(-1, factor * factor * channels)
    signs = after.reshape(-1, after.shape[-1])
    norm = float(torch.linalg.matrix_norm(rows.T @ signs / len(signs), 2))
    return 2 - norm - 1 / (norm + _STABLE)
