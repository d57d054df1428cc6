"""The classification network of a TransNAS-Bench-101 (micro) architecture in PyTorch.

A stem of two 3x3 convolutions of stride 2, then *modules* of cells. The first, third, ... module
halves the image and doubles the channels in its first cell. A dense layer maps the mean over the
image to logits.

Source: arXiv:2105.11871, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence

from torch import nn

from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.spaces.edge_cells.network import EdgeCellModule, ReluConvBn, retained_share
from pyg_nas.spaces.grouped_layers import GroupedBatchNorm, GroupedConv, GroupedNetwork, halvings
from pyg_nas.spaces.transnasbench101.network_size import OFFICIAL_SIZE, STEM_STRIDE, cells_of


class TransNASNetwork(GroupedNetwork):
    """The network of an architecture, or several of them side by side.

    Args:
        operations: The six operation numbers.
        size: ``num_stacks`` counts the modules that halve the image, ``modules_per_stack`` the
            cells in a module.
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
        momentum = retained_share(batch_norm_momentum)
        half = max(size.stem_channels // 2, 1)
        layers: list[nn.Module] = [
            GroupedConv(size.image_channels, half, 3, members, stride=2),
            GroupedBatchNorm(half, members, momentum),
            ReluConvBn(half, size.stem_channels, 3, members, momentum, stride=2),
            *halvings(size.stem_stride // STEM_STRIDE),
        ]
        channels = size.stem_channels
        for in_channels, out_channels, stride in cells_of(size):
            layers.append(
                EdgeCellModule(operations, in_channels, out_channels, members, momentum, stride)
            )
            channels = out_channels
        super().__init__(layers, channels, size.num_labels, members)
