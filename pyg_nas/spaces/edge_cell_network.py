"""Networks of edge cells in PyTorch: stages of the same cell with residual blocks between them.

Source: arXiv:2001.00326, section 2.2 and released code (NAS-Bench-201).
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from pyg_nas.graphs.space_support import NetworkSize
from pyg_nas.spaces.edge_cell_size import OFFICIAL_SIZE
from pyg_nas.spaces.edge_cells import EDGES, KERNEL_SIZES, NONE, SKIP
from pyg_nas.spaces.grouped_layers import (
    CellLayer,
    GroupedBatchNorm,
    GroupedConv,
    GroupedNetwork,
    from_image,
    halvings,
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
        self.kinds = list(operations)
        self.stride = stride
        self.out_channels = out_channels
        self.operations = nn.ModuleList(
            _operation(kind, in_channels, out_channels, members, momentum, stride)
            if source == 0
            else _operation(kind, out_channels, out_channels, members, momentum, 1)
            for (source, _), kind in zip(EDGES, operations, strict=True)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, H, W, M, C]`` to ``[B, ceil(H / stride), ceil(W / stride), M, C']``."""
        nodes: list[Tensor | None] = [x, None, None, None]  # None is zero
        for (source, target), kind, operation in zip(
            EDGES, self.kinds, self.operations, strict=True
        ):
            value = nodes[source]
            if kind == NONE or value is None:
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
    kind: int, in_channels: int, out_channels: int, members: int, momentum: float, stride: int
) -> nn.Module:
    if kind == NONE or (kind == SKIP and stride == 1 and in_channels == out_channels):
        return nn.Identity()
    if kind == SKIP:
        return FactorizedReduction(in_channels, out_channels, members, momentum)
    if kind == AVERAGE_POOL:
        return AveragePool(3, stride=1, padding=1)
    return ReluConvBn(in_channels, out_channels, KERNEL_SIZES[kind], members, momentum, stride)


class ReductionBlock(nn.Module):
    """Residual block that halves the image and changes the channels."""

    def __init__(self, in_channels: int, out_channels: int, members: int, momentum: float) -> None:
        super().__init__()
        self.branch = nn.Sequential(
            ReluConvBn(in_channels, out_channels, 3, members, momentum, stride=2),
            ReluConvBn(out_channels, out_channels, 3, members, momentum),
        )
        self.shortcut = nn.Sequential(
            AveragePool(2, stride=2, padding=0), GroupedConv(in_channels, out_channels, 1, members)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, H, W, M, C]`` to ``[B, ceil(H / 2), ceil(W / 2), M, C']``."""
        total: Tensor = self.branch(x) + self.shortcut(x)
        return total


class EdgeCellNetwork(GroupedNetwork):
    """The NAS-Bench-201 network of an architecture, or several of them side by side.

    A 3x3 stem, then stages of the same cell, with a residual block between two stages that halves
    the image and doubles the channels; batch normalisation, ReLU, the mean over the image, and a
    dense layer.

    Args:
        operations: The six operation numbers.
        size: ``num_stacks`` counts the stages, ``modules_per_stack`` the cells in each.
        members: Number of networks trained side by side.
        batch_norm_momentum: Share of the running statistics that is retained at every step; None
            for the official one.
    """

    def __init__(
        self,
        operations: Sequence[int],
        size: NetworkSize = OFFICIAL_SIZE,
        members: int = 1,
        batch_norm_momentum: float | None = None,
    ) -> None:
        channels, momentum = size.stem_channels, retained_share(batch_norm_momentum)
        layers: list[nn.Module] = [
            GroupedConv(size.image_channels, channels, 3, members, min(2, size.stem_stride)),
            GroupedBatchNorm(channels, members, momentum),
            *halvings(size.stem_stride // 2),
        ]
        for stack in range(size.num_stacks):
            if stack > 0:
                layers.append(ReductionBlock(channels, 2 * channels, members, momentum))
                channels *= 2
            layers += [
                EdgeCellModule(operations, channels, channels, members, momentum)
                for _ in range(size.modules_per_stack)
            ]
        layers += [GroupedBatchNorm(channels, members, momentum), nn.ReLU()]
        super().__init__(layers, channels, size.num_labels, members)
