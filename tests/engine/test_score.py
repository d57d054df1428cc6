"""Scores by refinement against the networks themselves and the float64 reference."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pyg_nas.engine.score import score
from pyg_nas.engine.shared_terms import refine
from pyg_nas.errors import ModelError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.nn.dense import DenseGCN, dense_cells
from pyg_nas.nn.gcn import GCN
from pyg_nas.predictors.gnn.gcn import GCNRegressor
from pyg_nas.spaces.nasbench101 import nasbench101_cells
from pyg_nas.testing import reference_output
from tests.engine.conftest import networks


@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_equals_the_float64_reference(cells: CellArray, depth: int) -> None:
    members = networks(2, depth=depth)
    tables = refine(cells, depth, block_cells=400)
    scores = score(members, tables)
    assert scores.shape == (2, len(cells))
    some = cells[:120]
    for row, member in zip(scores, members, strict=True):
        expected = [reference_output(member, cell) for cell in some]
        np.testing.assert_allclose(row[:120], expected, atol=1e-5)


@pytest.mark.parametrize("block", [1, 7, 100, 10_000])
def test_blocks_change_nothing(cells: CellArray, block: int) -> None:
    members = networks(3)
    expected = torch.stack([DenseGCN([m])(dense_cells(cells))[0] for m in members])
    scores = score(members, refine(cells, 3, block_cells=block))
    np.testing.assert_allclose(scores, expected.detach().numpy(), atol=1e-5)


def test_plain_graphs_of_another_vocabulary() -> None:
    space = SearchSpace("made-up", tuple("abc"), max_vertices=9, max_edges=36)
    rng = np.random.default_rng(0)
    graphs = CellArray.from_cells(
        [
            Cell(np.triu(rng.random((v, v)) < 0.4, 1), rng.choice(list("abc"), v).tolist(), space)
            for v in (1, 2, 5, 9, 9)
        ]
    )
    member = networks(1, columns=3)[0]
    expected = [reference_output(member, graph) for graph in graphs]
    np.testing.assert_allclose(score([member], refine(graphs, 3))[0], expected, atol=1e-5)


def test_networks_must_fit_the_tables(cells: CellArray) -> None:
    tables = refine(cells[:5], 3)
    with pytest.raises(ModelError, match=r"1 layers .* 2 layers, where it needs 1"):
        score(networks(1, depth=1), tables)
    with pytest.raises(ModelError, match="4 input columns"):
        score(networks(1, columns=4), tables)
    with pytest.raises(ModelError, match="at least one"):
        score([], tables)


def test_networks_of_several_shapes_share_the_tables(cells: CellArray) -> None:
    members = [*networks(1, depth=4), *networks(1, depth=2), GCN(5, 7, 3, 16).eval()]
    scores = score(members, refine(cells, 3))
    dense = dense_cells(cells)
    for row, member in zip(scores, members, strict=True):
        expected = DenseGCN([member])(dense)[0].detach().numpy()
        np.testing.assert_allclose(row, expected, atol=1e-5)


@pytest.mark.engine
def test_the_whole_space_through_an_estimator() -> None:
    space = nasbench101_cells()
    some = np.random.default_rng(0).permutation(len(space))[:500]
    model = GCNRegressor(hidden=8, head=8, epochs=1, ensemble_size=2)
    model.fit(space[some[:50]], np.linspace(0.8, 0.95, 50))
    by_tables = model.predict(space)  # the very array: scored by the cached tables
    np.testing.assert_allclose(by_tables[some], model.predict(space[some]), atol=1e-6)
