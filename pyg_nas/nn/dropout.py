"""Dropout masks of an ensemble: every member draws from a random stream of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

_LEVELS = 2**16


def draw_levels(generator: torch.Generator, steps: int, features: int) -> Tensor:
    """Draw a uniform level for each feature of some steps, int16 ``[steps, features]``.

    One 64-bit random number serves four features; at one number a feature, drawing would take
    longer than the arithmetic. The numbers come from the CPU on every device, and their count does
    not depend on the share dropped, so that a seed means the same everywhere.
    """
    bits = torch.empty(steps, -(-features // 4), dtype=torch.int64)
    return bits.random_(-(2**63), None, generator=generator).view(torch.int16)[:, :features]


def keep_from(dropout: float) -> int:
    """Return the lowest level that keeps its feature.

    Of all levels the share ``1 - dropout`` lies there, to within 1 / 65,536.
    """
    return round(dropout * _LEVELS) - _LEVELS // 2


class DropoutMasks:
    """Draw the masks of one training step for ``M`` members and all layers at once.

    Args:
        generators: The members' random streams, on the CPU.
        shapes: Shape of each layer's mask for one member.
        dropout: Probability of dropping a feature.
        device: Where the masks are needed.
    """

    def __init__(
        self,
        generators: Sequence[torch.Generator],
        shapes: Sequence[tuple[int, ...]],
        dropout: float,
        device: torch.device,
    ) -> None:
        self._generators = generators
        self._keep_from = keep_from(dropout)
        sizes = [math.prod(shape) for shape in shapes]
        self._kept = torch.empty(len(generators), sum(sizes), device=device)
        self._masks = [
            part.view(len(generators), *shape)
            for part, shape in zip(torch.split(self._kept, sizes, dim=1), shapes, strict=True)
        ]

    def draw(self) -> list[Tensor]:
        """Return for each layer 1.0 where a feature is kept, else 0.0: ``[M, *shape]``.

        The tensors are overwritten by the next call.
        """
        features = self._kept.size(1)
        levels = torch.cat([draw_levels(g, 1, features) for g in self._generators])
        torch.ge(levels.to(self._kept.device), self._keep_from, out=self._kept)
        return self._masks
