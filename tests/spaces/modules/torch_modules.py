"""PyTorch modules of which tests make graphs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

IMAGES = torch.zeros(2, 4, 6, 6)


class Block(nn.Module):
    """A residual block with everything that a convolution may have."""

    def __init__(self, *, kernel_size: int = 3, swapped: bool = False) -> None:
        super().__init__()
        self.first = nn.Conv2d(4, 8, kernel_size, padding=kernel_size // 2, groups=2)
        self.norm = nn.BatchNorm2d(8)
        self.second = nn.Conv2d(8, 4, 1, stride=1, bias=False)
        self.swapped = swapped

    def forward(self, x: Tensor) -> Tensor:
        y = self.second(functional.relu(self.norm(self.first(x))))
        return x + y if self.swapped else y + x


class Function(nn.Module):
    """A layer, and a function of it."""

    def __init__(self, function: Any, *layers: nn.Module) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        self.function = function

    def forward(self, *inputs: Any) -> Any:
        return self.function(*self.layers, *inputs)
