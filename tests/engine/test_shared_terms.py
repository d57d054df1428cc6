"""The terms that cells share, each stored once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, replace
from typing import Any

import numpy as np

from pyg_nas.engine.shared_terms import PreparedTerms, refine, space_refinement
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.spaces.nasbench101 import NASBENCH101, nasbench101_cells


def test_repeated_states_are_stored_once(cells: CellArray) -> None:
    """Twice the same cells in one block: as many distinct states as once."""
    once = refine(cells, 2)
    twice = refine(CellArray.concatenate([cells, cells]), 2)
    for layer in (1, 2):
        assert once.num_terms(layer) == twice.num_terms(layer) > 0


def test_similar_cells_share_a_block() -> None:
    """Blocks of mixed cells have fewer terms than blocks of the cells in their given order."""
    space = nasbench101_cells()
    mixed = space[np.random.default_rng(0).permutation(len(space))[:4_000]]
    in_given_order = sum(refine(mixed[i : i + 500], 2).num_terms(2) for i in range(0, 4_000, 500))
    assert refine(mixed, 2, block_cells=500).num_terms(2) < 0.9 * in_given_order


def leaves(value: Any) -> Iterator[Any]:
    """All arrays and numbers inside lists, tuples and the values of dictionaries."""
    inside = value.values() if isinstance(value, dict) else value
    if isinstance(value, (dict, list, tuple)):
        for part in inside:
            yield from leaves(part)
    else:
        yield value


def test_tables_pass_through_their_arrays_unchanged() -> None:
    from pyg_nas.engine import shared_terms as refinement

    small = nasbench101_cells()[np.arange(0, 423_624, 9_000)]
    tables = refine(small, 2, block_cells=20)
    again = refinement._from_arrays(refinement._to_arrays(tables), 2, NASBENCH101)
    # Every number of both, in the order of their fields.
    one, other = (list(leaves(asdict(found))) for found in (tables, again))
    assert len(one) == len(other) == 3 + 3 * 20  # three numbers, and three blocks of arrays
    for number, same in zip(one, other, strict=True):
        np.testing.assert_array_equal(number, same)
        assert getattr(number, "dtype", None) == getattr(same, "dtype", None)


def test_tables_of_the_space_cover_every_cell() -> None:
    tables = space_refinement(NASBENCH101, 3)
    assert np.array_equal(np.sort(tables.order), np.arange(423_624))
    assert space_refinement(NASBENCH101, 2) is space_refinement(NASBENCH101, 4) is tables


def test_prepared_tables_are_given_once(cells: CellArray) -> None:
    prepared = PreparedTerms()
    prepared.add(cells, 2)
    first, second = prepared.take(cells, 2), prepared.take(cells, 2)
    assert first is not second
    for tables in (first, second):
        assert len(tables.order) == len(cells)
        assert tables.num_terms(2) == refine(cells, 2).num_terms(2)


def test_any_layout_of_edges_uses_the_same_compiled_code(cells: CellArray) -> None:
    """Of a part of an array, and of a file whose edges are pairs end to end."""
    from pyg_nas.engine.compiled import neighbours

    graphs = cells.ragged
    tables = refine(CellArray.from_ragged(graphs, cells.space), 2)
    known = neighbours.signatures  # type: ignore[attr-defined]
    pairs = replace(graphs, edges=np.asfortranarray(graphs.edges))
    other = refine(CellArray.from_ragged(pairs, cells.space), 2)
    np.testing.assert_array_equal(other.blocks[0].edges, tables.blocks[0].edges)
    refine(CellArray.from_ragged(graphs, cells.space)[1:], 2)
    assert neighbours.signatures == known  # type: ignore[attr-defined]
