"""Canonical graphs of drawings, compared with networkx."""

from __future__ import annotations

from random import Random

import networkx as nx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyg_nas.errors import CellError
from pyg_nas.graphs.drawings import canonical_graph, canonical_graphs, with_limits
from pyg_nas.graphs.search_space import SearchSpace

PLAIN = SearchSpace("letters", tuple("abc"), max_vertices=9, max_edges=36)
CELLS = SearchSpace("cells", tuple("abc"), 9, 36, terminals=("output", "input"))


def random_drawing(random: Random, vertices: int) -> nx.DiGraph:
    """An acyclic graph whose vertices have any numbering."""
    order = random.sample(range(vertices), vertices)
    drawing = nx.DiGraph()
    for vertex in range(vertices):
        drawing.add_node(vertex, id=random.randrange(3))
    for position, u in enumerate(order):
        drawing.add_edges_from((u, v) for v in order[position + 1 :] if random.random() < 0.4)
    return drawing


def canonical(drawing: nx.DiGraph, space: SearchSpace) -> nx.DiGraph:
    ids = [drawing.nodes[vertex]["id"] for vertex in range(len(drawing))]
    edges, kept = canonical_graph(ids, list(drawing.edges), space)
    pairs = edges.T.tolist()
    assert pairs == sorted(pairs)
    assert all(u < v for u, v in pairs)
    found = nx.DiGraph(pairs)
    for vertex, operation in enumerate(kept.tolist()):
        found.add_node(vertex, id=operation)
    return found


def same(one: nx.DiGraph, other: nx.DiGraph) -> bool:
    return nx.is_isomorphic(one, other, node_match=lambda a, b: a["id"] == b["id"])


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 7), st.randoms(use_true_random=False))
def test_plain_graphs_keep_all_vertices(vertices: int, random: Random) -> None:
    drawing = random_drawing(random, vertices)
    assert same(canonical(drawing, PLAIN), drawing)


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 7), st.randoms(use_true_random=False))
def test_cells_keep_the_vertices_on_paths(vertices: int, random: Random) -> None:
    drawing = random_drawing(random, vertices)
    source, sink = random.sample(range(vertices), 2)
    drawing.nodes[source]["id"], drawing.nodes[sink]["id"] = CELLS.input_id, CELLS.output_id
    on_paths = (nx.descendants(drawing, source) | {source}) & (nx.ancestors(drawing, sink) | {sink})
    if sink not in on_paths:
        with pytest.raises(CellError, match="no path leads from the 'input' to the 'output'"):
            canonical(drawing, CELLS)
        return
    found = canonical(drawing, CELLS)
    assert same(found, drawing.subgraph(on_paths))
    assert found.nodes[0]["id"] == CELLS.input_id
    assert found.nodes[len(found) - 1]["id"] == CELLS.output_id


@pytest.mark.parametrize(
    ("ids", "edges", "message"),
    [
        ([0, 1, 2], [(0, 1), (1, 2), (2, 1)], r"cycle through vertices \[1, 2\]$"),
        ([0] * 30, [(i, (i + 1) % 30) for i in range(30)], r"19\] and 10 others$"),
        ([-1, -1, -2], [(0, 2), (1, 2)], "has one 'input' vertex, got 2"),
        ([-1, 0], [(0, 1)], "has one 'output' vertex, got 0"),
        ([-1, *[0] * 8, -2], [(i, i + 1) for i in range(9)], "at most 9 vertices, got 10"),
    ],
)
def test_other_drawings_are_refused(
    ids: list[int], edges: list[tuple[int, int]], message: str
) -> None:
    with pytest.raises(CellError, match=message):
        canonical_graph(ids, edges, CELLS)


def test_many_canonical_graphs_are_recognised_together() -> None:
    sizes, counts = np.array([2, 3]), np.array([1, 2])
    ids = np.array([0, 1, 2, 2, 0])
    edges = np.array([[0, 1, 0], [1, 2, 1]])  # of the second graph in another order
    cells = canonical_graphs(sizes, ids, counts, edges, PLAIN)
    assert cells is not None
    assert [cell.edges for cell in cells] == [[(0, 1)], [(0, 1), (1, 2)]]
    assert [cell.operations for cell in cells] == [("a", "b"), ("c", "c", "a")]
    assert (cells.space.max_vertices, cells.space.max_edges) == (3, 2)
    assert canonical_graphs(sizes, ids, counts, edges[::-1], PLAIN) is None
    assert canonical_graphs(sizes[:0], ids[:0], counts[:0], edges[:, :0], PLAIN) is None


def test_only_spaces_of_plain_graphs_take_other_limits() -> None:
    wide = with_limits(PLAIN, 100, 200)
    assert (wide.max_vertices, wide.max_edges, wide.operations) == (100, 200, PLAIN.operations)
    assert with_limits(CELLS, 100, 200) is CELLS
