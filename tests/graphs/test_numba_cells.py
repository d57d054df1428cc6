"""The compiled check of cells against the array calls, which name the rule."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from pyg_nas.compute.jit import compiled_enabled
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.ragged import RaggedGraphs
from pyg_nas.graphs.search_space import SearchSpace

pytestmark = pytest.mark.skipif(not compiled_enabled(), reason="compiled code is off")

PLAIN = SearchSpace("plain", ("a", "b", "c"), max_vertices=7, max_edges=9)


def changed(graphs: RaggedGraphs, rng: np.random.Generator) -> RaggedGraphs:
    """Graphs with one number of theirs changed by one or two."""
    name = rng.choice(["operations", "edges"])
    values = getattr(graphs, name).copy()
    values.flat[rng.integers(values.size)] += rng.choice([-2, -1, 1, 2])
    return replace(graphs, **{name: values})


def changed_padded(cells: CellArray, rng: np.random.Generator) -> CellArray:
    """A cell with one number of its padded arrays changed by one or two."""
    arrays = [array.copy() for array in (cells.adjacency, cells.operations, cells.num_vertices)]
    values = arrays[rng.integers(3)]
    values.flat[rng.integers(values.size)] += rng.choice([-2, -1, 1, 2])
    return CellArray(*arrays, cells.space)


@pytest.mark.parametrize("space", [None, PLAIN])
def test_the_same_graphs_comply(space: SearchSpace | None) -> None:
    from pyg_nas.graphs.numba_cells import comply

    rng = np.random.default_rng(0)
    cells = sample_cells(400, seed=1)
    found = []
    for row in range(400):
        graphs = cells.ragged.take([row])
        if space is not None:
            graphs = replace(graphs, operations=graphs.operations % 3)
        known = CellArray.from_ragged(changed(graphs, rng), space)
        expected = known.first_invalid() is None
        assert comply(known) == expected
        found.append(expected)
    assert 20 < sum(found) < 380


@pytest.mark.parametrize("space", [None, PLAIN])
def test_the_same_padded_graphs_comply(space: SearchSpace | None) -> None:
    from pyg_nas.graphs.numba_cells import comply

    rng = np.random.default_rng(0)
    cells = sample_cells(2_000, seed=1)
    if space is not None:
        cells = CellArray(
            cells.adjacency, np.maximum(cells.operations, 0), cells.num_vertices, space
        )
    found = []
    for row in range(len(cells)):
        known = changed_padded(cells[row : row + 1], rng)
        expected = known.first_invalid() is None
        assert comply(known) == expected
        found.append(expected)
    assert 100 < sum(found) < 1_900


def test_too_many_vertices_or_edges_do_not_comply() -> None:
    from pyg_nas.graphs.numba_cells import comply

    cells = sample_cells(50, seed=2)
    for graphs in (cells.ragged, None):
        for changes, expected in (
            ({}, True),
            ({"max_vertices": 6}, False),
            ({"max_edges": 8}, False),
        ):
            space = replace(cells.space, name="limited", **changes)
            given = (
                CellArray.from_ragged(graphs, space)
                if graphs is not None
                else CellArray(cells.adjacency, cells.operations, cells.num_vertices, space)
            )
            assert comply(given) == expected


@pytest.mark.parametrize("name", ["vertex_ptr", "edge_ptr"])
@pytest.mark.parametrize("change", [[0, 0, 1], [-1, 0, 0], [0, 10**12, 0]])
def test_pointers_beyond_the_arrays_do_not_comply(name: str, change: list[int]) -> None:
    from pyg_nas.graphs.numba_cells import comply

    space = SearchSpace("loose", ("a",), max_vertices=3, max_edges=3)
    graphs = RaggedGraphs.of_lists([np.zeros(3, int)] * 2, [np.array([[0], [1]])] * 2)
    assert comply(CellArray.from_ragged(graphs, space))
    broken = replace(graphs, **{name: getattr(graphs, name) + change})
    assert not comply(CellArray.from_ragged(broken, space))


@pytest.mark.parametrize("vertices", [64, 65])
@pytest.mark.parametrize("padded", [False, True])
def test_cells_of_more_vertices_than_bits_are_left_to_array_calls(
    vertices: int, padded: bool
) -> None:
    from pyg_nas.graphs.numba_cells import comply

    space = SearchSpace("path", ("a",), vertices, vertices, ("out", "in"))
    ids = np.array([space.input_id, *[0] * (vertices - 2), space.output_id], dtype=np.int8)
    edges = np.array([np.arange(vertices - 1), np.arange(1, vertices)])
    cells = CellArray.from_ragged(RaggedGraphs.of_lists([ids], [edges]), space)
    if padded:
        cells = CellArray(cells.adjacency, cells.operations, cells.num_vertices, space)
    assert comply(cells) == (vertices == 64)
    assert cells.first_invalid() is None


def test_padded_arrays_of_other_types_are_left_to_array_calls() -> None:
    """256 is 0 in eight bits."""
    from pyg_nas.graphs.numba_cells import comply

    cells = sample_cells(1, seed=0)
    operations = cells.operations.astype(np.int64)
    operations[0, 1] += 256
    other = CellArray(cells.adjacency, operations, cells.num_vertices, cells.space)
    assert not comply(other)
    assert other.first_invalid() is not None
