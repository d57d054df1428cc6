"""Edge cells in PyTorch: the layers that the networks of several spaces have.

Source: arXiv:2001.00326, section 2.2 and released code (NAS-Bench-201).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from pyg_nas.spaces.edge_cells.architectures import EDGES, KERNEL_SIZES, NONE, SKIP
from pyg_nas.spaces.grouped_layers import (
    CellLayer,
    GroupedBatchNorm,
    GroupedConv,
    from_image,
    to_image,
)

AVERAGE_POOL = 4

BATCH_NORM_MOMENTUM = 0.9
"""Share of the running statistics that the official networks retain at every step."""


def retained_share(momentum: float | None) -> float:
    """Return a momentum of batch normalisation; None is the official one."""
    return BATCH_NORM_MOMENTUM if momentum is None else momentum


class ReluConvBn(nn.Sequential):
    """ReLU, convolution and batch normalisation, ``[B, H, W, M, C]`` to ``[B, H', W', M, C']``."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: int,
        members: int,
        momentum: float,
        stride: int = 1,
    ) -> None:
        super().__init__(
            nn.ReLU(),
            GroupedConv(in_channels, out_channels, kernel_size, members, stride),
            GroupedBatchNorm(out_channels, members, momentum),
        )


class AveragePool(nn.AvgPool2d):
    """Average pooling of ``[B, H, W, M, C]``; padding is not counted."""

    def __init__(self, kernel_size: int, stride: int, padding: int) -> None:
        # An odd size is rounded up, as by a convolution of stride 2.
        super().__init__(kernel_size, stride, padding, ceil_mode=True, count_include_pad=False)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, H, W, M, C]`` to ``[B, H', W', M, C]``."""
        return from_image(super().forward(to_image(x)), x.shape[3])


class FactorizedReduction(nn.Module):
    """The identity of stride 2: two 1x1 convolutions on pixels that are offset by one."""

    def __init__(self, in_channels: int, out_channels: int, members: int, momentum: float) -> None:
        super().__init__()
        half = out_channels // 2
        self.even = GroupedConv(in_channels, half, 1, members, stride=2)
        self.odd = GroupedConv(in_channels, out_channels - half, 1, members, stride=2)
        self.norm = GroupedBatchNorm(out_channels, members, momentum)

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, H, W, M, C]`` to ``[B, ceil(H / 2), ceil(W / 2), M, C']``."""
        x = functional.relu(x)
        shifted = functional.pad(x, (0, 0, 0, 0, 0, 1, 0, 1))[:, 1:, 1:]
        reduced: Tensor = self.norm(torch.cat([self.even(x), self.odd(shifted)], dim=-1))
        return reduced


class EdgeCellModule(CellLayer):
    """One edge cell: each node adds up its incoming edges; node 3 is the output.

    Args:
        operations: The six operation numbers, see :data:`~pyg_nas.spaces.edge_cells.EDGES`.
        in_channels: Channels of the input, of each member.
        out_channels: Channels of the other nodes, of each member.
        members: Number of networks trained side by side.
        momentum: Share of the running statistics that is retained at every step.
        stride: 2 where the edges from the input halve the image.
    """

    def __init__(
        self,
        operations: Sequence[int],
        in_channels: int,
        out_channels: int,
        members: int,
        momentum: float,
        stride: int = 1,
    ) -> None:
        super().__init__()
        self.numbers = list(operations)
        self.stride = stride
        self.out_channels = out_channels
        self.operations = nn.ModuleList(
            _operation(number, in_channels, out_channels, members, momentum, stride)
            if source == 0
            else _operation(number, out_channels, out_channels, members, momentum, 1)
            for (source, _), number in zip(EDGES, operations, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, H, W, M, C]`` to ``[B, ceil(H / stride), ceil(W / stride), M, C']``."""
        nodes: list[Tensor | None] = [x, None, None, None]  # None is zero
        for (source, target), number, operation in zip(
            EDGES, self.numbers, self.operations, strict=True
        ):
            value = nodes[source]
            if number == NONE or value is None:
                continue
            passed = operation(value)
            total = nodes[target]
            nodes[target] = passed if total is None else total + passed
        output = nodes[3]
        if output is not None:
            return output
        batch, height, width, members, _ = x.shape
        halved = [-(-side // self.stride) for side in (height, width)]
        return x.new_zeros(batch, *halved, members, self.out_channels)


def _operation(
    number: int, in_channels: int, out_channels: int, members: int, momentum: float, stride: int
) -> nn.Module:
    if number == NONE or (number == SKIP and stride == 1 and in_channels == out_channels):
        return nn.Identity()
    if number == SKIP:
        return FactorizedReduction(in_channels, out_channels, members, momentum)
    if number == AVERAGE_POOL:
        return AveragePool(3, stride=1, padding=1)
    return ReluConvBn(in_channels, out_channels, KERNEL_SIZES[number], members, momentum, stride)
