"""Costs of networks, compared with sums over the vertices by hand."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from pyg_nas.features.network_costs import (
    network_cost_names,
    network_cost_totals,
    network_costs,
)
from pyg_nas.spaces.modules.network_array import NetworkArray
from pyg_nas.spaces.modules.trace import graph_of

NETWORK = nn.Sequential(
    nn.Conv2d(8, 8, 3, padding=1, groups=8, bias=False),
    nn.Conv2d(8, 16, 1, bias=False),
    nn.Conv2d(16, 16, 3, padding=1, groups=4, bias=False),
    nn.ReLU(),
    nn.Flatten(),
    nn.Linear(16 * 16, 10, bias=False),
)


def costs() -> dict[str, float]:
    graph = graph_of(NETWORK, torch.zeros(1, 8, 4, 4))
    found = network_costs(NetworkArray.from_graphs([graph, graph]))
    np.testing.assert_array_equal(found[0], found[1])
    return dict(zip(network_cost_names(), found[0].tolist(), strict=True))


def test_work_is_that_of_its_kind() -> None:
    found = costs()
    # positions x terms of a sum x channels
    wanted = {"depthwise": 16 * 9 * 8, "pointwise": 16 * 8 * 16, "grouped": 16 * 9 * 4 * 16}
    for name, macs in wanted.items():
        assert found[f"multiply-accumulates of {name} convolution"] == pytest.approx(macs, rel=1e-5)
        assert found[f"operations of {name} convolution"] == 1
    assert found["multiply-accumulates of convolution"] == 0
    assert found["multiply-accumulates of linear"] == pytest.approx(2560, rel=1e-5)
    assert found["bytes of activation"] == pytest.approx(2 * 4 * 256, rel=1e-5)
    assert found["operations of movement"] == found["bytes of movement"] == 0  # flatten is a view


def test_multiply_accumulates_are_sorted_by_the_length_of_their_sums() -> None:
    found = costs()
    wanted = {0: 16 * 9 * 8 + 16 * 8 * 16 + 16 * 36 * 16, 48: 0, 192: 2560, 768: 0}
    for least, macs in wanted.items():
        name = f"multiply-accumulates in sums of at least {least} terms"
        assert found[name] == pytest.approx(macs, rel=1e-5)


def test_the_roofline_is_the_larger_of_both() -> None:
    graph = graph_of(NETWORK, torch.zeros(1, 8, 4, 4))
    found = costs()
    for intensity in (4, 16, 64, 256):
        wanted = sum(
            max(v.macs / intensity, v.bytes_read + v.bytes_written)
            for v in graph.vertices[1:-1]
            if v.bytes_written
        )
        assert found[f"roofline at {intensity}"] == pytest.approx(wanted, rel=1e-5)


def test_an_operation_in_place_is_work_and_a_view_is_none() -> None:
    layers = nn.Sequential(nn.ReLU(inplace=True), nn.Unflatten(1, (2, 4)), nn.SiLU(inplace=True))
    graph = graph_of(layers, torch.zeros(1, 8))
    found = network_costs(NetworkArray.from_graphs([graph]))[0]
    named = dict(zip(network_cost_names(), found.tolist(), strict=True))
    assert named["operations of activation"] == 2
    assert named["bytes of activation"] == pytest.approx(2 * (32 + 32), rel=1e-5)
    assert named["operations of movement"] == named["bytes of movement"] == 0


def test_totals_are_those_of_the_whole_network() -> None:
    graph = graph_of(NETWORK, torch.zeros(1, 8, 4, 4))
    macs, _, operations = network_cost_totals() @ np.array(list(costs().values()))
    assert macs == pytest.approx(graph.macs, rel=1e-5)
    assert operations == 5  # of six layers, one is a view
