"""Dropout masks of an ensemble, in which every member has its own random stream.

The stream is SplitMix64: its numbers depend on the member's key and on their position alone, so
that compiled code draws the same ones (:mod:`pyg_nas.engine.compiled.gcn_trainer`). Each 64-bit
number gives four features a level of 16 bits. How many are drawn depends neither on the dropout
probability nor on the device, so that a seed gives the same masks on every device.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyg_nas.compute.splitmix import GOLDEN, mix
from pyg_nas.nn.gcn import GCN

_LEVELS = 2**16


def mask_shapes(network: GCN, batch_size: int, vertices: int) -> list[tuple[int, ...]]:
    """Return the shape of each layer's dropout mask for one network and a batch of padded cells."""
    hidden, head = network.head.in_features, network.head.out_features
    shapes: list[tuple[int, ...]] = [(batch_size, vertices, hidden)] * len(network.convs)
    return [*shapes, (batch_size, head)]


def draw_key(generator: torch.Generator) -> np.uint64:
    """Draw the key of a member's dropout from its random stream."""
    bits = torch.empty(1, dtype=torch.int64).random_(-(2**63), None, generator=generator)
    key: np.uint64 = bits.numpy().view(np.uint64)[0]
    return key


def draw_levels(key: np.uint64, step: int, features: int) -> NDArray[np.int16]:
    """Return the uniform levels of a step's features, int16 ``[features]``."""
    words = -(-features // 4)
    position = np.arange(step * words + 1, (step + 1) * words + 1, dtype=np.uint64)
    return mix(key + position * GOLDEN).view(np.int16)[:features]


def lowest_kept_level(dropout: float) -> int:
    """Return the lowest level at which a feature is kept.

    The share of levels from there on is ``1 - dropout``, to within 1 / 65,536.
    """
    return round(dropout * _LEVELS) - _LEVELS // 2


class DropoutMasks:
    """Draws the masks of each training step for ``M`` members and all layers together.

    Args:
        generators: The members' random generators, on the CPU, from which their keys are drawn.
        shapes: Shape of each layer's mask for one member.
        dropout: Probability of dropping a feature.
        device: Device of the masks.
    """

    def __init__(
        self,
        generators: Sequence[torch.Generator],
        shapes: Sequence[tuple[int, ...]],
        dropout: float,
        device: torch.device,
    ) -> None:
        self._keys = [draw_key(generator) for generator in generators]
        self._step = 0
        self._lowest = lowest_kept_level(dropout)
        sizes = [math.prod(shape) for shape in shapes]
        self._kept = torch.empty(len(generators), sum(sizes), device=device)
        self._masks = [
            part.view(len(generators), *shape)
            for part, shape in zip(torch.split(self._kept, sizes, dim=1), shapes, strict=True)
        ]

    def draw(self) -> list[Tensor]:
        """Return for each layer 1.0 for a kept feature and 0.0 for a dropped one, ``[M, *shape]``.

        The next call overwrites the tensors.
        """
        features = self._kept.size(1)
        levels = np.stack([draw_levels(key, self._step, features) for key in self._keys])
        self._step += 1
        torch.ge(torch.from_numpy(levels).to(self._kept.device), self._lowest, out=self._kept)
        return self._masks
