"""Folded repeats: checked on graphs that are made by repeating a block."""

from __future__ import annotations

import numpy as np
import pytest
from torch import Tensor, nn, zeros

from pyg_nas.spaces.modules import graph_of
from pyg_nas.spaces.modules.network_array import NetworkArray
from pyg_nas.visualization.cells import network_drawing
from pyg_nas.visualization.repeats import fold_repeats
from tests.spaces.modules.networks import random_network

# A residual block of four vertices behind the one that it reads: 1, 2, 3 and the sum 4.
BLOCK_OPERATIONS = [5, 6, 7, 8]
BLOCK_EDGES = [(0, 1), (1, 2), (2, 3), (3, 4), (0, 4)]


def repeated(times: int) -> tuple[np.ndarray, np.ndarray]:
    operations, edges = [1], []
    for _ in range(times):
        last = len(operations) - 1
        edges += [(last + u, last + v) for u, v in BLOCK_EDGES]
        operations += BLOCK_OPERATIONS
    edges.append((len(operations) - 1, len(operations)))
    operations.append(2)
    return np.array(operations), np.array(sorted(edges))


@pytest.mark.parametrize("times", [2, 3, 17])
def test_a_repeated_block_is_left_once(times: int) -> None:
    left, edges, count = fold_repeats(*repeated(times))
    wanted, wanted_edges = repeated(1)
    assert left.tolist() == wanted.tolist()
    assert edges.tolist() == wanted_edges.tolist()
    assert count.tolist() == [1, times, times, times, times, 1]


@pytest.mark.parametrize("seed", range(20))
def test_a_graph_without_repeats_is_unchanged(seed: int) -> None:
    graph = NetworkArray.from_graphs([random_network(30, seed)])
    operations = np.arange(len(graph.columns))  # all differ
    edges = graph.edges.T[np.lexsort((graph.edges[1], graph.edges[0]))]
    left, links, count = fold_repeats(operations, edges)
    assert left.tolist() == operations.tolist()
    assert links.tolist() == edges.tolist()
    assert (count == 1).all()


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def test_the_drawing_of_a_deep_network_says_how_often() -> None:
    blocks = [Residual() for _ in range(20)]
    network = nn.Sequential(nn.Conv2d(3, 8, 1), *blocks, nn.Flatten(), nn.Linear(32, 2))
    networks = NetworkArray.from_graphs([graph_of(network, zeros(1, 3, 2, 2))])
    labels = [box.label for box in network_drawing(networks, 0).boxes]
    assert labels[0].startswith("input")
    assert "conv … relu (3) [×20]" in labels
    assert "add [×20]" in labels
    assert len(labels) <= 6
