"""Bytes after fusion, compared with those of every vertex by hand."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn

from pyg_nas.features.fusion import fused_bytes
from pyg_nas.features.network_costs import network_cost_names, network_costs
from pyg_nas.features.network_operations import BYTES_OF_A_CALL, network_operations
from pyg_nas.spaces.modules.network_array import NetworkArray
from pyg_nas.spaces.modules.space import NETWORKS
from pyg_nas.spaces.modules.trace import graph_of

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


def test_networks_without_operations_have_none() -> None:
    assert [len(part) for part in fused_bytes(NetworkArray.from_graphs([]))] == [0, 0]
