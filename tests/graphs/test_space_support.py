"""The defaults of a space without a support of its own."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.errors import CellError, SpaceError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace

SPACE = SearchSpace("tiny", ("a", "b"), 4, 6, terminals=("out", "in"))
PLAIN = SearchSpace("plain-tiny", ("a", "b"), 4, 6, terminals=())


def test_the_canonical_graph_has_no_unused_vertices() -> None:
    edges = np.array([[0, 0, 1], [1, 2, 3]])  # 0 -> 1 -> 3, and 2 leads nowhere
    kept_edges, kept = SPACE.support.canonical(edges, np.array([-1, 0, 1, -2]))
    assert kept.tolist() == [-1, 0, -2]
    assert kept_edges.tolist() == [[0, 1], [1, 2]]
    with pytest.raises(CellError, match="no path"):
        SPACE.support.canonical(edges[:, :2], np.array([-1, 0, 1, -2]))


def test_plain_graphs_keep_all_vertices() -> None:
    edges = np.array([[0], [1]])
    _, kept = PLAIN.support.canonical(edges, np.array([0, 1, 1]))
    assert kept.tolist() == [0, 1, 1]


def test_hashes_are_those_of_the_cells() -> None:
    cells = [Cell([[0, 1], [0, 0]], ["in", "out"], SPACE)]
    cells.append(Cell([[0, 1, 0], [0, 0, 1], [0, 0, 0]], ["in", "a", "out"], SPACE))
    array = CellArray.from_cells(cells)
    hashes = SPACE.support.cell_hashes(array)
    assert [digest.decode() for digest in hashes] == [cell.hash for cell in cells]
    assert len(set(hashes)) == 2


def test_all_cells_of_a_small_space_are_different() -> None:
    cells = SPACE.support.cells()
    # 1 of two vertices, 2 labels x 2 graphs of three vertices, and those of four vertices.
    assert np.bincount(cells.num_vertices)[2:4].tolist() == [1, 4]
    assert len(set(SPACE.support.hashes())) == len(cells)
    assert not SPACE.support.is_whole(cells[1:])
    with pytest.raises(SpaceError, match="'plain-tiny' cannot be enumerated"):
        PLAIN.support.cells()


def test_a_space_has_one_cache_of_a_class() -> None:
    class Found(dict[str, int]):
        pass

    cache = SPACE.support.cache(Found)
    assert SPACE.support.cache(Found) is cache
    assert PLAIN.support.cache(Found) is not cache


def test_what_a_space_lacks_is_none_or_an_error() -> None:
    support = PLAIN.support
    assert support.network is None
    assert not support.has_text_form
    with pytest.raises(SpaceError, match="'plain-tiny' have no text form"):
        support.to_text(Cell([[0, 1], [0, 0]], ["a", "b"], PLAIN))
