"""The terms that cells share, each stored once."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pyg_nas.engine.score import score
from pyg_nas.engine.shared_terms import refine, space_refinement
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.nn.gcn import GCN
from pyg_nas.spaces.nasbench101 import NASBENCH101, nasbench101_cells


@pytest.fixture(scope="module")
def cells() -> CellArray:
    """A hundred cells of every size, as far as there are so many."""
    space = nasbench101_cells()
    rng = np.random.default_rng(8)
    rows = [rng.permutation(np.flatnonzero(space.num_vertices == v))[:100] for v in range(2, 8)]
    return space[rng.permutation(np.concatenate(rows))]


def test_repeated_states_are_stored_once(cells: CellArray) -> None:
    """Twice the same cells in one block: as many distinct states as once."""
    once = refine(cells, 2)
    twice = refine(CellArray.concatenate([cells, cells]), 2)
    for layer in (1, 2):
        assert once.num_terms(layer) == twice.num_terms(layer) > 0


def test_tables_pass_through_their_arrays_unchanged() -> None:
    from pyg_nas.engine import shared_terms as refinement

    small = nasbench101_cells()[np.arange(0, 423_624, 9_000)]
    tables = refine(small, 2, block_cells=20)
    again = refinement._from_arrays(refinement._to_arrays(tables), 2, NASBENCH101)
    members = networks(2, depth=2)
    np.testing.assert_array_equal(score(members, again)[:, : len(small)], score(members, tables))


def test_tables_of_the_space_cover_every_cell() -> None:
    tables = space_refinement(NASBENCH101, 3)
    assert tables.num_cells == 423_624
    assert space_refinement(NASBENCH101, 2) is space_refinement(NASBENCH101, 4) is tables


def networks(count: int, columns: int = 5, depth: int = 3) -> list[GCN]:
    made = []
    for seed in range(count):
        torch.manual_seed(seed)
        made.append(GCN(columns, 24, depth, 16).eval())
    return made
