"""Folded repeats: checked on graphs that are made by repeating a block."""

from __future__ import annotations

from itertools import permutations

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
    left, edges, count, *_ = fold_repeats(*repeated(times))
    wanted, wanted_edges = repeated(1)
    assert left.tolist() == wanted.tolist()
    assert edges.tolist() == wanted_edges.tolist()
    assert count.tolist() == [1, times, times, times, times, 1]


def test_a_block_that_comes_again_is_left_whole_once() -> None:
    # Twice the block, another operation, three times the block, the output.
    operations, edges = [1], []
    for block in (True, True, False, True, True, True):
        last = len(operations) - 1
        edges += [(last + u, last + v) for u, v in (BLOCK_EDGES if block else [(0, 1)])]
        operations += BLOCK_OPERATIONS if block else [9]
    edges.append((len(operations) - 1, len(operations)))
    operations.append(2)
    folded = fold_repeats(np.array(operations), np.array(sorted(edges)), once=True)
    assert folded.operations.tolist() == [1, *BLOCK_OPERATIONS, 9, 5, 2]
    assert folded.edges.tolist() == sorted([*map(list, BLOCK_EDGES), [4, 5], [5, 6], [6, 7]])
    assert folded.times.tolist() == [1, 2, 2, 2, 2, 1, 3, 1]
    assert folded.first.tolist() == [-1, 0, 0, 0, 0, -1, -1, -1]
    assert folded.again.tolist() == [-1, -1, -1, -1, -1, -1, 0, -1]


def test_a_sequence_of_blocks_that_comes_again_is_one_vertex() -> None:
    # The sequence is a block and two activations, then one of the two others.
    operations, edges = [1], []
    for other in (9, 10, 9):
        last = len(operations) - 1
        edges += [(last + u, last + v) for u, v in [*BLOCK_EDGES, (4, 5), (5, 6), (6, 7)]]
        operations += [*BLOCK_OPERATIONS, 11, 12, other]
    edges.append((len(operations) - 1, len(operations)))
    operations.append(2)
    arrays = np.array(operations), np.array(sorted(edges))
    folded = fold_repeats(*arrays, once=True)
    assert folded.operations.tolist() == [1, *BLOCK_OPERATIONS, 11, 12, 9, 5, 10, 5, 9, 2]
    assert folded.edges.tolist()[-5:] == [[7, 8], [8, 9], [9, 10], [10, 11], [11, 12]]
    assert folded.first.tolist() == [-1, *[0] * 6, *[-1] * 6]
    assert folded.again.tolist() == [*[-1] * 8, 0, -1, 0, -1, -1]
    assert len(fold_repeats(*arrays).operations) == len(operations)


def test_long_edges_keep_no_blocks_together() -> None:
    """Three layers, each of which reads all before it, as in a dense block."""
    operations = np.array([1, 5, 6, 5, 6, 5, 6, 7, 2])
    dense = [(u, v) for v in (1, 3, 5, 7) for u in (0, 2, 4, 6) if u < v]
    edges = np.array(sorted([*dense, (1, 2), (3, 4), (5, 6), (7, 8)]))
    assert len(fold_repeats(operations, edges).operations) == len(operations)
    folded = fold_repeats(operations, edges, reach=2)
    assert folded.operations.tolist() == [1, 5, 6, 7, 2]
    assert folded.times.tolist() == [1, 3, 3, 1, 1]
    assert folded.edges.tolist() == [[0, 1], [0, 3], [1, 2], [2, 3], [3, 4]]


def test_a_network_that_is_one_chain_is_not_one_box() -> None:
    layers = [layer for _ in range(20) for layer in (nn.Conv2d(3, 3, 1), nn.ReLU())]
    networks = NetworkArray.from_graphs([graph_of(nn.Sequential(*layers), zeros(1, 3, 2, 2))])
    labels = [box.label for box in network_drawing(networks, 0).boxes]
    assert labels == ["input", "conv → relu [×20]", "output"]


