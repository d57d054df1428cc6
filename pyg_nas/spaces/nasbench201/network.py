"""Networks of NAS-Bench-201 in PyTorch: stages of the same cell with residual blocks between them.

Source: arXiv:2001.00326, section 2.2 and released code.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.spaces.edge_cells.network import (
    AveragePool,
    EdgeCellModule,
    ReluConvBn,
    retained_share,
)
from pyg_nas.spaces.grouped_layers import GroupedBatchNorm, GroupedConv, GroupedNetwork, halvings
from pyg_nas.spaces.nasbench201.network_size import OFFICIAL_SIZE


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


class NASBench201Network(GroupedNetwork):
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
