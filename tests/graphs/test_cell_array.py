from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any, NamedTuple

import networkx as nx
import numpy as np
import pytest
from sklearn.model_selection import KFold, train_test_split

from pyg_nas.compute.jit import compiled_enabled
from pyg_nas.errors import CellError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.ragged import RaggedGraphs
from pyg_nas.graphs.registry import find_space
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.spaces.nasbench101 import nasbench101_cells


@pytest.fixture
def cells() -> CellArray:
    """40 cells of all sizes, with arrays of their own."""
    space = nasbench101_cells()
    rows = np.r_[0:20, 100:110, 5000, 100_000:100_009]
    return space[rows]


@pytest.fixture(params=[False, True])
def checked_both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Check cells by array calls, and by compiled code first."""
    compiled = request.param and compiled_enabled()
    monkeypatch.setattr("pyg_nas.graphs.cell_array.compiled_loaded", lambda count: compiled)


def test_from_cells_is_the_inverse_of_iterating(cells: CellArray) -> None:
    assert CellArray.from_cells(cells) == cells
    assert CellArray.from_cells(list(cells)[::-1]) == cells[::-1]
    assert [cell.hash for cell in cells] == [digest.decode() for digest in cells.hashes()]


def test_depths_and_operation_counts_by_hand() -> None:
    chain = [[0, 1, 1, 0], [0, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]]
    array = CellArray.from_cells(
        [
            Cell([[0, 1], [0, 0]], ["input", "output"]),
            Cell(chain, ["input", "maxpool3x3", "maxpool3x3", "output"]),
        ]
    )
    assert array.depths.tolist() == [1, 3]
    assert array.operation_counts.tolist() == [[0, 0, 0], [0, 0, 2]]


def test_indexing_gives_cells_and_arrays(cells: CellArray) -> None:
    assert isinstance(cells[3], Cell)
    assert cells[np.int64(-1)] == cells[len(cells) - 1]
    assert len(cells[2:5]) == 3
    assert cells[[4, 1]][0] == cells[4]
    assert len(cells[np.arange(len(cells)) % 2 == 0]) == 20
    assert len(cells[[]]) == 0
    assert cells.shape == (40, 1)
    assert np.asarray(cells).shape == (40, 1)
    with pytest.raises(IndexError):
        cells[40]


def test_scikit_learn_splits_it(cells: CellArray) -> None:
    train, test = train_test_split(cells, test_size=10, random_state=0)
    assert isinstance(train, CellArray)
    assert (len(train), len(test)) == (30, 10)
    assert not set(train.hashes().tolist()) & set(test.hashes().tolist())
    folds = [len(cells[part]) for _, part in KFold(4).split(cells)]
    assert folds == [10, 10, 10, 10]


def test_derived_columns_against_the_cells_themselves(cells: CellArray) -> None:
    for i, cell in enumerate(cells):
        v = cell.num_vertices
        assert cells.mask[i].tolist() == [True] * v + [False] * (7 - v)
        assert cells.num_edges[i] == cell.num_edges == len(cell.edges)
        assert cells.trainable_parameters()[i] == cell.trainable_parameters
        assert cells.columns[i, :v].tolist() == cell.to_data().x.argmax(dim=1).tolist()


def test_concatenate_joins_in_order(cells: CellArray) -> None:
    assert CellArray.concatenate([cells[:7], cells[7:7], cells[7:]]) == cells
    other = CellArray.from_cells([], SearchSpace("mine", ("a",), 7, 9))
    with pytest.raises(CellError, match="'mine'"):
        CellArray.concatenate([cells, other])
    with pytest.raises(CellError, match="nothing"):
        CellArray.concatenate([])


def test_cells_of_two_spaces_do_not_mix(cells: CellArray) -> None:
    mine = SearchSpace("mine", ("a",), 7, 9)
    with pytest.raises(CellError, match="cell 1 is of space 'mine'"):
        CellArray.from_cells([cells[0], Cell([[0]], ["a"], mine)])
    with pytest.raises(CellError, match="search space named"):
        CellArray.from_cells([])
    with pytest.raises(CellError, match="'mine'"):
        CellArray.from_cells([Cell([[0]], ["a"], mine)]).trainable_parameters()


def test_shapes_must_agree(cells: CellArray) -> None:
    with pytest.raises(CellError, match=r"\[N, V, V\]"):
        CellArray(cells.adjacency[:3], cells.operations, cells.num_vertices)
    with pytest.raises(CellError, match=r"\[N, V, V\]"):
        CellArray(cells.adjacency, cells.operations[:, :5], cells.num_vertices)
    with pytest.raises(CellError, match=r"\[N, V, V\]"):
        CellArray(cells.adjacency, cells.operations[0], cells.num_vertices)


def test_equality_looks_at_every_array(cells: CellArray) -> None:
    assert cells == cells[:]
    assert cells != cells[::-1]
    assert cells != list(cells)
    assert repr(cells) == "CellArray(40 cells of nasbench101)"


class Arrays(NamedTuple):
    adjacency: np.ndarray
    operations: np.ndarray
    num_vertices: np.ndarray


def _wrong_count(cells: Arrays, row: int) -> None:
    cells.num_vertices[row] = 8


def _too_few(cells: Arrays, row: int) -> None:
    cells.num_vertices[row] = 1


def _entry_two(cells: Arrays, row: int) -> None:
    cells.adjacency[row, 0, 1] = 2


def _back_edge(cells: Arrays, row: int) -> None:
    cells.adjacency[row, 1, 0] = 1


def _self_loop(cells: Arrays, row: int) -> None:
    cells.adjacency[row, 1, 1] = 1


def _edge_in_padding(cells: Arrays, row: int) -> None:
    cells.adjacency[row, 0, 6] = 1


def _operation_in_padding(cells: Arrays, row: int) -> None:
    cells.operations[row, 6] = 1


def _unknown_operation(cells: Arrays, row: int) -> None:
    cells.operations[row, 1] = 3


def _inner_input(cells: Arrays, row: int) -> None:
    cells.operations[row, 1] = -1


def _no_input(cells: Arrays, row: int) -> None:
    cells.operations[row, 0] = 0


def _no_output(cells: Arrays, row: int) -> None:
    cells.operations[row, cells.num_vertices[row] - 1] = 0


def _dangling(cells: Arrays, row: int) -> None:
    cells.adjacency[row, 1] = 0


def _unreached(cells: Arrays, row: int) -> None:
    cells.adjacency[row, :, 1] = 0


@pytest.mark.parametrize(
    ("damage", "rule"),
    [
        (_wrong_count, "num_vertices must be 2 to 7"),
        (_too_few, "num_vertices must be 2 to 7"),
        (_entry_two, "0 and 1 only"),
        (_back_edge, "upper triangular"),
        (_self_loop, "upper triangular"),
        (_edge_in_padding, "zero beyond"),
        (_operation_in_padding, "zero beyond"),
        (_unknown_operation, "of the space"),
        (_inner_input, "of the space"),
        (_no_input, "must be the input"),
        (_no_output, "must be the input"),
        (_dangling, "on a path"),
        (_unreached, "on a path"),
    ],
)
@pytest.mark.usefixtures("checked_both_ways")
def test_the_first_invalid_row_is_named(
    cells: CellArray, damage: Callable[[Arrays, int], None], rule: str
) -> None:
    assert cells.first_invalid() is None
    arrays = Arrays(cells.adjacency.copy(), cells.operations.copy(), cells.num_vertices.copy())
    damage(arrays, 11)  # 4 vertices
    damage(arrays, 13)
    found = CellArray(*arrays).first_invalid()
    assert found is not None
    assert found[0] == 11
    assert rule in found[1]


@pytest.mark.parametrize("size", [-1, 8, 100])
@pytest.mark.usefixtures("checked_both_ways")
def test_a_size_that_the_arrays_cannot_have_is_invalid(cells: CellArray, size: int) -> None:
    """Also of a cell that fills the arrays, whose other numbers comply with all rules."""
    sizes = cells.num_vertices.copy()
    row = int(np.argmax(sizes == 7))
    sizes[row] = size
    found = CellArray(cells.adjacency, cells.operations, sizes).first_invalid()
    assert found == (row, "num_vertices must be 2 to 7")


def test_too_many_edges_are_invalid() -> None:
    adjacency = np.triu(np.ones((1, 7, 7), dtype=np.int8), 1)
    operations = np.array([[-1, 0, 0, 0, 0, 0, -2]], dtype=np.int8)
    found = CellArray(adjacency, operations, np.array([7], dtype=np.int8)).first_invalid()
    assert found == (0, "a cell has at most 9 edges")


@pytest.mark.parametrize("name", ["nasbench101", "nasbench201"])
def test_more_vertices_than_sizes_of_the_space_can_be_are_invalid(name: str) -> None:
    space = find_space(name)
    ids = np.array([space.input_id, *[1] * 256, space.output_id], dtype=space.id_type)
    assert np.array(len(ids)).astype(space.size_type) == 2
    graphs = RaggedGraphs.of_lists([ids], [np.zeros((2, 0), dtype=np.int64)])
    found = CellArray.from_ragged(graphs, space).first_invalid()
    assert found == (0, f"num_vertices must be 2 to {space.max_vertices}")


@pytest.mark.usefixtures("checked_both_ways")
def test_plain_graphs_may_hang_loose_but_not_leave_the_vocabulary() -> None:
    space = SearchSpace("plain", ("a", "b"), 3, 3)
    operations = np.array([[0, 1, 1], [1, 0, 0]], dtype=np.int8)
    counts = np.array([3, 1], dtype=np.int8)
    array = CellArray(np.zeros((2, 3, 3), dtype=np.int8), operations, counts, space)
    assert array.first_invalid() is None
    operations[1, 0] = 2  # the array has its own copy
    assert array.first_invalid() is None
    array = CellArray(np.zeros((2, 3, 3), dtype=np.int8), operations, counts, space)
    assert array.first_invalid() == (1, "operations must be of the space")


def _as_edge_lists(cells: CellArray) -> CellArray:
    return CellArray.from_ragged(RaggedGraphs.from_padded(*_arrays(cells)), cells.space)


def _arrays(cells: CellArray) -> Arrays:
    return Arrays(cells.adjacency, cells.operations, cells.num_vertices)


def test_both_forms_have_the_same_cells(cells: CellArray) -> None:
    lists = _as_edge_lists(cells)
    assert lists == cells
    assert lists.digest == cells.digest
    for name in ("depths", "num_edges", "operation_counts", "mask", "columns"):
        np.testing.assert_array_equal(getattr(lists, name), getattr(cells, name))
    np.testing.assert_array_equal(lists.hashes(), cells.hashes())
    for mine, theirs in zip(_arrays(_as_edge_lists(cells)), _arrays(cells), strict=True):
        np.testing.assert_array_equal(mine, theirs)
        assert mine.dtype == theirs.dtype


@pytest.mark.parametrize(
    "rows",
    [slice(3, 9), slice(None, None, -2), slice(5, 5), [7, 1, 1, -1], np.arange(40) % 3 == 0],
    ids=str,
)
def test_both_forms_are_indexed_alike(cells: CellArray, rows: Any) -> None:
    assert _as_edge_lists(cells)[rows] == CellArray(*(a[rows] for a in _arrays(cells)))
    assert _as_edge_lists(cells)[-2] == cells[-2]
    with pytest.raises(IndexError):
        _as_edge_lists(cells)[40]


def test_copies_are_the_same_cells_and_nothing_can_be_written(cells: CellArray) -> None:
    for array in (cells, _as_edge_lists(cells)):
        assert copy.deepcopy(array) is array
        assert copy.copy(array) is array
        again = pickle.loads(pickle.dumps(array))
        assert again.digest == cells.digest
        for one in (array, again, again[:3]):
            for values in (*_arrays(one), *vars(one.ragged).values(), one.hashes()):
                with pytest.raises(ValueError, match="read-only"):
                    values[...] = 0
            with pytest.raises(AttributeError):
                one.adjacency = one.adjacency  # type: ignore[misc]
    assert cells[:5].digest != cells[:6].digest != cells[1:6].digest
    other = SearchSpace("other", cells.space.operations, 7, 9, cells.space.terminals)
    assert CellArray(*_arrays(cells), other).digest != cells.digest


def test_padding_is_no_content(cells: CellArray) -> None:
    wider = CellArray(
        np.pad(cells.adjacency, ((0, 0), (0, 2), (0, 2))),
        np.pad(cells.operations, ((0, 0), (0, 2))).astype(np.int64),
        cells.num_vertices.astype(np.int32),
    )
    assert wider.digest == cells.digest
    assert CellArray.concatenate([wider, cells])[40:] == cells


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"edges": [[1, 0], [0, 2]]}, "upper triangular"),
        ({"edges": [[0, 1], [1, 3]]}, "zero beyond num_vertices"),
        ({"edges": [[1, 0], [2, 1]]}, "different, sorted"),
        ({"edges": [[0, 0], [1, 1]]}, "different, sorted"),
        ({"edges": [[0, 0], [1, 2]]}, "on a path"),
        ({"operations": [-1, 9, -2]}, "others of the space"),
        ({"operations": [0, 1, -2]}, "must be the input"),
    ],
)
@pytest.mark.usefixtures("checked_both_ways")
def test_edge_lists_that_are_no_cells_are_found(change: dict[str, Any], rule: str) -> None:
    good = {
        "vertex_ptr": [0, 2, 5],
        "operations": [-1, -2, -1, 1, -2],
        "edge_ptr": [0, 1, 3],
        "edges": [[0, 0, 1], [1, 1, 2]],
    }

    def array(parts: dict[str, Any]) -> CellArray:
        return CellArray.from_ragged(RaggedGraphs(**{k: np.array(v) for k, v in parts.items()}))

    assert array(good).first_invalid() is None
    bad = dict(good)
    for name, value in change.items():
        second = {"edges": lambda v: [[0, *v[0]], [1, *v[1]]], "operations": lambda v: [-1, -2, *v]}
        bad[name] = second.get(name, lambda v: v)(value)
    found = array(bad).first_invalid()
    assert found is not None
    assert rule in found[1]


def test_graphs_of_5000_vertices_are_arrays_like_any_other() -> None:
    rng = np.random.default_rng(0)
    space = SearchSpace("large", tuple(f"op{i}" for i in range(200)), 5_000, 40_000)
    graphs = []
    for size in (5_000, 1, 3_000):
        pairs = np.sort(rng.integers(0, size, (2 * size, 2)), axis=1)
        pairs = np.unique(pairs[pairs[:, 0] < pairs[:, 1]], axis=0)
        graphs.append(Cell.from_edges(pairs, rng.integers(0, 200, size).tolist(), space))
    cells = CellArray.from_cells(graphs)
    assert cells.first_invalid() is None
    assert cells.num_vertices.tolist() == [5_000, 1, 3_000]
    assert cells[2] == graphs[2]
    assert cells.hashes().tolist() == [cell.hash.encode() for cell in graphs]
    order = np.argsort(rng.random(5_000))  # hashes do not depend on the numbering
    renumbered = nx.relabel_nodes(nx.DiGraph(graphs[0].edges), dict(enumerate(order.tolist())))
    renumbered.add_nodes_from(range(5_000))
    place = {v: i for i, v in enumerate(nx.lexicographical_topological_sort(renumbered))}
    back = np.argsort(order)
    operations = [int(graphs[0].operation_ids[back[v]]) for v in place]
    moved = Cell.from_edges([(place[u], place[v]) for u, v in renumbered.edges], operations, space)
    assert moved.edges != graphs[0].edges
    assert moved.hash == graphs[0].hash
    operations[0] = (operations[0] + 1) % 200
    assert Cell.from_edges(moved.edges, operations, space).hash != moved.hash
    assert cells._padded is None


def test_different_drawings_and_their_places(cells: CellArray) -> None:
    repeated = CellArray.concatenate([cells[:3], cells[1:2], cells[:1]])
    drawings, places = repeated.distinct
    assert drawings == cells[:3]
    assert drawings[places] == repeated
    assert cells[:3].distinct[0] == cells[:3]
    whole = cells.space.support.cells()
    assert whole.distinct[0] is whole


def test_matrices_of_very_large_graphs_are_refused() -> None:
    space = SearchSpace("graphs", ("a",), 10_001, 0)
    graphs = RaggedGraphs.of_lists([np.zeros(2, np.int8)], [np.array([[0], [1]])])
    cells = CellArray.from_ragged(graphs, space)
    assert cells.num_vertices.tolist() == [2]
    with pytest.raises(CellError, match=r"up to 10,001 vertices: .* at most 10,000"):
        _ = cells.adjacency
