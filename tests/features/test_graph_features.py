"""Features of cells against path-by-path and dense references, and their invariances."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import networkx as nx
import numpy as np
import pytest
import torch

from pyg_nas.features.graph_block import kinds
from pyg_nas.features.graph_features import (
    FEATURE_BLOCK,
    cell_features,
    cells_per_block,
    graph_feature_names,
    vertex_feature_names,
)
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.spaces.nasbench101 import NASBENCH101
from pyg_nas.spaces.nasbench101.network import Network
from pyg_nas.spaces.nasbench101.network_size import channel_shares
from tests.renumbered import all_renumbered

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
        network = Network(cell, NetworkSize(60, 1, 1))
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


def test_vertex_features_have_names() -> None:
    for cells in (sample_cells(3, seed=0), CellArray.from_cells([Cell([[0]], ["a"], PLAIN)])):
        assert cell_features(cells).vertex.shape[2] == len(vertex_feature_names(cells.space))


@pytest.mark.parametrize("together", [40, 1])
def test_reachable_vertices_against_networkx(together: int) -> None:
    cells = sample_cells(40, seed=2)
    names = vertex_feature_names(cells.space)
    parts = [cells[start : start + together] for start in range(0, 40, together)]
    vertex = np.concatenate([cell_features(part).vertex for part in parts])
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


def test_numbering_of_inner_vertices_changes_no_feature() -> None:
    cells = sample_cells(3_000, seed=8)
    others, orders = all_renumbered(cells, seed=0)
    # Rounded channels do depend on it: in some of these cells three vertices share 128.
    assert (others.trainable_parameters() != cells.trainable_parameters()).sum() > 5
    one, other = cell_features(cells), cell_features(others)
    for name, group in one.groups.items():  # ranks and trees distinguish rounded numbers
        np.testing.assert_array_equal(other.groups[name], group, err_msg=name)
    for i, order in enumerate(orders):
        vertices = one.vertex[i][order]
        np.testing.assert_allclose(other.vertex[i][: len(order)], vertices, rtol=1e-6, atol=1e-6)


def test_log_parameters_grow_with_the_official_count() -> None:
    cells = sample_cells(300, seed=3)
    # The first stack's cell without the stem: not the same number, but nearly the same order.
    ours, official = by_name(cells)["log parameters"], np.log(cells.trainable_parameters())
    assert np.corrcoef(ours, official)[0, 1] > 0.9


def test_no_cells_have_no_features() -> None:
    for space in (NASBENCH101, PLAIN):
        features = cell_features(CellArray.from_cells([], space))
        some = cell_features(CellArray.from_cells([Cell.from_edges([], [0], PLAIN)]))
        assert features.groups.keys() == some.groups.keys()
        assert features.groups["graph"].shape == (0, len(graph_feature_names(space)))
        assert features.vertex.shape[2] == len(vertex_feature_names(space))


def test_blocks_change_nothing() -> None:
    cells = sample_cells(50, seed=4)
    rows = np.resize(np.arange(50), FEATURE_BLOCK + 10)
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


CELLS = sample_cells(60, seed=1)


def channels_of(cell: Cell) -> np.ndarray:
    return channel_shares(CellArray.from_cells([cell]))[0]


def backward_walks(cell: Cell) -> Iterator[tuple[float, list[int]]]:
    """All walks from the output to the input against the edges, with their probabilities."""
    last, channels = cell.num_vertices - 1, channels_of(cell)
    into = [np.flatnonzero(cell.adjacency[:, v]).tolist() for v in range(last + 1)]
    skip, feeding = 0 in into[last], [u for u in into[last] if u > 0]

    def chances(v: int) -> dict[int, float]:
        if v < last:
            return dict.fromkeys(into[v], 1 / len(into[v]))
        if not feeding:
            return {0: 1.0}
        total, share = sum(channels[u] for u in feeding), 0.5 if skip else 1.0
        found = {u: share * channels[u] / total for u in feeding}
        return {**found, 0: 0.5} if skip else found

    def go(chance: float, walk: list[int]) -> Iterator[tuple[float, list[int]]]:
        if walk[-1] == 0:
            yield chance, walk
            return
        for u, p in chances(walk[-1]).items():
            yield from go(chance * p, [*walk, u])

    yield from go(1.0, [last])


def test_flow_and_walks_against_all_walks_one_by_one() -> None:
    groups = cell_features(CELLS).groups
    columns = NASBENCH101.num_columns
    for i, cell in enumerate(CELLS):
        kind_of = np.asarray(cell.operation_ids) - NASBENCH101.first_id
        size = np.log2(1 + channels_of(cell))
        taken, met = np.zeros((columns, columns)), np.zeros(columns)
        walks = list(backward_walks(cell))
        for chance, walk in walks:
            for v, u in itertools.pairwise(walk):
                taken[kind_of[u], kind_of[v]] += chance
            for v in walk:
                met[kind_of[v]] += chance * size[v]
        expected = np.concatenate([taken.ravel(), met])
        np.testing.assert_allclose(groups["flow"][i], expected, atol=1e-5)
        p = np.array([chance for chance, _ in walks])
        moments = []
        for members in kinds(NASBENCH101).values():
            k = np.array(
                [np.isin(np.asarray(cell.operation_ids)[w], members).sum() for _, w in walks]
            )
            mean = p @ k
            moments.append([mean, np.sqrt(max(p @ k**2 - mean**2, 0)), p @ 0.5**k])
        expected = np.array(moments).T.ravel()
        np.testing.assert_allclose(groups["walks"][i], expected, atol=2e-3)


def test_pooled_features_are_sums_by_operation() -> None:
    features = cell_features(CELLS)
    pooled = features.groups["pooled"].reshape(len(CELLS), len(NASBENCH101.operations), -1)
    for i, cell in enumerate(CELLS):
        ids = np.asarray(cell.operation_ids)
        for operation in range(3):
            rows = np.flatnonzero(ids == operation)
            expected = features.vertex[i, rows].sum(axis=0)
            np.testing.assert_allclose(pooled[i, operation], expected, rtol=1e-5, atol=1e-5)


def test_channels_before_the_output() -> None:
    found = by_name(CELLS)
    for i, cell in enumerate(CELLS):
        channels = channels_of(cell)[: cell.num_vertices]
        feeding = [u for u in range(1, cell.num_vertices - 1) if cell.adjacency[u, -1]]
        expected = max((channels[u] for u in feeding), default=0.0)
        assert found["channels before the output"][i] == pytest.approx(expected, rel=1e-6)
        for operation, name in enumerate(NASBENCH101.operations):
            total = channels[np.asarray(cell.operation_ids) == operation].sum()
            assert found[f"channels of {name}"][i] == pytest.approx(total, rel=1e-5)


def test_vertex_features_against_networkx() -> None:
    names = vertex_feature_names(NASBENCH101)
    vertex = cell_features(CELLS).vertex
    for i, cell in enumerate(CELLS):
        graph = nx.from_numpy_array(np.asarray(cell.adjacency), create_using=nx.DiGraph)
        ids, last = np.asarray(cell.operation_ids), cell.num_vertices - 1
        for v in range(last + 1):
            found = dict(zip(names, vertex[i, v], strict=True))
            to = [[0]] if v == 0 else list(nx.all_simple_paths(graph, 0, v))
            onward = [[last]] if v == last else list(nx.all_simple_paths(graph, v, last))
            assert np.exp(found["log paths to it"]) == pytest.approx(len(to), rel=1e-5)
            assert np.exp(found["log paths from it"]) == pytest.approx(len(onward), rel=1e-5)
            for kind, members in kinds(NASBENCH101).items():
                before = [np.isin(ids[path], members).sum() for path in to]
                after = [np.isin(ids[path[1:]], members).sum() for path in onward]
                assert found[f"longest {kind}"] == max(before)
                assert found[f"shortest {kind}"] == min(before)
                assert found[f"longest onward {kind}"] == max(after)
                assert found[f"shortest onward {kind}"] == min(after)
            forward = sum(np.prod([1 / cell.adjacency[u].sum() for u in path[:-1]]) for path in to)
            backward = sum(
                np.prod([1 / cell.adjacency[:, u].sum() for u in path[1:]]) for path in onward
            )
            assert found["forward walk"] == pytest.approx(forward, rel=1e-5)
            assert found["backward walk"] == pytest.approx(backward, rel=1e-5)


def test_large_graphs_go_into_smaller_blocks() -> None:
    def chains(size: int, count: int) -> CellArray:
        space = SearchSpace("chains", ("a",), size, size)
        edges = np.array([np.arange(size - 1), np.arange(1, size)]).T
        return CellArray.from_cells([Cell.from_edges(edges, [0] * size, space)] * count)

    assert cells_per_block(chains(7, 1)) == cells_per_block(chains(8, 1)) == FEATURE_BLOCK
    assert cells_per_block(chains(64, 1)) == FEATURE_BLOCK // 64
    assert cells_per_block(chains(1_000, 1)) == 1
    few = chains(300, 5)
    longest = graph_feature_names(few.space).index("longest a")
    np.testing.assert_array_equal(cell_features(few).groups["graph"][:, longest], 300)
