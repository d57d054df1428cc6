"""A cell as a module computes what its graph says; a frozen module stays as it is."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from pyg_nas.errors import MeasureError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.spaces.own import CellModule, Frozen

SPACE = SearchSpace("layers", ("double", "add"), 4, 6, ("output", "input"))


class Double(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return 2 * x


class AddChannels(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        return x + self.channels


OPERATIONS: dict[str, Any] = {"double": lambda channels: Double(), "add": AddChannels}


def test_a_cell_computes_what_is_computed_by_hand() -> None:
    edges = [(0, 1), (0, 2), (1, 2), (1, 3), (2, 3), (0, 3)]
    cell = Cell.from_edges(edges, ["input", "double", "add", "output"], SPACE)
    x = torch.arange(12.0).reshape(1, 3, 2, 2)
    first = 2 * x
    second = (x + first) + 3
    torch.testing.assert_close(CellModule(cell, OPERATIONS, 3)(x), x + first + second)
    empty = Cell.from_edges([(0, 1)], ["input", "output"], SPACE)
    torch.testing.assert_close(CellModule(empty, OPERATIONS, 3)(x), x)


@pytest.mark.parametrize(
    ("operations", "why"),
    [
        ({}, "operation 'double' is not one of"),
        ({"double": lambda channels: 1 / 0}, "'double' of 4 channels: ZeroDivisionError"),
        ({"double": lambda channels: channels}, "must make a torch.nn.Module, got 4"),
        ({"double": lambda channels: nn.MaxPool2d(2)}, r"keep the shape \[4, 6, 6\].*\[4, 3, 3\]"),
    ],
)
def test_an_invalid_operation_is_named(operations: dict[str, Any], why: str) -> None:
    cell = Cell.from_edges([(0, 1), (1, 2)], ["input", "double", "output"], SPACE)
    with pytest.raises(MeasureError, match=why):
        CellModule(cell, operations, 4)(torch.zeros(2, 4, 6, 6))


def test_a_frozen_module_learns_nothing_while_the_rest_does() -> None:
    network = nn.Sequential(Frozen(nn.BatchNorm2d(2)), nn.Conv2d(2, 2, 1)).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    optimizer = torch.optim.SGD(network.parameters(), lr=0.1, weight_decay=0.1)
    network(torch.randn(4, 2, 3, 3) + 5).square().sum().backward()
    optimizer.step()
    for name, tensor in network.state_dict().items():
        assert torch.equal(tensor, before[name]) == name.startswith("0."), name
    assert network.training
    assert network[0].training
    assert not network[0].module.training
