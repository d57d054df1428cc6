from __future__ import annotations

import numpy as np

from pyg_nas.graphs.ragged import RaggedGraphs, adjacency_lists, pointers
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
