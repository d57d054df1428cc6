"""Edge cells against a plain float64 reference."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pyg_nas.spaces.edge_cells.architectures import EDGES
from pyg_nas.spaces.edge_cells.network import EdgeCellModule, ReluConvBn
from pyg_nas.spaces.grouped_layers import from_image, initialize_members, to_image

ARCHITECTURES = ([3, 2, 4, 1, 3, 2], [0, 0, 0, 0, 0, 0], [0, 0, 3, 1, 2, 3], [1, 1, 1, 1, 1, 1])


def batch_norm(x: Tensor, layer: torch.nn.Module) -> Tensor:
    mean = x.mean((0, 2, 3), keepdim=True)
    variance = ((x - mean) ** 2).mean((0, 2, 3), keepdim=True)
    scale, shift = layer.scale.double(), layer.shift.double()
    y = (x - mean) / (variance + 1e-5).sqrt()
    return y * scale[:, None, None] + shift[:, None, None]


def relu_conv_bn(x: Tensor, layer: ReluConvBn, stride: int = 1) -> Tensor:
    weight = layer[1].weight.double()
    y = functional.conv2d(x.clamp(min=0), weight, stride=stride, padding=weight.shape[-1] // 2)
    return batch_norm(y, layer[2])


def cell_output(x: Tensor, module: torch.nn.Module, operations: list[int]) -> Tensor:
    nodes = [x, torch.zeros_like(x), torch.zeros_like(x), torch.zeros_like(x)]
    live = [True, False, False, False]
    for (source, target), kind, layer in zip(EDGES, operations, module.operations, strict=True):
        if kind == 0 or not live[source]:
            continue
        live[target] = True
        value = nodes[source]
        if kind in (2, 3):
            value = relu_conv_bn(value, layer)
        elif kind == 4:
            ones = torch.ones_like(value)
            sums = functional.avg_pool2d(value, 3, 1, 1)
            value = sums / functional.avg_pool2d(ones, 3, 1, 1)
        nodes[target] = nodes[target] + value
    return nodes[3]


@pytest.mark.parametrize("operations", ARCHITECTURES)
def test_cells_are_the_reference_s(operations: list[int]) -> None:
    generator = torch.Generator().manual_seed(1)
    module = EdgeCellModule(operations, 4, 4, members=1, momentum=0.9)
    initialize_members(module, [generator])
    images = torch.randn(6, 4, 8, 8, generator=generator)
    output = to_image(module(from_image(images, 1)))
    assert torch.allclose(
        output.double(), cell_output(images.double(), module, operations), atol=1e-5
    )


@pytest.mark.parametrize("operations", ARCHITECTURES)
@pytest.mark.parametrize("side", [1, 6, 7])
def test_a_stride_halves_the_image_and_rounds_up(operations: list[int], side: int) -> None:
    module = EdgeCellModule(operations, 4, 8, members=2, momentum=0.9, stride=2)
    initialize_members(module, [torch.Generator().manual_seed(seed) for seed in (0, 1)])
    half = -(-side // 2)
    assert module.eval()(torch.zeros(3, side, side, 2, 4)).shape == (3, half, half, 2, 8)
