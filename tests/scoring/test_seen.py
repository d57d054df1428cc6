"""Cells of a stream that come again, against predictions of all cells."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.compute.jit import compiled_enabled
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.scoring import seen as module
from pyg_nas.scoring.seen import SeenCells

pytestmark = pytest.mark.skipif(not compiled_enabled(), reason="compiled code is off")

CELLS = sample_cells(60, seed=4)


@pytest.fixture(autouse=True)
def _few_cells(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "FEWEST_COMPILED", 5)


@pytest.mark.parametrize("most", [1, 25, 1_000])
def test_all_rows_have_the_values_of_their_cell(most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also if no more drawings are kept, and if the next block is looked up before."""
    monkeypatch.setattr(module, "MOST_DRAWINGS", most)
    rng, seen = np.random.default_rng(0), SeenCells()
    blocks = [CELLS[rng.integers(0, 60, 40)] for _ in range(6)]
    asked = set[str]()
    looked_up = seen.look_up(blocks[0])
    for cells, following in zip(blocks, [*blocks[1:], CELLS], strict=True):
        places, looked_up = looked_up, seen.look_up(following)
        assert places is not None
        fresh = cells[places.fresh]
        predicted = {"score": fresh.num_edges / 7, "std": fresh.num_vertices / 3}
        columns = seen.complete(places, predicted if len(fresh) else {})
        np.testing.assert_array_equal(columns["score"], cells.num_edges / 7)
        np.testing.assert_array_equal(columns["std"], cells.num_vertices / 3)
        again = asked.intersection(cell.hash for cell in fresh)
        assert bool(again) == (most < 60 and bool(asked))
        asked.update(cell.hash for cell in fresh)


def test_few_cells_large_cells_and_cells_of_another_space_are_all_predicted() -> None:
    large = SearchSpace("large", ("a",), max_vertices=100, max_edges=100)
    size = 6
    graphs = CellArray(
        np.zeros((size, 1, 1), np.int8), np.zeros((size, 1), int), np.ones(size, int), large
    )
    seen = SeenCells()
    assert seen.look_up(graphs) is None
    assert seen.look_up(CELLS[:4]) is None
    assert seen.look_up(CELLS[:5]) is not None
    small = CellArray(
        graphs.adjacency, graphs.operations, graphs.num_vertices, SearchSpace("small", ("a",), 3, 3)
    )
    assert seen.look_up(small) is None
    assert SeenCells().look_up(small) is not None
