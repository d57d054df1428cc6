"""Path features against a list of all paths, made by networkx and from drawings."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest

from pyg_nas.features import path_feature_names, path_features
from pyg_nas.graphs import Cell, CellArray, sample_cells
from pyg_nas.graphs.registry import find_space
from pyg_nas.spaces.nasbench201 import NASBENCH201


def expected(cell: Cell, subset: tuple[int, ...]) -> tuple[int, int]:
    graph = nx.from_numpy_array(np.asarray(cell.adjacency), create_using=nx.DiGraph)
    paths = nx.all_simple_paths(graph, 0, cell.num_vertices - 1)
    inner = [path[1:-1] for path in paths]
    kept = [p for p in inner if all(cell.operation_ids[v] in subset for v in p)]
    return len(kept), max(map(len, kept), default=0)


@pytest.mark.parametrize(
    ("name", "known"), [("nasbench201", (1, 2, 3, 4)), ("transnasbench101", (1, 2, 3))]
)
def test_features_are_those_of_all_paths(
    name: str, known: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    space = find_space(name)
    monkeypatch.setattr(space.support, "path_operations", known)
    cells = space.support.cells()
    cells = CellArray.concatenate([sample_cells(60, seed=0, cells=cells), cells[:40]])
    found = dict(zip(path_feature_names(space), path_features(cells).T, strict=True))
    assert len(found) == 2 * (2 ** len(known) - 1)
    for size in range(1, len(known) + 1):
        for subset in itertools.combinations(known, size):
            label = " or ".join(space.operations[i] for i in subset)
            count, longest = zip(*(expected(cell, subset) for cell in cells), strict=True)
            np.testing.assert_array_equal(found[f"paths of {label}"], count)
            np.testing.assert_array_equal(found[f"longest path of {label}"], longest)


def test_features_of_a_drawing_by_hand() -> None:
    """Three paths: pool; 1x1, 3x3; and 3x3, 1x1."""
    text = "|nor_conv_1x1~0|+|nor_conv_3x3~0|none~1|+|avg_pool_3x3~0|nor_conv_3x3~1|nor_conv_1x1~2|"
    cells = CellArray.from_cells([Cell.from_text(text, NASBENCH201)])
    found = dict(zip(path_feature_names(NASBENCH201), path_features(cells)[0], strict=True))
    assert found["paths of avg_pool_3x3"] == found["longest path of avg_pool_3x3"] == 1
    assert found["paths of nor_conv_3x3"] == found["longest path of nor_conv_3x3"] == 0
    assert found["paths of nor_conv_1x1 or nor_conv_3x3"] == 2
    assert found["longest path of nor_conv_1x1 or nor_conv_3x3"] == 2
    assert found["paths of nor_conv_1x1 or nor_conv_3x3 or avg_pool_3x3"] == 3


def test_a_space_without_path_operations_has_none() -> None:
    cells = sample_cells(3, seed=0)
    assert path_feature_names(cells.space) == []
    assert path_features(cells).shape == (3, 0)


def test_no_path_and_no_cell() -> None:
    empty = CellArray.from_cells([NASBENCH201.support.cell_of_code(0)])
    assert not path_features(empty).any()
    assert path_features(empty[:0]).shape == (0, 30)
