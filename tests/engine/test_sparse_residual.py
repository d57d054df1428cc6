"""Residual networks on sparse batches, compared with padded ones and graph by graph."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pyg_nas.engine import sparse_residual as module
from pyg_nas.engine.residual import ResidualTrainingConfig
from pyg_nas.engine.sparse_residual import (
    SparseGraphs,
    predict_sparse_residual,
    train_sparse_residual,
)
from pyg_nas.nn.dense_residual import DenseResidualInputs, ResidualGraphs, dense_residual
from pyg_nas.nn.residual_gnn import ResidualGNN
from pyg_nas.spaces.modules.network_array import NetworkArray
from tests.spaces.modules.networks import random_network

NETWORKS = NetworkArray.from_graphs(random_network(4 + seed, seed) for seed in range(12))
GRAPHS = SparseGraphs(NETWORKS, np.random.default_rng(0).random((12, 3), dtype=np.float32))
TARGETS = np.linspace(-1, 1, 12, dtype=np.float32)
ONES = np.ones(12, dtype=np.float32)
CONFIG = ResidualTrainingConfig(epochs=4, batch_size=5, learning_rate=1e-3, weight_decay=1e-2)


def new_network(dropout: float = 0.0) -> ResidualGNN:
    generator = torch.Generator().manual_seed(3)
    columns = NETWORKS.one_hot().shape[1]
    return ResidualGNN(2, columns, 3, hidden=8, depth=2, dropout=dropout, generator=generator)


def padded_outputs(network: ResidualGNN) -> np.ndarray:
    width = 15
    vertices = np.zeros((12, width, NETWORKS.one_hot().shape[1]), dtype=np.float32)
    adjacency = np.zeros((12, width, width), dtype=np.int64)
    for g in range(12):
        own = NETWORKS.select(np.array([g]))
        vertices[g, : len(own.columns)] = own.one_hot()
        adjacency[g, own.edges[0], own.edges[1]] = 1
    graphs = ResidualGraphs(vertices, adjacency, np.diff(NETWORKS.vertex_ptr), GRAPHS.graph)
    inputs = DenseResidualInputs.from_graphs(graphs)
    return dense_residual(network, inputs.select(None))[..., 0].detach().numpy()


def test_outputs_are_those_of_padded_graphs_in_any_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    network = new_network()
    for vertices in (32_768, 20, 1):
        monkeypatch.setattr(module, "_BATCH_VERTICES", vertices)
        found = predict_sparse_residual(network, GRAPHS)
        np.testing.assert_allclose(found, padded_outputs(network), rtol=1e-4, atol=1e-5)


def test_the_first_step_is_that_of_adam_on_the_batch() -> None:
    config = ResidualTrainingConfig(1, 12, 1e-3, 0.0)
    trained, other = new_network(), new_network()
    before = predict_sparse_residual(other, GRAPHS)
    losses = train_sparse_residual(trained, GRAPHS, TARGETS, ONES, config, seed=0)
    assert losses[0] == pytest.approx(np.mean((before - TARGETS) ** 2), rel=1e-5)
    output = other(*GRAPHS.batch(np.arange(12), torch.device("cpu")))[..., 0]
    torch.autograd.backward((output - torch.from_numpy(TARGETS)).square().mean(dim=1).sum())
    # Adam's first step is the rate times the sign of the gradient.
    moved = (trained.output - other.output).detach()
    assert torch.equal(moved.sign(), -other.output.grad.sign())


def test_training_is_reproducible_and_lowers_the_loss() -> None:
    config = ResidualTrainingConfig(40, 5, 1e-2, 1e-2)
    reported: list[tuple[int, float]] = []
    runs = [
        train_sparse_residual(
            new_network(0.1), GRAPHS, TARGETS, ONES, config, 1, lambda *e: reported.append(e)
        )
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*runs)
    assert runs[0][-5:].mean() < 0.5 * runs[0][:2].mean()
    assert [epoch for epoch, _ in reported] == [*range(1, 41)] * 2


def test_graphs_of_weight_zero_do_not_train() -> None:
    weights = np.where(np.arange(12) < 6, 2.0, 0.0).astype(np.float32)
    changed = TARGETS.copy()
    changed[6:] = 100.0
    outputs = []
    for targets in (TARGETS, changed):
        network = new_network()
        train_sparse_residual(network, GRAPHS, targets, weights, CONFIG, seed=0)
        outputs.append(predict_sparse_residual(network, GRAPHS))
    np.testing.assert_array_equal(*outputs)
