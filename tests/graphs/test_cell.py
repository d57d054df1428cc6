from __future__ import annotations

import itertools
import json
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.data import Data

from pyg_nas.errors import CellError, PygNasError, SpaceError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.spaces.nasbench101 import NASBENCH101
from tests.renumbered import another_order, renumbered

CHAIN = [[0, 1, 0], [0, 0, 1], [0, 0, 0]]
OPS = ["input", "conv3x3-bn-relu", "output"]
PLAIN = SearchSpace("plain", ("a", "b", "c"), max_vertices=9, max_edges=30)


def _full(v: int) -> Any:
    return np.triu(np.ones((v, v), dtype=int), 1)


# Invalid values of every kind that a user or a file may give.
scalars = st.one_of(
    st.integers(-3, 3),
    st.integers(),
    st.booleans(),
    st.none(),
    st.floats(),
    st.complex_numbers(),
    st.text(max_size=3),
    st.binary(max_size=3),
    st.sampled_from([*NASBENCH101.vocabulary]),
)
junk_lists = st.recursive(scalars, lambda inner: st.lists(inner, max_size=5), max_leaves=40)


@st.composite
def nearly_matrices(draw: st.DrawFn) -> Any:
    """Square 0/1 matrices, mostly upper triangular and up to 9 wide, with an odd entry at times."""
    v = draw(st.integers(0, 9))
    entries = draw(st.lists(st.sampled_from([0, 1]), min_size=v * v, max_size=v * v))
    matrix: Any = np.array(entries, dtype=draw(st.sampled_from(["i1", "i8", "f4", "?", "u1", "O"])))
    matrix = matrix.reshape(v, v)
    if draw(st.booleans()):
        matrix = np.triu(matrix, 1)
    if v and draw(st.booleans()):
        row, column = draw(st.integers(0, v - 1)), draw(st.integers(0, v - 1))
        listed = matrix.tolist()
        listed[row][column] = draw(scalars)
        return listed
    return matrix if draw(st.booleans()) else matrix.tolist()


near_operations = st.lists(
    st.one_of(st.sampled_from([*NASBENCH101.vocabulary]), st.integers(-3, 4), scalars), max_size=9
)
terminal_operations = st.lists(
    st.sampled_from(["conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3", 0, 1, 2]), max_size=7
).map(lambda inner: ["input", *inner, "output"])


@settings(max_examples=400, deadline=None)
@given(
    st.one_of(nearly_matrices(), junk_lists),
    st.one_of(near_operations, terminal_operations, junk_lists),
)
def test_any_input_is_a_cell_or_a_cell_error(adjacency: Any, operations: Any) -> None:
    for space in (NASBENCH101, PLAIN):
        try:
            cell = Cell(adjacency, operations, space)
        except CellError:
            continue
        assert 1 <= cell.num_vertices <= space.max_vertices
        assert cell.num_edges <= space.max_edges
        assert len(cell.hash) == 32
        assert Cell(cell.adjacency, cell.operations, space) == cell


@st.composite
def valid_arguments(draw: st.DrawFn) -> tuple[Any, list[int]]:
    """A chain with extra edges: always a cell, often with vertices to prune."""
    v = draw(st.integers(2, 7))
    path = sorted({0, v - 1, *draw(st.lists(st.integers(0, v - 1), max_size=v))})
    matrix = np.zeros((v, v), dtype=np.int8)
    for a, b in itertools.pairwise(path):
        matrix[a, b] = 1
    for a, b in draw(
        st.lists(st.tuples(st.integers(0, v - 1), st.integers(0, v - 1)), max_size=9 - len(path))
    ):
        if a < b:
            matrix[a, b] = 1
    inner = draw(st.lists(st.integers(0, 2), min_size=v - 2, max_size=v - 2))
    return matrix, [-1, *inner, -2]


