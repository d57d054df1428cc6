"""The NAS-Bench-101 network of a cell in PyTorch, for several training runs side by side."""

from __future__ import annotations

from functools import reduce
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from pyg_nas.errors import MeasureError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.spaces.grouped_layers import (
    CellLayer,
    GroupedBatchNorm,
    GroupedConv,
    GroupedNetwork,
    MaxPool,
    halvings,
)
from pyg_nas.spaces.nasbench101.network_size import (
    OFFICIAL_SIZE,
    concatenated_vertices,
    vertex_channels,
)

if TYPE_CHECKING:
    from pyg_nas.graphs.cell import Cell

# Batch normalisation of NAS-Bench-101 (arXiv:1902.09635, released code): TensorFlow's momentum
# is the weight of the old value, PyTorch's the weight of the new one.
BATCH_NORM_MOMENTUM = 0.997


class ConvBnRelu(nn.Sequential):
    """Convolution, batch normalisation and ReLU, ``[B, H, W, M, C]`` to ``[B, H, W, M, C']``."""

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
            GroupedConv(in_channels, out_channels, kernel_size, members, stride),
            GroupedBatchNorm(out_channels, members, momentum, rectified=True),
        )


def _operation(name: str, channels: int, members: int, momentum: float) -> nn.Module:
    if name == "maxpool3x3":
        return MaxPool(3, stride=1, padding=1)
    kernel_size = {"conv3x3-bn-relu": 3, "conv1x1-bn-relu": 1}.get(name)
    if kernel_size is None:
        raise MeasureError(
            f"operation {name!r} cannot be trained, only those of NAS-Bench-101: "
            f"conv3x3-bn-relu, conv1x1-bn-relu, maxpool3x3"
        )
    return ConvBnRelu(channels, channels, kernel_size, members, momentum)


class CellModule(CellLayer):
    """One cell as a network module.

    Every vertex sums its predecessors' values, truncated to its own number of channels, and applies
    its operation; values of the cell's input pass through a 1x1 projection first. The output
    concatenates its inner predecessors, and adds the projected input if that is one of them.

    Args:
        cell: The cell.
        in_channels: Channels of the cell's input.
        out_channels: Channels of the cell's output.
        members: Number of networks trained side by side.
        momentum: Share of the running statistics that is retained at every step.

    Raises:
        MeasureError: If the output has fewer channels than vertices that it concatenates, or an
            operation is not one of NAS-Bench-101.

    Source: arXiv:1902.09635, section 2 and released code.
    """

    def __init__(
        self, cell: Cell, in_channels: int, out_channels: int, members: int, momentum: float
    ) -> None:
        super().__init__()
        adjacency = [[int(edge) for edge in row] for row in cell.adjacency]
        self.last = len(adjacency) - 1
        alone = CellArray.from_cells([cell])
        self.channels: list[int] = vertex_channels(alone, in_channels, out_channels)[0].tolist()
        least = int(concatenated_vertices(alone)[0])
        if out_channels < least:
            raise MeasureError(
                f"cell {cell.hash}: {out_channels} channels are too few for the {least} vertices "
                f"that its output concatenates, each needs at least 1"
            )
        self.sources = [[u for u in range(1, v) if adjacency[u][v]] for v in range(self.last + 1)]
        self.projected = [v for v in range(1, self.last + 1) if adjacency[0][v]]
        # Batch normalisation and ReLU act on each channel separately, so that all projections of
        # the input can be one convolution: the same function and number of parameters.
        widths = [self.channels[v] for v in self.projected]
        self.projection = ConvBnRelu(in_channels, sum(widths), 1, members, momentum)
        self.operations = nn.ModuleList(
            _operation(cell.operations[v], self.channels[v], members, momentum)
            for v in range(1, self.last)
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map ``[B, H, W, M, C]`` to ``[B, H, W, M, C']``."""
        widths = [self.channels[v] for v in self.projected]
        parts = torch.split(self.projection(x), widths, dim=-1)
        projections: dict[int, Tensor] = dict(zip(self.projected, parts, strict=True))
        values: dict[int, Tensor] = {}
        for vertex, operation in enumerate(self.operations, start=1):
            width = self.channels[vertex]
            terms = [values[u][..., :width] for u in self.sources[vertex]]
            if vertex in projections:
                terms.append(projections[vertex])
            values[vertex] = operation(reduce(torch.add, terms))
        feeding = self.sources[self.last]
        if not feeding:
            return projections[self.last]
        output = torch.cat([values[u] for u in feeding], dim=-1)
        if self.last in projections:
            output = output + projections[self.last]
        return output


class Network(GroupedNetwork):
    """The NAS-Bench-101 network of a cell, or several of them side by side.

    A 3x3 stem is followed by stacks of the same cell; between two stacks a 2x2 max pooling halves
    the image and the channels double; a dense layer maps the mean over the image to logits.

    ``members`` networks of the same cell are trained together as groups of the same convolutions,
    because the overhead of each call dominates the time of small networks. They share nothing but
    the calls: every member has its own weights, running statistics, images and labels.

    Args:
        cell: The cell.
        size: Size of the network.
        members: Number of networks trained side by side.
        batch_norm_momentum: Share of the running statistics that is retained at every step; None
            for the official one.

    Weights are drawn as in the released code: convolutions from a truncated normal distribution of
    variance 1 / fan-in, the dense layer by Glorot uniform.

    Source: arXiv:1902.09635, section 2.
    """

    def __init__(
        self,
        cell: Cell,
        size: NetworkSize = OFFICIAL_SIZE,
        members: int = 1,
        batch_norm_momentum: float | None = None,
    ) -> None:
        momentum = BATCH_NORM_MOMENTUM if batch_norm_momentum is None else batch_norm_momentum
        channels, stride = size.stem_channels, min(2, size.stem_stride)
        layers: list[nn.Module] = [
            ConvBnRelu(size.image_channels, channels, 3, members, momentum, stride),
            *halvings(size.stem_stride // 2),
        ]
        for stack in range(size.num_stacks):
            if stack > 0:
                layers.append(MaxPool(2, stride=2, padding=0))
            for module in range(size.modules_per_stack):
                out_channels = channels * 2 if stack > 0 and module == 0 else channels
                layers.append(CellModule(cell, channels, out_channels, members, momentum))
                channels = out_channels
        super().__init__(layers, channels, size.num_labels, members)