def test_repeats_of_equal_number_are_separate_boxes() -> None:
    """Eleven of each, one kind after the other, are not eleven times all three."""
    layers = [kind() for kind in (nn.ReLU, nn.Sigmoid, nn.Tanh) for _ in range(11)]
    networks = NetworkArray.from_graphs([graph_of(nn.Sequential(*layers), zeros(1, 3))])
    labels = [box.label for box in network_drawing(networks, 0).boxes]
    assert labels == ["input", "relu [×11]", "sigmoid [×11]", "tanh [×11]", "output"]


@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("reach", [None, 6, 2])
def test_every_vertex_is_counted_once(once: bool, reach: int | None) -> None:
    """What is left, times its repeats, is as large as the graph; also where it stands for more."""
    generator = np.random.default_rng(0)
    for _ in range(50):
        size, repeats = int(generator.integers(2, 60)), int(generator.integers(1, 5))
        part = generator.integers(0, 3, size)
        skips = np.sort(generator.integers(0, size, (4, 2)), axis=1)
        chain = np.stack([np.arange(size), np.arange(1, size + 1)], axis=1)
        inner = np.concatenate([skips[skips[:, 0] < skips[:, 1]], chain])
        edges = np.unique(np.concatenate([inner + i * size for i in range(repeats)]), axis=0)
        operations = np.tile(part, repeats)
        edges = edges[edges[:, 1] < len(operations)]
        folded = fold_repeats(operations, edges, once=once, reach=reach)
        sizes = np.bincount(folded.first[folded.first >= 0])
        stands = folded.again >= 0
        assert folded.times[~stands].sum() + folded.times[stands] @ sizes[
            folded.again[stands]
        ] == len(operations)
        assert (folded.edges[:, 0] < folded.edges[:, 1]).all()


@pytest.mark.parametrize("seed", range(20))
def test_a_graph_without_repeats_is_unchanged(seed: int) -> None:
    graph = NetworkArray.from_graphs([random_network(30, seed)])
    operations = np.arange(len(graph.columns))  # all differ
    edges = graph.edges.T[np.lexsort((graph.edges[1], graph.edges[0]))]
    left, links, count, *_ = fold_repeats(operations, edges)
    assert left.tolist() == operations.tolist()
    assert links.tolist() == edges.tolist()
    assert (count == 1).all()


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU())

    def forward(self, x: Tensor) -> Tensor:
        return x + self.layers(x)


def test_the_drawing_of_a_deep_network_states_how_often() -> None:
    blocks = [Residual() for _ in range(20)]
    network = nn.Sequential(nn.Conv2d(3, 8, 1), *blocks, nn.Flatten(), nn.Linear(32, 2))
    networks = NetworkArray.from_graphs([graph_of(network, zeros(1, 3, 2, 2))])
    labels = [box.label for box in network_drawing(networks, 0).boxes]
    assert labels[0].startswith("input")
    assert "conv … relu (3) [×20]" in labels
    assert "add [×20]" in labels
    assert len(labels) <= 6


def test_a_block_that_comes_again_is_a_box_with_its_letter() -> None:
    # Between the blocks are different pairs of activations, so that nothing follows itself.
    activations = (nn.ReLU, nn.Sigmoid, nn.Tanh, nn.GELU, nn.SiLU, nn.ELU, nn.Mish)
    pairs = list(permutations(activations, 2))[:30]
    layers = [layer for one, other in pairs for layer in (Residual(), one(), other())]
    networks = NetworkArray.from_graphs([graph_of(nn.Sequential(*layers), zeros(1, 8, 2, 2))])
    drawing = network_drawing(networks, 0)
    labels = [box.label for box in drawing.boxes]
    assert [label for label in labels if label.startswith("conv")] == ["conv … relu (3)"]
    assert labels.count("block A") == 29
    (letter,) = drawing.words
    assert letter.text == "block A"
    assert letter.anchor[0] > max(box.centre[0] for box in drawing.boxes)
    # The bar beside the first block covers its two boxes.
    first = [box for box in drawing.boxes if box.label in ("conv … relu (3)", "add")]
    (bar,) = (box for box in drawing.boxes if not box.label)
    assert bar.centre[1] == np.mean([box.centre[1] for box in first])
    assert (
        bar.height
        == max(b.centre[1] for b in first) - min(b.centre[1] for b in first) + first[0].height
    )
