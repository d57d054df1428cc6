"""Windows of convolutions and poolings by hand, and in other forms of the same call."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from pyg_nas.spaces.modules import graph_of
from tests.spaces.modules.torch_modules import Function


def test_windows_of_pooling_by_hand() -> None:
    network = nn.Sequential(nn.LPPool2d(3, 2), nn.MaxPool2d(2, 1, return_indices=True))
    unpool = Function(lambda pool, back, x: back(*pool(x)), network, nn.MaxUnpool2d(2, 1))
    windows = [(v.kernel, v.stride) for v in graph_of(unpool, torch.zeros(1, 1, 8, 8)).vertices]
    assert windows[1:-1] == [((2, 2), (2, 2)), ((2, 2), (1, 1)), ((2, 2), (1, 1))]


@pytest.mark.parametrize(
    ("one", "each", "shape"),
    [
        (nn.MaxPool1d(3), nn.MaxPool1d((3,), (3,)), (1, 1, 8)),
        (nn.MaxPool2d(2), nn.MaxPool2d((2, 2), (2, 2)), (1, 1, 8, 8)),
        (nn.AvgPool3d(2, 1), nn.AvgPool3d((2, 2, 2), (1, 1, 1)), (1, 1, 8, 8, 8)),
        (nn.LPPool2d(2, 3), nn.LPPool2d(2, (3, 3), (3, 3)), (1, 1, 8, 8)),
    ],
)
def test_one_size_of_a_window_is_that_of_each_dimension(
    one: nn.Module, each: nn.Module, shape: tuple[int, ...]
) -> None:
    assert graph_of(one, torch.zeros(shape)).hash == graph_of(each, torch.zeros(shape)).hash


def test_a_convolution_by_function_is_that_of_a_layer() -> None:
    def convolve(layer: nn.Module, x: Tensor) -> Tensor:
        return functional.conv2d(x, layer.weight, layer.bias)

    layer = nn.Conv2d(3, 5, 3)
    images = torch.zeros(1, 3, 8, 8)
    assert graph_of(Function(convolve, layer), images).hash == graph_of(layer, images).hash
