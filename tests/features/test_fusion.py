"""Bytes after fusion, compared with those of every vertex by hand."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from pyg_nas.features.fusion import fused_bytes
from pyg_nas.features.network_costs import network_cost_names, network_costs
from pyg_nas.features.network_operations import BYTES_OF_A_CALL, network_operations
from pyg_nas.spaces.modules.network_array import NetworkArray
from pyg_nas.spaces.modules.network_graph import NetworkGraph
from pyg_nas.spaces.modules.space import NETWORKS
from pyg_nas.spaces.modules.trace import graph_of
from tests.spaces.modules.networks import random_network

TENSOR = 4 * 8 * 4  # bytes of [4, 8] numbers
WEIGHTS = 8 * 8 * 4


class Residual(nn.Module):
    """relu and sigmoid join; tanh is read through a view; the sum is read by two operations."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(8, 8, bias=False)
        self.second = nn.Linear(8, 8, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = torch.sigmoid(torch.relu(self.first(x)))
        total = torch.tanh(x).reshape(8, 4).reshape(4, 8) + x
        return torch.abs(self.second(total) * total)


NETWORK = NetworkArray.from_graphs([graph_of(Residual(), torch.zeros(4, 8))] * 2)


def names() -> list[str]:
    return [NETWORKS.vocabulary[column] for column in NETWORK.columns]


def test_results_that_one_operation_reads_are_not_moved() -> None:
    read, written = fused_bytes(NETWORK)
    half = len(read) // 2
    np.testing.assert_array_equal(read[:half], read[half:])
    found: dict[str, list[tuple[float, float]]] = {}
    for name, *moved in zip(names()[:half], np.round(read), np.round(written), strict=False):
        found.setdefault(name, []).append((moved[0], moved[1]))
    assert found["linear"] == [(TENSOR + WEIGHTS, TENSOR)] * 2
    assert found["relu"] == [(TENSOR, 0)]
    assert found["sigmoid"] == [(0, TENSOR)]  # two operations read it
    assert found["tanh"] == [(TENSOR, 0)]
    assert found["reshape"] == [(0, 0)] * 2
    assert found["add"] == [(TENSOR, TENSOR)]  # of the sigmoid alone; a linear layer reads it
    assert found["mul"] == [(2 * TENSOR, 0)]
    assert found["unary"] == [(0, TENSOR)]  # the output


def test_costs_and_operations_have_the_bytes_that_are_left() -> None:
    read, written = fused_bytes(NETWORK)
    plain, fused = (
        dict(zip(network_cost_names(), network_costs(NETWORK, f)[0].tolist(), strict=True))
        for f in (False, True)
    )
    bytes_of = [name for name in plain if name.startswith("bytes of ")]
    left = (read + written)[: len(read) // 2].sum()
    np.testing.assert_allclose(sum(fused[name] for name in bytes_of), left, rtol=1e-5)
    assert (plain["operations of activation"], fused["operations of activation"]) == (3, 1)
    assert fused["multiply-accumulates of linear"] == plain["multiply-accumulates of linear"]
    operations = network_operations(NETWORK, fused=True)
    of_vertex = operations.of_vertex
    works = of_vertex >= 0
    macs = np.where(np.array(names()) == "linear", 4 * 8 * 8 / 16, 0)
    wanted = (read + written + macs)[works] + BYTES_OF_A_CALL
    np.testing.assert_allclose(operations.bytes[of_vertex[works]], wanted, rtol=1e-5)


class Views(nn.Module):
    """The sigmoid is read through a view of two sources, the scale through one of a constant."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.zeros(8))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        wide = torch.sigmoid(x[:1]).expand_as(x)
        return torch.relu(wide * self.scale.reshape(1, 8))


def test_what_is_in_memory_is_read_through_views() -> None:
    graph = graph_of(Views(), torch.zeros(4, 8))
    read, written = fused_bytes(NetworkArray.from_graphs([graph]))
    moved = zip(read, written, strict=True)
    found = {v.operation: pair for v, pair in zip(graph.vertices, moved, strict=True)}
    assert any(v.operation == "reshape" and len(v.sources) == 2 for v in graph.vertices)
    assert found["sigmoid"] == pytest.approx((8 * 4, 8 * 4))
    assert found["mul"] == pytest.approx((TENSOR + 8 * 4, 0))
    assert found["relu"] == pytest.approx((0, TENSOR))


def test_the_order_of_vertices_does_not_change_sums() -> None:
    for seed in range(20):
        graph = random_network(30, seed)
        last = len(graph.vertices) - 1
        # Sources first, and otherwise in reverse.
        order: list[int] = []
        left = set(range(last + 1))
        while left:
            ready = [v for v in left if not left.intersection(graph.vertices[v].sources)]
            order.append(max(v for v in ready if v != last or len(left) == 1))
            left.remove(order[-1])
        place = {v: i for i, v in enumerate(order)}
        vertices = [graph.vertices[v] for v in order]
        moved = NetworkGraph(
            tuple(replace(v, sources=tuple(place[s] for s in v.sources)) for v in vertices)
        )
        one, two = (network_costs(NetworkArray.from_graphs([g]), True) for g in (graph, moved))
        np.testing.assert_allclose(one, two, rtol=1e-6)


def test_networks_without_operations_have_none() -> None:
    assert [len(part) for part in fused_bytes(NetworkArray.from_graphs([]))] == [0, 0]
