"""Random generators of torch."""

from __future__ import annotations

from operator import index
from typing import SupportsIndex

import torch


def seeded_generator(seed: SupportsIndex, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a new generator with a seed; torch itself takes no whole numbers of NumPy."""
    return torch.Generator(device).manual_seed(index(seed))
