"""Networks of edge cells against a plain float64 reference."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pyg_nas.graphs.space_support import NetworkSize
from pyg_nas.spaces.edge_cell_network import EdgeCellNetwork, ReluConvBn
from pyg_nas.spaces.edge_cells import EDGES

SMALL = NetworkSize(stem_channels=4, num_stacks=2, modules_per_stack=1)
ARCHITECTURES = ([3, 2, 4, 1, 3, 2], [0, 0, 0, 0, 0, 0], [0, 0, 3, 1, 2, 3], [1, 1, 1, 1, 1, 1])


def _batch_norm(x: Tensor, layer: torch.nn.Module) -> Tensor:
    mean = x.mean((0, 2, 3), keepdim=True)
    variance = ((x - mean) ** 2).mean((0, 2, 3), keepdim=True)
    scale, shift = layer.scale.double(), layer.shift.double()
    y = (x - mean) / (variance + 1e-5).sqrt()
    return y * scale[:, None, None] + shift[:, None, None]


def _relu_conv_bn(x: Tensor, layer: ReluConvBn, stride: int = 1) -> Tensor:
    weight = layer[1].weight.double()
    y = functional.conv2d(x.clamp(min=0), weight, stride=stride, padding=weight.shape[-1] // 2)
    return _batch_norm(y, layer[2])


def _cell(x: Tensor, module: torch.nn.Module, operations: list[int]) -> Tensor:
    nodes = [x, torch.zeros_like(x), torch.zeros_like(x), torch.zeros_like(x)]
    live = [True, False, False, False]
    for (source, target), kind, layer in zip(EDGES, operations, module.operations, strict=True):
        if kind == 0 or not live[source]:
            continue
        live[target] = True
        value = nodes[source]
        if kind in (2, 3):
            value = _relu_conv_bn(value, layer)
        elif kind == 4:
            ones = torch.ones_like(value)
            sums = functional.avg_pool2d(value, 3, 1, 1)
            value = sums / functional.avg_pool2d(ones, 3, 1, 1)
        nodes[target] = nodes[target] + value
    return nodes[3]


def reference(network: EdgeCellNetwork, operations: list[int], images: Tensor) -> Tensor:
    """Two stages of one cell each, as arXiv:2001.00326 describes them."""
    stem, stem_norm, first, reduction, second, norm, _ = network.layers
    x = functional.conv2d(images.double(), stem.weight.double(), padding=1)
    x = _cell(_batch_norm(x, stem_norm), first, operations)
    branch = _relu_conv_bn(_relu_conv_bn(x, reduction.branch[0], 2), reduction.branch[1])
    shortcut = functional.conv2d(functional.avg_pool2d(x, 2), reduction.shortcut[1].weight.double())
    x = _cell(branch + shortcut, second, operations)
    x = _batch_norm(x, norm).clamp(min=0)
    return x.mean((2, 3)) @ network.dense.weight[0].double() + network.dense.bias[0].double()


@pytest.mark.parametrize("operations", ARCHITECTURES)
def test_outputs_are_the_reference_s(operations: list[int]) -> None:
    generator = torch.Generator().manual_seed(1)
    network = EdgeCellNetwork(operations, SMALL)
    network.initialize([generator])
    images = torch.randn(6, 3, 8, 8, generator=generator)
    expected = reference(network, operations, images)
    assert torch.allclose(network(images[None])[0].double(), expected, atol=1e-4)


def test_members_are_independent() -> None:
    operations = ARCHITECTURES[0]
    pair = EdgeCellNetwork(operations, SMALL, members=2)
    pair.initialize([torch.Generator().manual_seed(seed) for seed in (0, 1)])
    alone = EdgeCellNetwork(operations, SMALL)
    alone.initialize([torch.Generator().manual_seed(1)])
    images = torch.randn(2, 5, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    assert torch.allclose(pair(images)[1], alone(images[1:])[0], atol=1e-5)


@pytest.mark.parametrize("side", [1, 3, 7])
def test_odd_images_are_halved_alike_on_both_branches(side: int) -> None:
    network = EdgeCellNetwork([3] * 6, NetworkSize(2, 3, 1))
    network.initialize([torch.Generator().manual_seed(0)])
    network.eval()
    assert network(torch.randn(1, 2, 3, side, side)).shape == (1, 2, 10)
