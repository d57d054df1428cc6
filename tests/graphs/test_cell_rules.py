"""Edge lists against sets of pairs, and pruning against the number of paths."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pyg_nas.errors import CellError
from pyg_nas.graphs.cell_rules import check_limits, check_order, edge_index, prune
from pyg_nas.spaces.nasbench101 import NASBENCH101, nasbench101_cells
from tests.graphs.test_cell import valid_arguments


@given(st.sets(st.tuples(st.integers(0, 4), st.integers(0, 4))), st.booleans(), st.randoms())
def test_edges_are_sorted_in_any_form(pairs: set[Any], is_array: bool, random: Any) -> None:
    shuffled = list(pairs)
    random.shuffle(shuffled)
    given_as = np.array(shuffled, dtype=np.int64).reshape(-1, 2) if is_array else shuffled
    found = edge_index(given_as, 5)
    assert found.shape == (2, len(pairs))
    assert [tuple(edge) for edge in found.T.tolist()] == sorted(pairs)


@pytest.mark.parametrize(
    ("edges", "message"),
    [
        ([(0, 1), (1, 2), (0, 1)], r"^edge \[0, 1\] appears twice$"),
        ([(0, 3)], r"^edge \[?\(?0, 3\)?\]? must be a pair of vertex numbers from 0 to 2$"),
        (np.array([[0, -1]]), r"^edge \[0, -1\] must be a pair of vertex numbers from 0 to 2$"),
        ([(0, True)], "must be a pair of vertex numbers"),
    ],
)
def test_other_edges_are_named(edges: Any, message: str) -> None:
    with pytest.raises(CellError, match=message):
        edge_index(edges, 3)


def test_edges_run_to_later_vertices() -> None:
    check_order(np.array([[0, 1], [1, 2]]))
    with pytest.raises(CellError, match=r"got the edge \(2, 1\)$"):
        check_order(np.array([[0, 2], [1, 1]]))


def test_limits_are_those_of_the_space() -> None:
    check_limits(7, 9, NASBENCH101)
    with pytest.raises(CellError, match="has at most 7 vertices, got 8"):
        check_limits(8, 9, NASBENCH101)
    with pytest.raises(CellError, match="has at most 9 edges, got 10"):
        check_limits(7, 10, NASBENCH101)


@settings(max_examples=300, deadline=None)
@given(valid_arguments())
def test_pruning_is_idempotent_and_leaves_only_paths(arguments: tuple[Any, list[int]]) -> None:
    edges, ids = prune(np.array(np.nonzero(arguments[0])), np.array(arguments[1], dtype=np.int8))
    again, ids_again = prune(edges, ids)
    np.testing.assert_array_equal(edges, again)
    matrix = np.zeros((len(ids), len(ids)), dtype=np.int8)
    matrix[edges[0], edges[1]] = 1
    np.testing.assert_array_equal(ids, ids_again)
    # Powers of the adjacency count paths: from the input to v, and from v to the output.
    reach = np.linalg.inv(np.eye(len(matrix)) - matrix.astype(float))
    assert (reach[0] > 0.5).all()
    assert (reach[:, -1] > 0.5).all()


def test_every_enumerated_cell_is_already_pruned() -> None:
    for cell in nasbench101_cells()[::20_000]:
        edges, ids = prune(cell.edge_index, cell.operation_ids)
        np.testing.assert_array_equal(edges, cell.edge_index)
        np.testing.assert_array_equal(ids, cell.operation_ids)
