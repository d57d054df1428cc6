"""Cell statistics against path-by-path and dense references, and their invariances."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
import torch

from pyg_nas.cell import Cell
from pyg_nas.cell_array import CellArray
from pyg_nas.enumeration import sample_cells
from pyg_nas.features import (
    BLOCK_CELLS,
    cell_features,
    graph_feature_names,
    kinds,
    vertex_feature_names,
)
from pyg_nas.measure.network import Network
from pyg_nas.space import NASBENCH101, SearchSpace

PLAIN = SearchSpace("plain", ("a", "b"), max_vertices=5, max_edges=10)


def by_name(cells: CellArray) -> dict[str, np.ndarray]:
    names = graph_feature_names(cells.space)
    columns = cell_features(cells).groups["graph"].T
    assert len(names) == len(columns)
    return dict(zip(names, columns, strict=True))


def test_paths_against_networkx() -> None:
    cells = sample_cells(60, seed=1)
    found = by_name(cells)
    for i, cell in enumerate(cells):
        graph = nx.from_numpy_array(np.asarray(cell.adjacency), create_using=nx.DiGraph)
        paths = list(nx.all_simple_paths(graph, 0, cell.num_vertices - 1))
        ids = np.asarray(cell.operation_ids)
        assert np.exp(found["log paths"][i]) == pytest.approx(len(paths), rel=1e-5)
        for kind, members in kinds(NASBENCH101).items():
            counts = [np.isin(ids[path], members).sum() for path in paths]
            assert found[f"longest {kind}"][i] == max(counts)
            assert found[f"shortest {kind}"][i] == min(counts)
            assert found[f"path mean {kind}"][i] == pytest.approx(np.mean(counts), abs=1e-5)
            assert found[f"number of {kind}"][i] == np.isin(ids, members).sum()


def test_scale_against_networks_that_are_not_trained() -> None:
    """Mean squares of a wide cell's output, which the mean field says without building it."""
    cells = sample_cells(40, seed=3)
    images = torch.randn(1, 16, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    measured = []
    for cell in cells:
        network = Network(cell, stem_channels=60, num_stacks=1, modules_per_stack=1)
        network.initialize([torch.Generator().manual_seed(1)])
        with torch.no_grad():
            output = network.layers(images.permute(1, 3, 4, 0, 2))
        measured.append(float(output.square().mean().log()))
    found = by_name(cells)["log scale of the output"]
    convolved = by_name(cells)["number of maxpool3x3"] == 0
    # Terms of a sum are not quite independent, and neighbouring values less so.
    np.testing.assert_allclose(found[convolved], np.array(measured)[convolved], atol=0.1)
    assert np.corrcoef(found, measured)[0, 1] > 0.9
    vertex = cell_features(cells).vertex[..., vertex_feature_names(NASBENCH101).index("log scale")]
    last = vertex[np.arange(len(cells)), cells.num_vertices - 1]
    np.testing.assert_array_equal(last, found)


def test_scale_by_hand() -> None:
    """Input, a max pooling of its projection, a convolution of that; both reach the output."""
    adjacency = [[0, 1, 0, 0], [0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]]
    cell = Cell(adjacency, ["input", "maxpool3x3", "conv1x1-bn-relu", "output"])
    mean, variance = 1 / np.sqrt(2 * np.pi), 0.5 - 1 / (2 * np.pi)
    largest = mean + 1.48501 * np.sqrt(variance)
    pooled = largest**2 + 0.35735 * variance
    found = by_name(CellArray.from_cells([cell]))["log scale of the output"][0]
    assert found == pytest.approx(np.log((pooled + 0.5) / 2), rel=1e-5)
    skip = Cell([[0, 1], [0, 0]], ["input", "output"])
    assert by_name(CellArray.from_cells([skip]))["log scale of the output"][0] == pytest.approx(
        np.log(0.5)
    )


def test_vertex_statistics_have_names() -> None:
    for cells in (sample_cells(3, seed=0), CellArray.from_cells([Cell([[0]], ["a"], PLAIN)])):
        assert cell_features(cells).vertex.shape[2] == len(vertex_feature_names(cells.space))


def test_reachable_vertices_against_networkx() -> None:
    cells = sample_cells(40, seed=2)
    names = vertex_feature_names(cells.space)
    vertex = cell_features(cells).vertex
    for i, cell in enumerate(cells):
        graph = nx.from_numpy_array(np.asarray(cell.adjacency), create_using=nx.DiGraph)
        for v in range(cell.num_vertices):
            found = dict(zip(names, vertex[i, v], strict=True))
            assert found["ancestors"] == len(nx.ancestors(graph, v))
            assert found["descendants"] == len(nx.descendants(graph, v))


def test_walk_of_a_chain_meets_every_vertex() -> None:
    cell = Cell(
        np.eye(5, k=1, dtype=int),
        ["input", "conv3x3-bn-relu"] * 1 + ["conv3x3-bn-relu", "maxpool3x3", "output"],
    )
    walks = cell_features(CellArray.from_cells([cell])).groups["walks"][0].reshape(3, -1)
    # operations, 3x3, 1x1, pooling, convolutions
    np.testing.assert_allclose(walks[0], [3, 2, 0, 1, 2])
    np.testing.assert_allclose(walks[1], 0, atol=1e-6)
    np.testing.assert_allclose(walks[2], [1 / 8, 1 / 4, 1, 1 / 2, 1 / 4])


def test_isomorphic_cells_have_the_same_statistics() -> None:
    cells = [
        Cell([[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]], ["input", *ops, "output"])
        for ops in (
            ["conv3x3-bn-relu", "maxpool3x3"],
            ["maxpool3x3", "conv3x3-bn-relu"],
        )
    ]
    for group in cell_features(CellArray.from_cells(cells)).groups.values():
        np.testing.assert_allclose(group[0], group[1], atol=1e-6)


def test_log_parameters_grow_with_the_official_count() -> None:
    cells = sample_cells(300, seed=3)
    # The first stack's cell without the stem: not the same number, but nearly the same order.
    ours, official = by_name(cells)["log parameters"], np.log(cells.trainable_parameters())
    assert np.corrcoef(ours, official)[0, 1] > 0.9


def test_blocks_change_nothing() -> None:
    cells = sample_cells(50, seed=4)
    rows = np.resize(np.arange(50), BLOCK_CELLS + 10)
    many, few = cell_features(cells[rows]), cell_features(cells)
    for name, group in few.groups.items():
        np.testing.assert_allclose(many.groups[name], group[rows], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(many.vertex, few.vertex[rows], rtol=1e-5, atol=1e-6)


def test_plain_graphs_with_several_sources_and_sinks() -> None:
    # 0 -> 2 <- 1, and 3 on its own.
    adjacency = np.zeros((1, 5, 5), np.int8)
    adjacency[0, [0, 1], 2] = 1
    cells = CellArray(
        adjacency, np.array([[0, 0, 1, 1, 0]], np.int8), np.array([4], np.int8), PLAIN
    )
    found = by_name(cells)
    assert np.exp(found["log paths"][0]) == pytest.approx(3)
    assert found["longest operations"][0] == 2
    assert found["shortest operations"][0] == 1
    assert found["number of a"][0] == 2
    assert not any("parameters" in name for name in found)
    assert np.isfinite(np.concatenate(list(cell_features(cells).groups.values()), axis=1)).all()
