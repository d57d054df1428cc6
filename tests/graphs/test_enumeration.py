from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import networkx as nx
import numpy as np
import pytest
from scipy.stats import chisquare

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError, SpaceError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import enumerate_cells, sample_cells
from pyg_nas.graphs.registry import find_space
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.spaces.nasbench101 import NASBENCH101, NUM_NASBENCH101_CELLS, nasbench101_cells

Graph = tuple[tuple[int, ...], frozenset[tuple[int, int]]]


def _small_space(max_vertices: int, max_edges: int, operations: int = 3) -> SearchSpace:
    names = tuple(f"op{i}" for i in range(operations))
    return SearchSpace("small", names, max_vertices, max_edges, ("output", "input"))


def _canonical(operations: tuple[int, ...], edges: list[tuple[int, int]]) -> Graph:
    """The smallest of all relabellings of the inner vertices: exact, by brute force."""
    v = len(operations)
    best: tuple[tuple[int, ...], tuple[tuple[int, int], ...]] | None = None
    for inner in itertools.permutations(range(1, v - 1)):
        place = (0, *inner, v - 1)
        moved = [0] * v
        for vertex, where in enumerate(place):
            moved[where] = operations[vertex]
        candidate = (tuple(moved), tuple(sorted((place[a], place[b]) for a, b in edges)))
        if best is None or candidate < best:
            best = candidate
    assert best is not None
    return best[0], frozenset(best[1])


def _brute_force(v: int, max_edges: int, operations: int) -> set[Graph]:
    """All classes of ``v`` vertices, by paths instead of degrees and by all relabellings."""
    found = set()
    pairs = list(itertools.combinations(range(v), 2))
    for chosen in itertools.product((False, True), repeat=len(pairs)):
        edges = [pair for pair, there in zip(pairs, chosen, strict=True) if there]
        if len(edges) > max_edges:
            continue
        graph = nx.DiGraph(edges)
        graph.add_nodes_from(range(v))
        on_a_path = (nx.descendants(graph, 0) | {0}) & (nx.ancestors(graph, v - 1) | {v - 1})
        if len(on_a_path) < v:
            continue
        for inner in itertools.product(range(operations), repeat=v - 2):
            found.add(_canonical((-1, *inner, -2), edges))
    return found


def _classes(cells: CellArray) -> list[Graph]:
    return [_canonical(tuple(int(i) for i in cell.operation_ids), cell.edges) for cell in cells]


@pytest.mark.parametrize(
    ("max_vertices", "max_edges", "operations"),
    [(5, 9, 3), (5, 10, 2), (5, 5, 2), (4, 6, 4), (3, 3, 300)],
)
def test_small_spaces_against_brute_force(
    max_vertices: int, max_edges: int, operations: int
) -> None:
    expected: set[Graph] = set()
    for v in range(2, max_vertices + 1):
        expected |= _brute_force(v, max_edges, operations)
    cells = enumerate_cells(_small_space(max_vertices, max_edges, operations))
    classes = _classes(cells)
    assert len(classes) == len(set(classes)) == len(expected)
    assert set(classes) == expected


def test_no_two_cells_of_five_vertices_are_isomorphic_by_networkx() -> None:
    cells = enumerate_cells(_small_space(5, 9, 2))
    by_degrees: dict[object, list[nx.DiGraph]] = {}
    for cell in cells:
        graph = nx.DiGraph(cell.edges)
        for vertex, operation in enumerate(cell.operations):
            graph.nodes[vertex]["op"] = operation
        key = tuple(
            sorted((graph.in_degree(v), graph.out_degree(v), graph.nodes[v]["op"]) for v in graph)
        )
        for other in by_degrees.setdefault(key, []):
            assert not nx.is_isomorphic(
                graph, other, node_match=lambda one, two: one["op"] == two["op"]
            )
        by_degrees[key].append(graph)


