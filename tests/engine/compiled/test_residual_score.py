"""Compiled predictions of residual networks against sparse message passing in float64."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import numpy as np
import pytest
import torch

from pyg_nas.compute.threads import single_threaded_pool
from pyg_nas.data.graph_files.jsonl import read_graphs
from pyg_nas.engine.compiled import residual_outputs
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.nn.dense_residual import ResidualGraphs
from pyg_nas.nn.residual_gnn import ResidualGNN
from tests.nn.conftest import changed, sparse

SMALLEST = Cell([[0, 1], [0, 0]], ["input", "output"])


def random_network(members: int, targets: int, hidden: int, depth: int) -> ResidualGNN:
    return changed(ResidualGNN(members, 6, 5, targets, hidden, depth)).eval()


def by_reference(network: ResidualGNN, graphs: ResidualGraphs) -> np.ndarray:
    """By sparse message passing in float64."""
    x, edge_index, batch, graph = sparse(graphs)
    exact = copy.deepcopy(network).double()
    with torch.no_grad():
        return exact(x.double(), edge_index, batch, graph.double()).numpy()


@pytest.mark.parametrize(
    ("members", "targets", "hidden", "depth"), [(1, 1, 8, 3), (3, 1, 32, 3), (2, 4, 72, 2)]
)
def test_as_the_reference_in_double_precision(
    members: int, targets: int, hidden: int, depth: int
) -> None:
    # More cells than go at once, not a multiple of it, and the smallest among them.
    cells = CellArray.from_cells([SMALLEST, *sample_cells(75, seed=1), SMALLEST])
    rng = np.random.default_rng(2)
    vertices = rng.normal(size=(len(cells), 7, 6)).astype(np.float32)
    graph = rng.normal(size=(len(cells), 5)).astype(np.float32)
    network = random_network(members, targets, hidden, depth)
    graphs = ResidualGraphs(vertices, cells.adjacency, cells.num_vertices, graph)
    found = residual_outputs(network, graphs)
    expected = by_reference(network, graphs)
    assert found.shape == (members, len(cells), targets)
    assert expected.std(axis=1).min() > 0.1
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5)


def test_large_graphs_of_different_sizes(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    lines = []
    for total in (127, 3, 1, 120):
        sources, targets = np.nonzero(np.triu(rng.random((total, total)) < 0.03, 1))
        edges = np.stack([sources, targets], axis=1).tolist()
        lines.append(json.dumps({"ops": ["a"] * total, "edges": edges}))
    path = tmp_path / "large.jsonl"
    path.write_text("\n".join(lines))
    cells = read_graphs(path).cells
    vertices = rng.normal(size=(len(cells), 127, 6)).astype(np.float32)
    graph = rng.normal(size=(len(cells), 5)).astype(np.float32)
    network = random_network(2, 1, 16, 3)
    graphs = ResidualGraphs(vertices, cells.adjacency, cells.num_vertices, graph)
    found = residual_outputs(network, graphs)
    expected = by_reference(network, graphs)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5)


def test_what_stands_in_the_padding_does_not_matter() -> None:
    cells = CellArray.from_cells([SMALLEST, *sample_cells(3, seed=4)])
    vertices = np.ones((len(cells), 7, 6), dtype=np.float32)
    graph = np.ones((len(cells), 5), dtype=np.float32)
    network = random_network(2, 1, 16, 3)
    graphs = ResidualGraphs(vertices, cells.adjacency, cells.num_vertices, graph)
    found = residual_outputs(network, graphs)
    vertices[~cells.mask] = np.nan
    again = residual_outputs(network, graphs)
    np.testing.assert_array_equal(found, again)


@pytest.mark.parametrize("hidden", [16, 64])
def test_outputs_do_not_depend_on_later_cells(hidden: int) -> None:
    cells = CellArray.from_cells([SMALLEST, *sample_cells(97, seed=6)])
    rng = np.random.default_rng(7)
    vertices = rng.normal(size=(len(cells), 7, 6)).astype(np.float32)
    graph = rng.normal(size=(len(cells), 5)).astype(np.float32)
    graphs = ResidualGraphs(vertices, cells.adjacency, cells.num_vertices, graph)
    network = random_network(3, 2, hidden, 3)
    with single_threaded_pool(1):  # as estimators score: threads of BLAS divide few rows otherwise
        together = residual_outputs(network, graphs)
        # 48 cells are computed at once: the last part has each number of cells.
        for count in range(1, len(cells)):
            found = residual_outputs(network, graphs.select(slice(count)))
            np.testing.assert_array_equal(found, together[:, :count])


def test_no_cells() -> None:
    network = random_network(2, 3, 16, 1)
    none = np.empty((0, 7, 6)), np.empty((0, 7, 7), int), np.empty(0, int), np.empty((0, 5))
    assert residual_outputs(network, ResidualGraphs(*none)).shape == (2, 0, 3)
