"""Different operations of networks, compared with the vertices that they stand for."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from pyg_nas.features.network_operations import BYTES_OF_A_CALL, network_operations
from pyg_nas.spaces.modules.network_array import NetworkArray
from pyg_nas.spaces.modules.space import NETWORKS
from pyg_nas.spaces.modules.trace import graph_of


class Scaled(nn.Module):
    """Two equal layers, activations in place, and a weight that no input changes."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(8, 8) for _ in range(2))
        self.scale = nn.Parameter(torch.zeros(8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for layer in self.layers:
            x = nn.functional.relu(layer(x), inplace=True)
        return x.reshape(4, 2, 4) * torch.exp(self.scale).reshape(2, 4)


GRAPH = graph_of(Scaled(), torch.zeros(4, 8))
NETWORKS_OF_IT = NetworkArray.from_graphs([GRAPH, GRAPH])


def test_equal_operations_are_counted_and_views_are_none() -> None:
    found = network_operations(NETWORKS_OF_IT)
    names = [NETWORKS.vocabulary[column] for column in found.columns]
    counts = dict(zip(names, found.counts.toarray()[0], strict=True))
    operations = [v.operation for v in GRAPH.vertices]
    for name, count in {"linear": 2, "relu": 2, "mul": 1}.items():
        assert counts[name] == count == operations.count(name)
    assert not {"reshape", "input", "output"} & set(names)
    for vertex, number in zip(GRAPH.vertices, found.of_vertex, strict=False):
        assert number == -1 or names[number] == vertex.operation


def test_bytes_are_those_of_a_vertex_by_hand() -> None:
    found = network_operations(NETWORKS_OF_IT)
    names = [NETWORKS.vocabulary[column] for column in found.columns]
    number = 4 * 8 * 4  # bytes of the activations
    wanted = {"linear": 2 * number + 4 * 8 * 8 / 16, "relu": 2 * number}
    for name, moved in wanted.items():
        assert found.bytes[names.index(name)] == pytest.approx(moved + BYTES_OF_A_CALL, rel=1e-5)


def test_what_no_input_changes_is_recognised() -> None:
    found = network_operations(NETWORKS_OF_IT)
    names = [NETWORKS.vocabulary[column] for column in found.columns]
    constant = {name for name, row in zip(names, found.inputs, strict=True) if row[11] == 0}
    assert constant == {"power"}  # the exponential of the weight


def test_a_part_has_the_operations_of_its_networks() -> None:
    other = graph_of(nn.Conv2d(3, 4, 3), torch.zeros(1, 3, 8, 8))
    both = network_operations(NetworkArray.from_graphs([GRAPH, other]))
    part = both.take(np.array([False, True]))
    alone = network_operations(NetworkArray.from_graphs([other]))
    np.testing.assert_array_equal(part.columns, alone.columns)
    np.testing.assert_array_equal(part.inputs, alone.inputs)
    np.testing.assert_array_equal(part.counts.toarray(), alone.counts.toarray())
