"""The residual network: a plain float64 loop, message passing and padded products agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch_geometric.data import Batch, Data

from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.nn.dense_residual import (
    ResidualGraphs,
)
from pyg_nas.nn.residual_gnn import ResidualGNN
from pyg_nas.spaces.nasbench101 import nasbench101_cells

pytestmark = pytest.mark.engine

MEMBERS = 2


@pytest.fixture(scope="module")
def graphs() -> ResidualGraphs:
    """Of 2 to 7 vertices, with random features."""
    cells: CellArray = nasbench101_cells()[[0, 1, 5, 60, 700, 20_000, 400_000, 410_000]]
    assert set(cells.num_vertices.tolist()) >= {2, 7}
    rng = np.random.default_rng(2)
    vertices = rng.normal(size=(len(cells), 7, 6))
    return ResidualGraphs(
        vertices, cells.adjacency, cells.num_vertices, rng.normal(size=(len(cells), 5))
    )


@pytest.fixture
def network() -> ResidualGNN:
    network = ResidualGNN(MEMBERS, 6, 5, 3, hidden=8, depth=2, dropout=0.3).double()
    generator = torch.Generator().manual_seed(3)
    with torch.no_grad():
        # Biases, shifts and gains start at 0 and 1, where mistakes in them could not be seen.
        for parameter in network.parameters():
            parameter += 0.3 * torch.randn(parameter.shape, generator=generator)
    return network


def sparse(graphs: ResidualGraphs) -> tuple[torch.Tensor, ...]:
    batch = Batch.from_data_list(
        [
            Data(
                x=torch.from_numpy(x[:count]),
                edge_index=torch.from_numpy(np.stack(np.nonzero(adjacency))),
            )
            for x, adjacency, count in zip(*graphs[:3], strict=True)
        ]
    )
    return batch.x, batch.edge_index, batch.batch, torch.from_numpy(graphs.graph)


def one_by_one(network: ResidualGNN, member: int, graphs: ResidualGraphs, row: int) -> np.ndarray:
    """One member's output of one graph, vertex by vertex."""
    weights = {name: value[member].detach().numpy() for name, value in network.named_parameters()}
    total = int(graphs.num_vertices[row])
    edges = graphs.adjacency[row, :total, :total]

    def normal(h: np.ndarray) -> np.ndarray:
        return (h - h.mean()) / np.sqrt(h.var() + 1e-5)

    states = [x @ weights["embed"] + weights["embed_bias"][0] for x in graphs.vertices[row, :total]]
    for layer in range(2):
        gain, shift, bias, matrix = (
            weights[f"{name}.{layer}"] for name in ("gains", "shifts", "biases", "layers")
        )
        own, successors, predecessors = np.split(matrix, 3, axis=1)
        normals = [normal(h) * gain[0] + shift[0] for h in states]
        for v in range(total):
            term = normals[v] @ own + bias[0]
            for u in range(total):
                if edges[v, u]:
                    term = term + normals[u] @ successors
                if edges[u, v]:
                    term = term + normals[u] @ predecessors
            states[v] = states[v] + np.maximum(term, 0)
    final = [normal(h) for h in states]
    read = np.concatenate([np.mean(final, axis=0), final[-1]]) @ weights["read"]
    joined = read + graphs.graph[row] @ weights["read_graph"] + weights["read_bias"][0]
    return np.maximum(joined, 0) @ weights["output"] + weights["output_bias"][0]


def test_message_passing_equals_a_plain_loop(network: ResidualGNN, graphs: ResidualGraphs) -> None:
    found = network(*sparse(graphs)).detach().numpy()
    expected = [
        [one_by_one(network, member, graphs, row) for row in range(len(graphs.graph))]
        for member in range(MEMBERS)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)
