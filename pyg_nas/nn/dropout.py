"""Dropout masks of an ensemble: every member draws from a random stream of its own."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

_LEVELS = 2**16


class DropoutMasks:
    """Draw the masks of one training step for ``M`` members and all layers at once.

    One 64-bit random number serves four features, so a feature is kept with probability
    ``1 - dropout`` to within 1 / 65,536; at one number a feature, drawing would take longer than
    the arithmetic. The numbers come from the CPU on every device, and their count does not depend
    on ``dropout``, so that a seed means the same everywhere.

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
        self._threshold = round(dropout * _LEVELS) - _LEVELS // 2
        sizes = [math.prod(shape) for shape in shapes]
        members, total = len(generators), sum(sizes)
        self._bits = torch.empty(members, -(-total // 4), dtype=torch.int64)
        self._levels = self._bits.view(torch.int16)[:, :total]
        self._kept = torch.empty(members, total, device=device)
        self._masks = [
            part.view(members, *shape)
            for part, shape in zip(torch.split(self._kept, sizes, dim=1), shapes, strict=True)
        ]

    def draw(self) -> list[Tensor]:
        """Return for each layer 1.0 where a feature is kept, else 0.0: ``[M, *shape]``.

        The tensors are overwritten by the next call.
        """
        for bits, generator in zip(self._bits, self._generators, strict=True):
            bits.random_(-(2**63), None, generator=generator)
        torch.ge(self._levels.to(self._kept.device), self._threshold, out=self._kept)
        return self._masks
