"""Edit distances against networkx and by properties."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest

from pyg_nas.errors import SpaceError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.edit_distance import EditDistance
from pyg_nas.graphs.enumeration import enumerate_cells
from pyg_nas.graphs.mutation import neighbours
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.spaces.nasbench101 import NASBENCH101
from tests.graphs.test_mutation import random_genotype

SMALL = SearchSpace("small", ("a", "b"), max_vertices=5, max_edges=6, terminals=("out", "in"))


def as_graph(cell: Cell) -> nx.DiGraph:
    graph = nx.DiGraph(cell.edges)
    for vertex, name in enumerate(cell.operations):
        graph.add_node(vertex, name=name)
    return graph


def exact(one: Cell, two: Cell) -> float:
    """Graph edit distance by search; exchanging a terminal for something else costs too much."""
    ends = {one.space.decode([i])[0] for i in (-1, -2)}

    def substitute(a: dict[str, str], b: dict[str, str]) -> float:
        if a["name"] == b["name"]:
            return 0.0
        return 100.0 if a["name"] in ends or b["name"] in ends else 1.0

    return float(nx.graph_edit_distance(as_graph(one), as_graph(two), node_subst_cost=substitute))


@pytest.mark.parametrize("space", [NASBENCH101, SMALL])
def test_distance_is_that_of_networkx(space: SearchSpace) -> None:
    rng = np.random.default_rng(1)
    cells = [random_genotype(rng, space).cell for _ in range(8)]
    smaller = [c for c in cells if c.num_vertices <= 6]
    distance = EditDistance(CellArray.from_cells(smaller, space))
    for cell in smaller[:4]:
        assert distance(cell).tolist() == [exact(cell, other) for other in smaller]


def test_neighbours_are_near_and_copies_at_zero() -> None:
    cells = enumerate_cells(SMALL)
    distance = EditDistance(cells)
    rows = {cell.hash: row for row, cell in enumerate(cells)}
    for row in range(0, len(cells), 29):
        found = distance(cells[row])
        assert np.flatnonzero(found == 0).tolist() == [row]
        # Inserting a vertex costs itself, two edges and perhaps the edge that it splits.
        assert all(1 <= found[rows[n.hash]] <= 4 for n in neighbours(cells[row]))


def test_nearest_is_the_least_of_all_distances() -> None:
    cells = enumerate_cells(SMALL)
    part = cells[np.random.default_rng(0).permutation(len(cells))[:120]]
    distance = EditDistance(part)
    rng = np.random.default_rng(1)
    for row in range(0, len(cells), 17):
        distances = distance(cells[row])
        for share in (1.0, 0.3, 0.02):
            allowed = rng.random(len(part)) < share
            found = distance.nearest(cells[row], allowed).tolist()
            if not allowed.any():
                assert found == []
                continue
            least = distances[allowed].min()
            assert found == np.flatnonzero(allowed & (distances == least)).tolist()


def test_larger_spaces_give_an_upper_bound() -> None:
    space = SearchSpace("ten", ("a", "b"), 10, 20, ("out", "in"))
    rng = np.random.default_rng(0)
    cells = [random_genotype(rng, space).cell for _ in range(5)]
    distance = EditDistance(CellArray.from_cells(cells, space))
    for row, cell in enumerate(cells):
        found = distance(cell)
        assert found[row] == 0
        assert (np.delete(found, row) > 0).all()


def test_spaces_without_terminals_are_refused() -> None:
    plain = SearchSpace("plain", ("a",), 3, 3)
    cells = CellArray.from_cells([Cell([[0, 1], [0, 0]], ["a", "a"], plain)])
    with pytest.raises(SpaceError, match="plain"):
        EditDistance(cells)
