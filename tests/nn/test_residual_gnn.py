"""The residual network: a plain float64 loop, message passing and padded products agree."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pyg_nas.nn.dense_residual import ResidualGraphs
from pyg_nas.nn.residual_gnn import ResidualGNN
from tests.nn.conftest import MEMBERS, sparse

pytestmark = pytest.mark.engine


def one_by_one(network: ResidualGNN, member: int, graphs: ResidualGraphs, row: int) -> np.ndarray:
    """One member's output of one graph, vertex by vertex."""
    weights = {name: value[member].detach().numpy() for name, value in network.named_parameters()}
    total = int(graphs.num_vertices[row])
    edges = graphs.adjacency[row, :total, :total]

    def activated(h: np.ndarray) -> np.ndarray:
        return network.activation(torch.from_numpy(h)).numpy()

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
            states[v] = states[v] + activated(term)
    final = [normal(h) for h in states]
    read = np.concatenate([np.mean(final, axis=0), final[-1]]) @ weights["read"]
    joined = read + graphs.graph[row] @ weights["read_graph"] + weights["read_bias"][0]
    return activated(joined) @ weights["output"] + weights["output_bias"][0]


def test_message_passing_equals_a_plain_loop(network: ResidualGNN, graphs: ResidualGraphs) -> None:
    found = network(*sparse(graphs)).detach().numpy()
    expected = [
        [one_by_one(network, member, graphs, row) for row in range(len(graphs.graph))]
        for member in range(MEMBERS)
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-12)


def test_the_activation_is_relu() -> None:
    values = torch.tensor([-2.0, 0.0, 3.0])
    assert ResidualGNN.activation(values).tolist() == [0, 0, 3]
