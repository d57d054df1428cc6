"""Numbers of neighbourhoods, against dictionaries of Python."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.compute.jit import compiled_enabled
from pyg_nas.graphs.cell_array import CellArray

pytestmark = pytest.mark.skipif(not compiled_enabled(), reason="compiled code is off")


def numbered(values: list[tuple[int, ...]]) -> list[int]:
    """The number of each value, by first appearance."""
    seen: dict[tuple[int, ...], int] = {}
    return [seen.setdefault(value, len(seen)) for value in values]


def listed(ptr: np.ndarray, flat: np.ndarray) -> list[list[int]]:
    return [part.tolist() for part in np.split(flat, ptr[1:-1])]


def test_neighbours_of_all_vertices(cells: CellArray) -> None:
    from pyg_nas.engine.compiled import neighbours

    graphs = cells.ragged
    found = neighbours(graphs.vertex_ptr, graphs.edge_ptr, graphs.edges)
    successors, predecessors = listed(*found[:2]), listed(*found[2:])
    for start, cell in zip(graphs.vertex_ptr[:-1], cells, strict=True):
        for v in range(cell.num_vertices):
            after, before = np.flatnonzero(cell.adjacency[v]), np.flatnonzero(cell.adjacency[:, v])
            assert successors[start + v] == (start + after).tolist()
            assert predecessors[start + v] == (start + before).tolist()


def test_pairs_are_numbered_by_first_appearance() -> None:
    from pyg_nas.engine.compiled import number_pairs

    first, second = np.random.default_rng(0).integers(-40, 40, (2, 5_000))
    index, numbers = number_pairs(first, second)
    pairs = list(zip(first.tolist(), second.tolist(), strict=True))
    assert numbers.tolist() == numbered(pairs)
    assert [pairs[i] for i in index] == list(dict.fromkeys(pairs))


def test_bags_have_their_own_state_and_sorted_neighbours() -> None:
    from pyg_nas.engine.compiled import number_bags

    rng = np.random.default_rng(1)
    counts = rng.integers(0, 4, 4_000)
    ptr = np.concatenate([[0], np.cumsum(counts)])
    gathered = rng.integers(0, len(counts), ptr[-1])
    state = rng.integers(0, 3, len(counts))
    members, offsets, numbers = number_bags(state, ptr, gathered)
    bags = [
        (int(own), *sorted(state[others].tolist()))
        for own, others in zip(state, listed(ptr, gathered), strict=True)
    ]
    assert numbers.tolist() == numbered(bags)
    assert [tuple(bag) for bag in listed(offsets, members)] == list(dict.fromkeys(bags))


def test_nothing_has_no_numbers() -> None:
    from pyg_nas.engine.compiled import number_bags, number_pairs

    none = np.empty(0, dtype=np.int64)
    assert [len(part) for part in number_pairs(none, none)] == [0, 0]
    assert [len(part) for part in number_bags(none, np.zeros(1, np.int64), none)] == [0, 1, 0]
