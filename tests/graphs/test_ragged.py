from __future__ import annotations

import networkx
import numpy as np
import pytest

from pyg_nas.graphs.ragged import RaggedGraphs, adjacency_lists, depths, pointers
from pyg_nas.spaces.nasbench101 import nasbench101_cells


def test_graphs_by_hand() -> None:
    adjacency = np.array([[[0, 1], [0, 0]], [[0, 0], [0, 0]]], dtype=np.int8)
    graphs = RaggedGraphs.from_padded(adjacency, np.array([[3, 4], [5, 0]]), np.array([2, 1]))
    assert graphs.vertex_ptr.tolist() == [0, 2, 3]
    assert graphs.operations.tolist() == [3, 4, 5]
    assert graphs.edge_ptr.tolist() == [0, 1, 1]
    assert graphs.edges.tolist() == [[0], [1]]
    assert graphs.vertex_graph.tolist() == [0, 0, 1]
    assert graphs.edge_graph.tolist() == [0]
    assert pointers(np.array([], dtype=np.int64)).tolist() == [0]


def test_parts_join_to_the_whole() -> None:
    whole = nasbench101_cells()[::9_000].ragged
    parts = [whole.take(slice(a, a + 7)) for a in range(0, len(whole), 7)]
    joined = RaggedGraphs.join(parts)
    assert joined.digest() == whole.digest()
    mixed = whole.take(np.arange(len(whole))[::-1]).take(np.arange(len(whole))[::-1])
    assert mixed.digest() == whole.digest()
    assert whole.take(slice(0, 7)).digest() != whole.take(slice(1, 8)).digest()
    assert len(whole.take(np.zeros(len(whole), dtype=bool))) == 0


def test_neighbours_of_each_vertex() -> None:
    successors, predecessors = adjacency_lists([(0, 2), (0, 1), (1, 2)], 4)
    assert successors == [[2, 1], [2], [], []]
    assert predecessors == [[], [0], [0, 1], []]


def test_equal_graphs_have_one_number() -> None:
    cells = nasbench101_cells()[np.random.default_rng(0).integers(0, 300, 1_000)]
    contents = [(tuple(cell.operation_ids), cell.edge_index.tobytes()) for cell in cells]
    places = {content: index for index, content in enumerate(dict.fromkeys(contents))}
    first, numbers = cells.ragged.numbered()
    assert numbers.tolist() == [places[content] for content in contents]
    assert first.tolist() == [contents.index(content) for content in places]


def test_graphs_of_equal_keys_that_differ_are_told_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    graphs = nasbench101_cells()[[5, 6, 5]].ragged
    assert graphs.numbered()[1].tolist() == [0, 1, 0]
    monkeypatch.setattr(RaggedGraphs, "_keys", lambda graphs: np.zeros(len(graphs), np.uint64))
    assert graphs.numbered()[1].tolist() == [0, 1, 2]


def test_graphs_without_vertices_or_edges_are_numbered() -> None:
    none = np.empty(0, dtype=np.int64)
    graphs = RaggedGraphs(
        np.array([0, 1, 1, 2, 2]),
        np.array([3, 3]),
        np.zeros(5, dtype=np.int64),
        np.stack([none, none]),
    )
    assert graphs.numbered()[1].tolist() == [0, 1, 0, 1]
    assert [part.tolist() for part in graphs.take(none).numbered()] == [[], []]


def test_depths_are_longest_paths() -> None:
    rng = np.random.default_rng(0)
    for size in range(1, 20):
        pairs = np.argwhere(np.triu(rng.random((size, size)) < 0.3, 1)).tolist()
        graph = networkx.DiGraph(pairs)
        expected = [0] * size
        for v in networkx.topological_sort(graph):
            expected[v] = max((expected[u] + 1 for u in graph.predecessors(v)), default=0)
        assert depths(pairs, size) == expected