@settings(max_examples=300, deadline=None)
@given(valid_arguments(), st.randoms(use_true_random=False))
def test_relabelling_inner_vertices_keeps_the_hash(
    arguments: tuple[Any, list[int]], random: Any
) -> None:
    cell = Cell(*arguments)
    moved = renumbered(cell, another_order(cell, random))
    assert moved.hash == cell.hash
    assert moved == cell
    assert hash(moved) == hash(cell)
    assert moved.trainable_parameters > 0


@settings(max_examples=150, deadline=None)
@given(valid_arguments())
def test_data_json_and_pickle_bring_the_cell_back(arguments: tuple[Any, list[int]]) -> None:
    cell = Cell(*arguments)
    copies = [
        Cell.from_data(cell.to_data()),
        Cell.from_dict(json.loads(json.dumps(cell.to_dict()))),
        pickle.loads(pickle.dumps(cell)),
    ]
    for copy in copies:
        np.testing.assert_array_equal(copy.adjacency, cell.adjacency)
        assert copy.operations == cell.operations
        assert copy == cell


def test_data_has_one_hot_operations_and_sorted_edges() -> None:
    data = Cell([[0, 1, 1], [0, 0, 1], [0, 0, 0]], OPS).to_data()
    # Columns: output, input, conv3x3, conv1x1, maxpool (column = id + 2).
    assert data.x.tolist() == [[0, 1, 0, 0, 0], [0, 0, 1, 0, 0], [1, 0, 0, 0, 0]]
    assert data.edge_index.tolist() == [[0, 0, 1], [1, 2, 2]]
    assert data.x.dtype == torch.float32
    assert data.edge_index.dtype == torch.int64
    assert data.validate()


def _data(**change: Any) -> Data:
    data = Cell(CHAIN, OPS).to_data()
    for key, value in change.items():
        setattr(data, key, value)
    return data


@pytest.mark.parametrize(
    "data",
    [
        Data(),
        _data(x=None),
        _data(edge_index=None),
        _data(x=torch.zeros(3, 5)),
        _data(x=torch.ones(3, 5)),
        _data(x=torch.eye(3)),
        _data(x=torch.full((3, 5), float("nan"))),
        _data(x=torch.zeros(3)),
        _data(edge_index=torch.tensor([[0, 1], [1, 3]])),
        _data(edge_index=torch.tensor([[0, -1], [1, 2]])),
        _data(edge_index=torch.tensor([0, 1])),
        _data(edge_index=torch.tensor([[0.5], [1.5]])),
        _data(edge_index=torch.tensor([[1], [0]])),
    ],
)
def test_data_that_is_no_cell_is_refused(data: Data) -> None:
    with pytest.raises(CellError):
        Cell.from_data(data)


@pytest.mark.parametrize(
    ("adjacency", "operations", "message"),
    [
        ([[0, 1], [1, 0]], ["input", "output"], r"upper triangular.*edge \(1, 0\)"),
        ([[1, 1], [0, 0]], ["input", "output"], r"upper triangular.*edge \(0, 0\)"),
        ([[0, 2], [0, 0]], ["input", "output"], r"0 and 1 only, got 2.* at \(0, 1\)"),
        ([[0, float("nan")], [0, 0]], ["input", "output"], "got nan"),
        ([[0, 1]], ["input"], r"square \[V, V\], got shape \(1, 2\)"),
        ([[0, 1], [0]], ["input", "output"], "square array"),
        ([], [], "square"),
        (3, ["input"], "square"),
        ([[0, 1j], [0, 0]], ["input", "output"], "square array of numbers"),
        ([["0", "1"], ["0", "0"]], ["input", "output"], "square array of numbers"),
        (CHAIN, OPS[:2], "3 vertices, 2 operations"),
        (CHAIN, 7, "sequence of names or ids, got 7"),
        (CHAIN, ["input", "conv5x5", "output"], "'conv5x5' at vertex 1"),
        (CHAIN, ["output", "conv3x3-bn-relu", "input"], "first operation must be 'input'"),
        (CHAIN, ["input", "input", "output"], "vertex 1 is 'input'"),
        ([[0, 0], [0, 0]], ["input", "output"], "no path leads"),
        ([[0]], ["input"], "at least 2 vertices"),
        (_full(8), ["input", *[0] * 6, "output"], "at most 7 vertices, got 8"),
        (_full(5), ["input", 0, 0, 0, "output"], "at most 9 edges, got 10"),
    ],
)
def test_the_message_names_value_and_rule(adjacency: Any, operations: Any, message: str) -> None:
    with pytest.raises(CellError, match=message) as caught:
        Cell(adjacency, operations)
    assert isinstance(caught.value, PygNasError)
    assert isinstance(caught.value, ValueError)


