"""Networks of NAS-Bench-201 against a plain float64 reference."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.spaces.nasbench201.network import NASBench201Network
from tests.spaces.edge_cells.test_network import (
    ARCHITECTURES,
    batch_norm,
    cell_output,
    relu_conv_bn,
)

SMALL = NetworkSize(stem_channels=4, num_stacks=2, modules_per_stack=1)


def reference(network: NASBench201Network, operations: list[int], images: Tensor) -> Tensor:
    """Two stages of one cell each, as arXiv:2001.00326 describes them."""
    stem, stem_norm, first, reduction, second, norm, _ = network.layers
    x = functional.conv2d(images.double(), stem.weight.double(), padding=1)
    x = cell_output(batch_norm(x, stem_norm), first, operations)
    branch = relu_conv_bn(relu_conv_bn(x, reduction.branch[0], 2), reduction.branch[1])
    shortcut = functional.conv2d(functional.avg_pool2d(x, 2), reduction.shortcut[1].weight.double())
    x = cell_output(branch + shortcut, second, operations)
    x = batch_norm(x, norm).clamp(min=0)
    return x.mean((2, 3)) @ network.dense.weight[0].double() + network.dense.bias[0].double()


@pytest.mark.parametrize("operations", ARCHITECTURES)
def test_outputs_are_the_reference_s(operations: list[int]) -> None:
    generator = torch.Generator().manual_seed(1)
    network = NASBench201Network(operations, SMALL)
    network.initialize([generator])
    images = torch.randn(6, 3, 8, 8, generator=generator)
    expected = reference(network, operations, images)
    assert torch.allclose(network(images[None])[0].double(), expected, atol=1e-4)


def test_members_are_independent() -> None:
    operations = ARCHITECTURES[0]
    pair = NASBench201Network(operations, SMALL, members=2)
    pair.initialize([torch.Generator().manual_seed(seed) for seed in (0, 1)])
    alone = NASBench201Network(operations, SMALL)
    alone.initialize([torch.Generator().manual_seed(1)])
    images = torch.randn(2, 5, 3, 8, 8, generator=torch.Generator().manual_seed(2))
    assert torch.allclose(pair(images)[1], alone(images[1:])[0], atol=1e-5)


@pytest.mark.parametrize("side", [1, 3, 7])
def test_odd_images_are_halved_alike_on_both_branches(side: int) -> None:
    network = NASBench201Network([3] * 6, NetworkSize(2, 3, 1))
    network.initialize([torch.Generator().manual_seed(0)])
    network.eval()
    assert network(torch.randn(1, 2, 3, side, side)).shape == (1, 2, 10)
