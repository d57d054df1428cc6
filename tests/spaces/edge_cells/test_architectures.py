"""Edge cells against the published counts and against what their networks compute."""

from __future__ import annotations

from collections.abc import Sequence

import h5py
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pyg_nas.errors import CellError
from pyg_nas.graphs.hashing import module_hashes
from pyg_nas.spaces.edge_cells.architectures import EDGES, EdgeCells
from tests.conftest import shared_file

FIVE = EdgeCells(("none", "skip_connect", "nor_conv_1x1", "nor_conv_3x3", "avg_pool_3x3"))
FOUR_HALVING = EdgeCells(FIVE.operations[:4], halves_image=True)
SIX_OPERATIONS = st.tuples(*[st.integers(0, 4)] * 6)


def test_counts_are_the_published_ones() -> None:
    rows = FIVE.all_operations.tolist()
    assert FIVE.num_architectures == len(rows) == 15_625
    assert len({FIVE.unique_string(row, drop_zeros=False) for row in rows}) == 6_466
    assert len(np.unique(FIVE.representatives)) == 5_390


def test_classes_are_those_of_the_official_files() -> None:
    with h5py.File(shared_file("nasbench201.hdf5")) as file:
        operations, classes = file["operations"][:], file["isomorphism_class"][:]
    strings = [FIVE.unique_string(row, drop_zeros=False) for row in operations.tolist()]
    pairs = set(zip(strings, classes.tolist(), strict=True))
    assert len(pairs) == len(set(strings)) == len(set(classes.tolist())) == 6_466


def test_hashes_of_the_graphs_are_the_classes() -> None:
    codes = np.arange(FIVE.num_architectures)
    adjacency, ids, counts = FIVE.padded_graphs(codes)
    hashes = module_hashes(adjacency, ids, counts)
    pairs = set(zip(hashes.tolist(), FIVE.representatives.tolist(), strict=True))
    assert len(pairs) == len(set(hashes.tolist())) == 5_390
    assert counts.max() == 8
    assert adjacency.sum(axis=(1, 2)).max() == 10


def test_a_worked_example() -> None:
    # 0-1 conv3x3, 0-2 conv1x1, 0-3 pool, 1-3 skip. Edge 0-2 leads nowhere, so that the output is
    # conv3x3(x) + pool(x). Two operations and a skip are needed for it, and the smallest code with
    # these is 010304: 0-2 skip, 0-3 conv3x3, 2-3 pool.
    code = int(FIVE.codes([[3, 2, 0, 4, 1, 0]])[0])
    assert FIVE.all_operations[FIVE.representatives[code]].tolist() == [0, 1, 0, 3, 0, 4]
    ids, edges = FIVE.graph(code)
    assert ids == [-1, 1, 3, 4, -2]
    assert edges == [(0, 1), (0, 2), (1, 3), (2, 4), (3, 4)]


def test_the_smallest_graphs() -> None:
    assert FIVE.graph(int(FIVE.codes([[0, 0, 0, 0, 0, 0]])[0])) == ([-1, -2], [])
    assert FIVE.graph(int(FIVE.codes([[0, 0, 0, 1, 0, 0]])[0])) == ([-1, 1, -2], [(0, 1), (1, 2)])


def _value(operations: Sequence[int], x: float, halves_image: bool = False) -> float:
    """What an architecture computes when its operations are these functions of one number."""
    functions = (
        lambda v: 0.0,
        lambda v: v,
        lambda v: v * v + 1,
        lambda v: v**3 + 2,
        lambda v: v + 5,
    )
    nodes = [x, None, None, None]
    for (source, target), operation in zip(EDGES, operations, strict=True):
        if operation == 0 or nodes[source] is None:
            continue  # a zero passes no operation: all of them map zero to zero
        halves = halves_image and operation == 1 and source == 0
        passed = nodes[source] / 2 if halves else functions[operation](nodes[source])
        nodes[target] = (nodes[target] or 0.0) + passed
    return nodes[3] or 0.0


@given(SIX_OPERATIONS)
def test_the_representative_computes_the_same(operations: tuple[int, ...]) -> None:
    code = int(FIVE.codes([operations])[0])
    chosen = FIVE.all_operations[FIVE.representatives[code]]
    for x in (0.3, -1.7):
        assert _value(tuple(chosen.tolist()), x) == pytest.approx(_value(operations, x))


def test_identities_that_halve_the_image_are_operations() -> None:
    rows, chosen = FOUR_HALVING.all_operations.tolist(), FOUR_HALVING.representatives.tolist()
    values = [
        tuple(round(_value(row, 0.37, halves), 9) for halves in (False, True)) for row in rows
    ]
    assert len(set(zip(values, chosen, strict=True))) == len(set(chosen)) == 1_343
    # A convolution of the input, and one of a halved input.
    alone, after = FOUR_HALVING.codes([[0, 0, 0, 2, 0, 0], [0, 1, 0, 0, 0, 2]])
    assert FOUR_HALVING.representatives[alone] != FOUR_HALVING.representatives[after]


@given(SIX_OPERATIONS)
def test_codes_and_operations_are_inverse(operations: tuple[int, ...]) -> None:
    code = int(FIVE.codes([operations])[0])
    assert tuple(FIVE.all_operations[code].tolist()) == operations


@pytest.mark.parametrize("edge_cells", [FIVE, FOUR_HALVING])
@given(st.data())
def test_a_drawing_has_the_class_of_its_architecture(
    edge_cells: EdgeCells, data: st.DataObject
) -> None:
    code = data.draw(st.integers(0, edge_cells.num_architectures - 1))
    adjacency, ids = edge_cells.drawing(code)
    assert edge_cells.code_of_drawing(ids) == code
    chosen = edge_cells.code_of_graph(np.array(np.nonzero(adjacency)), ids.tolist())
    assert chosen == edge_cells.representatives[code]
    ids, edges = edge_cells.graph(code)
    assert edge_cells.code_of_graph(np.array(edges, np.int64).reshape(-1, 2).T, ids) == chosen


def test_a_graph_that_no_architecture_draws() -> None:
    # Four convolutions in a row: an architecture has paths of three operations at most.
    edges = np.array([[0, 1, 2, 3, 4], [1, 2, 3, 4, 5]])
    assert FIVE.code_of_graph(edges, [-1, 3, 3, 3, 3, -2]) is None
    # With identities in the row there is one.
    assert FIVE.code_of_graph(edges, [-1, 3, 1, 3, 3, -2]) is not None


@given(st.integers(0, 15_624))
def test_neighbours_differ_in_one_operation(code: int) -> None:
    found = FIVE.neighbours(code)
    assert len(set(found.tolist())) == 24
    differences = (FIVE.all_operations[found] != FIVE.all_operations[code]).sum(axis=1)
    assert (differences == 1).all()


def test_unknown_operations_are_named() -> None:
    with pytest.raises(
        CellError, match=r"architecture 1: operation 5 on edge \(1, 2\) must be 0 to 4"
    ):
        FIVE.codes([[0] * 6, [0, 0, 5, 0, 0, 0]])
    with pytest.raises(CellError, match=r"whole numbers \[N, 6\]"):
        FIVE.codes([[0] * 5])