def test_a_space_by_its_name_and_a_text_of_bytes_are_named() -> None:
    with pytest.raises(SpaceError, match=r"`space` must be a SearchSpace, .* got 'nasbench201'"):
        Cell(CHAIN, OPS, "nasbench201")  # type: ignore[arg-type]
    with pytest.raises(CellError, match="text form of a cell must be a str, got b'0100:input"):
        Cell.from_text(b"0100:input,output")  # type: ignore[arg-type]


def test_limits_count_after_pruning() -> None:
    # The 8th vertex is not connected, as in users' listings of larger graphs.
    matrix = np.zeros((8, 8), dtype=int)
    matrix[0, 7] = matrix[0, 3] = matrix[3, 5] = 1
    cell = Cell(matrix, ["input", 0, 0, 1, 0, 2, 0, "output"])
    assert cell.operations == ("input", "output")
    assert cell.edges == [(0, 1)]


def test_pruning_maps_the_remaining_vertices() -> None:
    edges = [[0, 1], [0, 2], [2, 4], [1, 3]]  # 1 and 3 lead nowhere
    cell = Cell.from_edges(
        edges,
        ["input", "conv3x3-bn-relu", "conv1x1-bn-relu", "maxpool3x3", "output"],
    )
    assert cell.operations == ("input", "conv1x1-bn-relu", "output")
    assert cell.edges == [(0, 1), (1, 2)]


def test_arguments_are_neither_changed_nor_shared() -> None:
    matrix = np.array(CHAIN, dtype=np.int8)
    cell = Cell(matrix, OPS)
    matrix[0, 1] = 0
    assert cell.num_edges == 2
    with pytest.raises(ValueError, match="read-only"):
        cell.adjacency[0, 2] = 1


def test_plain_graphs_are_kept_whole() -> None:
    cell = Cell(np.zeros((3, 3)), ["c", "a", "b"], PLAIN)
    assert cell.operations == ("c", "a", "b")
    assert cell.num_edges == 0
    assert Cell.from_data(cell.to_data(), PLAIN) == cell
    assert cell != Cell(np.zeros((3, 3)), ["c", "a", "a"], PLAIN)


def test_cells_of_different_spaces_differ() -> None:
    twin = SearchSpace("twin", NASBENCH101.operations, 7, 9, NASBENCH101.terminals)
    assert Cell(CHAIN, OPS) != Cell(CHAIN, OPS, twin)
    assert Cell(CHAIN, OPS).hash == Cell(CHAIN, OPS, twin).hash
    assert Cell(CHAIN, OPS) != "a cell"


def test_repr_names_operations_and_edges() -> None:
    assert repr(Cell(CHAIN, OPS)) == "Cell(input, conv3x3-bn-relu, output; 0>1 1>2)"


@pytest.mark.parametrize(
    "description",
    [
        None,
        {},
        {"ops": OPS},
        {"ops": OPS, "edges": 3},
        {"ops": "input", "edges": []},
        {"ops": OPS, "edges": [[0, 1, 2]]},
        {"ops": OPS, "edges": [[0, 3]]},
        {"ops": OPS, "edges": [[0, True]]},
        {"ops": OPS, "edges": [[0, 1], [0, 1]]},
        {"ops": OPS, "edges": [[1, 0]]},
        {"ops": [], "edges": []},
    ],
)
def test_a_description_that_is_no_cell_is_refused(description: Any) -> None:
    with pytest.raises(CellError):
        Cell.from_dict(description)