def test_nasbench101_has_423624_cells() -> None:
    cells = nasbench101_cells()
    assert len(cells) == NUM_NASBENCH101_CELLS == 423_624
    assert cells.first_invalid() is None
    assert dict(Counter(cells.num_vertices.tolist())) == {
        2: 1,
        3: 6,
        4: 84,
        5: 2_441,
        6: 62_010,
        7: 359_082,
    }


@pytest.mark.parametrize("name", ["nasbench201", "transnasbench101"])
def test_the_cells_of_a_space_of_drawings_are_those_of_its_texts(name: str) -> None:
    space = find_space(name)
    of_texts = {Cell.from_text(text, space).hash for text in space.support.architecture_texts()}
    hashes = enumerate_cells(space).hashes().astype(str).tolist()
    assert len(hashes) == len(set(hashes)) == space.support.num_cells
    assert set(hashes) == of_texts


def test_the_enumeration_agrees_with_the_real_sample(real_table: Table) -> None:
    # The sample holds all cells with a module hash up to its largest one, so it says of every
    # enumerated cell whether it must be there.
    largest = np.sort(real_table.hashes)[-1]
    cells = nasbench101_cells()
    small = cells[cells.num_vertices <= 5].hashes()
    real_small = real_table.hashes[real_table.cells.num_vertices <= 5]
    np.testing.assert_array_equal(np.sort(small[small <= largest]), np.sort(real_small))
    large = cells[cells.num_vertices > 5][::40].hashes()
    expected = large[large <= largest]
    assert len(expected) > 400
    assert np.isin(expected, real_table.hashes).all()


@pytest.mark.parametrize(
    "space",
    [
        SearchSpace("plain", ("a", "b"), 5, 9),
        SearchSpace("big", ("a",), 8, 9, ("out", "in")),
        SearchSpace("wide", tuple("abcdefgh"), 6, 15, ("out", "in")),
    ],
)
def test_a_space_that_cannot_be_enumerated_is_refused(space: SearchSpace) -> None:
    with pytest.raises(SpaceError, match="cannot be enumerated"):
        enumerate_cells(space)


def test_sampling_is_uniform_over_cells() -> None:
    # 91 cells of up to 4 vertices: each must come first about equally often.
    cells = enumerate_cells(_small_space(4, 6))
    assert len(cells) == 91
    hashes = cells.hashes().tolist()
    firsts = Counter(sample_cells(1, seed, cells).hashes()[0] for seed in range(9_100))
    assert chisquare([firsts[digest] for digest in hashes]).pvalue > 1e-3


def test_a_large_sample_has_the_sizes_of_the_space() -> None:
    drawn = sample_cells(20_000, seed=1)
    population = np.bincount(nasbench101_cells().num_vertices, minlength=8)[5:]
    counts = np.bincount(drawn.num_vertices, minlength=8)[5:]
    expected = population / population.sum() * counts.sum()
    assert chisquare(counts, expected).pvalue > 1e-3


def test_samples_are_nested_distinct_and_repeatable() -> None:
    drawn = sample_cells(500, seed=3)
    assert drawn == sample_cells(500, seed=3)
    assert drawn[:50] == sample_cells(50, seed=3)
    assert drawn != sample_cells(500, seed=4)
    assert len(set(drawn.hashes().tolist())) == 500
    assert drawn.space == NASBENCH101


@pytest.mark.parametrize("n", [-1, 424_000])
def test_more_cells_than_there_are_cannot_be_drawn(n: int) -> None:
    with pytest.raises(SettingsError, match=str(n)):
        sample_cells(n, seed=0)


@pytest.mark.parametrize("seed", [None, 1.5, -1, np.random.default_rng(0)])
def test_seeds_that_are_no_whole_numbers_are_refused(seed: Any) -> None:
    with pytest.raises(SettingsError, match="seed must be "):
        sample_cells(3, seed)


@pytest.mark.parametrize("cells", [NASBENCH101, "nasbench101", [NASBENCH101]])
def test_only_cells_can_be_drawn_from(cells: Any) -> None:
    with pytest.raises(SettingsError, match=r"CellArray, got .*enumerate_cells\(space\)"):
        sample_cells(3, 0, cells)
