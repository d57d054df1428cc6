"""Mutation and neighbourhoods against enumerated spaces and properties."""

from __future__ import annotations

from collections import Counter
from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyg_nas.errors import CellError, SpaceError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.edit_distance import EditDistance
from pyg_nas.graphs.enumeration import enumerate_cells
from pyg_nas.graphs.mutation import Genotype, mutate, neighbours
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.spaces.nasbench101 import NASBENCH101

SMALL = SearchSpace("small", ("a", "b"), max_vertices=5, max_edges=6, terminals=("out", "in"))
NINE = SearchSpace(
    "nine", ("a", "b", "c", "d", "e", "f"), max_vertices=9, max_edges=14, terminals=("out", "in")
)
PLAIN = SearchSpace("plain", ("a", "b"), max_vertices=5, max_edges=6)


def random_genotype(rng: np.random.Generator, space: SearchSpace) -> Genotype:
    """A valid genotype: every edge with probability 1/2, every operation uniformly."""
    size = space.max_vertices
    while True:
        adjacency = np.triu(rng.integers(0, 2, (size, size), dtype=np.int8), 1)
        inner = rng.integers(0, len(space.operations), size - 2)
        operations = np.array([space.input_id, *inner, space.output_id], np.int8)
        genotype = Genotype(adjacency, operations, space)
        with suppress(CellError):
            _ = genotype.cell
            return genotype


@pytest.fixture(scope="module")
def small_hashes() -> set[str]:
    return {digest.decode() for digest in enumerate_cells(SMALL).hashes()}


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32), space=st.sampled_from([NASBENCH101, SMALL, NINE]))
def test_mutants_are_valid_different_and_repeatable(seed: int, space: SearchSpace) -> None:
    rng = np.random.default_rng(seed)
    parent = random_genotype(rng, space)
    child = mutate(parent, rng)
    assert child.cell != parent.cell
    assert child.cell.num_edges <= space.max_edges
    assert child.adjacency.shape == (space.max_vertices, space.max_vertices)
    again = np.random.default_rng(seed)
    assert mutate(random_genotype(again, space), again).cell == child.cell
    assert Genotype.from_dict(child.to_dict(), space).cell == child.cell


def test_mutation_rates_are_those_of_the_notebook() -> None:
    # On a long chain-free graph with many valid mutants: the expected number of flipped edges
    # is V (V - 1) / 2 / V = 3 and of changed operations 1, conditioned only on validity.
    space = SearchSpace("wide", ("a", "b", "c"), 7, 21, ("out", "in"))
    rng = np.random.default_rng(0)
    adjacency = np.triu(np.ones((7, 7), dtype=np.int8), 1)
    parent = Genotype(adjacency, np.array([-1, 0, 1, 2, 0, 1, -2], np.int8), space)
    mutants = [mutate(parent, rng) for _ in range(1500)]
    flips = np.mean([(m.adjacency != parent.adjacency).sum() for m in mutants])
    changes = np.mean([(m.operations != parent.operations).sum() for m in mutants])
    # Identical children are rejected (probability 0.013), which lifts both means by that much.
    assert flips == pytest.approx(3.04, abs=0.2)
    assert changes == pytest.approx(1.01, abs=0.12)
    counts = Counter(int(m.operations[1]) for m in mutants)
    assert counts[1] == pytest.approx(counts[2], abs=60)  # both others equally likely


def test_mutation_brings_dead_ends_back() -> None:
    rng = np.random.default_rng(3)
    chain = Cell([[0, 1, 0], [0, 0, 1], [0, 0, 0]], ["input", "maxpool3x3", "output"])
    genotype = Genotype.of_cell(chain, rng)
    assert genotype.cell == chain
    sizes = {mutate(genotype, rng).cell.num_vertices for _ in range(300)}
    assert {2, 3, 4} <= sizes


def test_every_mutant_of_a_small_space_is_an_enumerated_cell(small_hashes: set[str]) -> None:
    rng = np.random.default_rng(5)
    genotype = random_genotype(rng, SMALL)
    seen = set()
    for _ in range(6_000):
        genotype = mutate(genotype, rng)
        seen.add(genotype.cell.hash)
    assert seen <= small_hashes
    assert len(seen) > 0.65 * len(small_hashes)


def test_neighbourhood_is_symmetric_and_connects_the_space(small_hashes: set[str]) -> None:
    cells = {cell.hash: cell for cell in enumerate_cells(SMALL)}
    near = {digest: {n.hash for n in neighbours(cell)} for digest, cell in cells.items()}
    for digest, others in near.items():
        assert digest not in others
        assert others <= small_hashes
        assert all(digest in near[other] for other in others)
    reached, frontier = {next(iter(near))}, [next(iter(near))]
    while frontier:
        for other in near[frontier.pop()] - reached:
            reached.add(other)
            frontier.append(other)
    assert reached == small_hashes


def test_neighbours_of_the_smallest_cell_by_hand() -> None:
    edge = Cell([[0, 1], [0, 0]], ["input", "output"])
    found = set(neighbours(edge))
    expected = set()
    for operation in NASBENCH101.operations:
        ops = ["input", operation, "output"]
        expected.add(Cell([[0, 1, 0], [0, 0, 1], [0, 0, 0]], ops))
        expected.add(Cell([[0, 1, 1], [0, 0, 1], [0, 0, 0]], ops))
    assert found == expected


def test_neighbours_do_not_depend_on_the_labelling() -> None:
    # in > a, b > out with an edge that only exists against the first order.
    one = Cell(
        [[0, 1, 1, 0], [0, 0, 0, 1], [0, 0, 0, 1], [0, 0, 0, 0]],
        ["input", "maxpool3x3", "conv3x3-bn-relu", "output"],
    )
    two = Cell(one.adjacency, ["input", "conv3x3-bn-relu", "maxpool3x3", "output"])
    assert one == two
    assert set(neighbours(one)) == set(neighbours(two))
    chain = Cell(
        [[0, 1, 1, 0], [0, 0, 1, 1], [0, 0, 0, 1], [0, 0, 0, 0]],
        ["input", "conv3x3-bn-relu", "maxpool3x3", "output"],
    )
    assert chain in set(neighbours(one))


def test_spaces_without_terminals_are_refused() -> None:
    cell = Cell([[0, 1], [0, 0]], ["a", "b"], PLAIN)
    with pytest.raises(SpaceError, match="plain"):
        Genotype.of_cell(cell, np.random.default_rng(0))
    with pytest.raises(SpaceError, match="plain"):
        neighbours(cell)


def test_operations_beyond_one_byte_are_moved_and_compared() -> None:
    names = tuple(f"op{number}" for number in range(300))
    wide = SearchSpace("wide", names, 4, 4, terminals=("out", "in"))
    first, second = (
        Cell.from_edges([(0, 1), (1, 2)], ("in", name, "out"), wide) for name in ("op299", "op43")
    )  # 299 and 43 are the same byte
    moved = {other.operations[1] for other in neighbours(first) if other.num_vertices == 3}
    assert moved == set(names)
    rng = np.random.default_rng(0)
    genotype = Genotype.of_cell(first, rng)
    assert Genotype.from_dict(genotype.to_dict(), wide).cell == first
    assert mutate(genotype, rng).cell != first
    assert EditDistance(CellArray.from_cells([first, second]))(first).tolist() == [0, 1]
