"""Sizes of layers against torch's layers and its own counter."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.spaces.edge_cells.network_size import convolution, dense


def counted(layer: nn.Module, x: torch.Tensor) -> tuple[int, int]:
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        layer(x)
    parameters = sum(parameter.numel() for parameter in layer.parameters())
    return parameters, counter.get_total_flops() // 2


@pytest.mark.parametrize("kernel_size", [1, 3])
def test_a_convolution_is_counted_with_its_batch_normalisation(kernel_size: int) -> None:
    weights = nn.Conv2d(4, 6, kernel_size, padding=kernel_size // 2, bias=False)
    layer = nn.Sequential(weights, nn.BatchNorm2d(6)).eval()
    expected = counted(layer, torch.zeros(1, 4, 5, 7))
    assert convolution(kernel_size, 4, 6, 5 * 7) == expected


def test_a_dense_layer_is_counted_with_its_bias() -> None:
    expected = counted(nn.Linear(8, 11), torch.zeros(1, 8))
    assert dense(8, NetworkSize(1, 1, 1, num_labels=11)) == expected
