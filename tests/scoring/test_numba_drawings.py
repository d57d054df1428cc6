"""Numbers of drawings, against a dictionary of Python."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.compute.jit import compiled_enabled
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.ragged import RaggedGraphs
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.spaces.nasbench101 import NASBENCH101, nasbench101_cells

pytestmark = pytest.mark.skipif(not compiled_enabled(), reason="compiled code is off")

# 10 vertices of 7 bits, of which the last begins in the first word of the key, and 45 edges.
MANY = SearchSpace("many", tuple(f"op{i}" for i in range(65)), max_vertices=10, max_edges=45)


def random_graphs(count: int, seed: int) -> CellArray:
    rng = np.random.default_rng(seed)
    sizes = rng.integers(1, 11, count)
    edges = [np.array(np.nonzero(np.triu(rng.random((v, v)) < 0.6, 1))) for v in sizes]
    operations = [rng.integers(0, 65, size) for size in sizes]
    return CellArray.from_ragged(RaggedGraphs.of_lists(operations, edges), MANY)


def written(cells: CellArray) -> list[str]:
    """Each drawing as a text."""
    graphs = cells.ragged
    v, e = graphs.vertex_ptr, graphs.edge_ptr
    return [
        f"{graphs.operations[v[i] : v[i + 1]].tolist()} {graphs.edges[:, e[i] : e[i + 1]].tolist()}"
        for i in range(len(graphs))
    ]


def expected(texts: list[str], most: int) -> tuple[list[int], list[bool]]:
    numbers, is_new, known = [], [], dict[str, int]()
    for text in texts:
        is_new.append(text not in known)
        if is_new[-1] and len(known) < most:
            known[text] = len(known)
        numbers.append(known.get(text, -1))
    return numbers, is_new


@pytest.mark.parametrize("most", [1, 150, 10_000])
@pytest.mark.parametrize("space", [NASBENCH101, MANY])
def test_numbers_are_those_of_a_dictionary(space: SearchSpace, most: int) -> None:
    from pyg_nas.scoring.numba_drawings import DrawingNumbers

    rng = np.random.default_rng(2)
    given = nasbench101_cells()[:400] if space is NASBENCH101 else random_graphs(400, 0)
    drawings, texts, found = DrawingNumbers(space, most), list[str](), []
    for _ in range(5):
        part = given[rng.integers(0, 400, 150)]
        found.append(drawings.number(part))
        texts += written(part)
    numbers, is_new = (np.concatenate(values).tolist() for values in zip(*found, strict=True))
    assert (numbers, is_new) == expected(texts, most)


def test_one_changed_operation_or_edge_is_another_drawing() -> None:
    from pyg_nas.scoring.numba_drawings import DrawingNumbers

    edges = np.array(np.triu_indices(10, 1))
    operations, ends = [np.zeros(10, dtype=int)], [edges]
    for vertex in range(10):
        for operation in range(1, 65):
            operations.append(np.where(np.arange(10) == vertex, operation, 0))
            ends.append(edges)
    for edge in range(45):
        operations.append(operations[0])
        ends.append(np.delete(edges, edge, axis=1))
    cells = CellArray.from_ragged(RaggedGraphs.of_lists(operations, ends), MANY)
    numbers, _ = DrawingNumbers(MANY, 1_000).number(cells)
    assert numbers.tolist() == list(range(1 + 640 + 45))


def test_many_drawings_have_more_slots() -> None:
    from pyg_nas.scoring.numba_drawings import DrawingNumbers

    cells = nasbench101_cells()[:60_000]
    drawings = DrawingNumbers(NASBENCH101, 100_000)
    for start in range(0, 60_000, 20_000):
        numbers, is_new = drawings.number(cells[start : start + 20_000])
        assert is_new.all()
    assert numbers.tolist() == list(range(40_000, 60_000))
    numbers, is_new = drawings.number(cells)
    assert not is_new.any()
    assert numbers.tolist() == list(range(60_000))


def test_what_the_space_does_not_have_is_not_numbered() -> None:
    from pyg_nas.scoring.numba_drawings import DrawingNumbers

    space = SearchSpace("plain", ("a", "b"), max_vertices=3, max_edges=3)
    kinds = [[0, 1], [0, 2], [0, -1], [0, 0, 0, 0], [0, 1]]
    graphs = RaggedGraphs.of_lists([np.array(ids) for ids in kinds], [np.array([[0], [1]])] * 5)
    padded = (*graphs.to_padded(4), np.diff(graphs.vertex_ptr))
    numbers, is_new = DrawingNumbers(space, 9).number(CellArray(*padded, space))
    assert numbers.tolist() == [0, -1, -1, -1, 0]
    assert is_new.tolist() == [True] * 4 + [False]


def test_drawings_of_large_spaces_are_not_numbered() -> None:
    from pyg_nas.scoring.numba_drawings import DrawingNumbers

    fits = [DrawingNumbers.fits(SearchSpace("s", ("a",), v, 1)) for v in (15, 16)]
    assert fits == [True, False]  # 15 + 105 and 16 + 120 bits
