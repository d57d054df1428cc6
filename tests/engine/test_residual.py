"""The schedule, the batches and the weights of training residual networks by torch."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pyg_nas.engine.residual import (
    ResidualTask,
    ResidualTrainingConfig,
    optimizer_of,
    predict_residual,
    train_residual,
)
from pyg_nas.nn.dense_residual import ResidualGraphs
from pyg_nas.nn.residual_gnn import ResidualGNN


@pytest.fixture
def task() -> ResidualTask:
    rng = np.random.default_rng(0)
    graphs = ResidualGraphs(
        rng.normal(size=(12, 3, 2)).astype(np.float32),
        np.tile(np.triu(np.ones((3, 3), dtype=np.int8), 1), (12, 1, 1)),
        np.full(12, 3),
        rng.normal(size=(12, 2)).astype(np.float32),
    )
    generator = torch.Generator().manual_seed(0)
    network = ResidualGNN(2, 2, 2, 1, hidden=4, depth=1, dropout=0.0, generator=generator)
    return ResidualTask(
        network,
        graphs,
        torch.from_numpy(graphs.graph[:, :1].copy()),
        torch.stack([torch.arange(10), torch.arange(2, 12)]),
        ResidualTrainingConfig(epochs=40, batch_size=4, learning_rate=0.02, weight_decay=0.01),
        torch.Generator().manual_seed(1),
        generator,
    )


def test_batches_are_of_each_members_own_graphs(task: ResidualTask) -> None:
    batches = task.draw_batches()
    assert batches.shape == (2, 2, 4)
    for member in range(2):
        drawn = batches[:, member].flatten().tolist()
        assert len(set(drawn)) == 8
        assert set(drawn) <= set(task.kept[member].tolist())


def test_one_cycle_rises_to_the_learning_rate_and_falls_to_zero(task: ResidualTask) -> None:
    rates, betas = task.config.cycle(task.steps)
    assert rates.shape == betas.shape == (80,)
    top = int(rates.argmax())
    assert rates[top] == pytest.approx(0.02, rel=0.01)
    assert top / 80 == pytest.approx(0.15, abs=0.02)
    assert (np.diff(rates[: top + 1]) > 0).all()
    assert (np.diff(rates[top:]) < 0).all()
    assert betas.argmin() == top


def test_only_matrices_have_weight_decay(task: ResidualTask) -> None:
    decayed, free = optimizer_of(task.network, task.config).param_groups
    assert {id(p) for p in free["params"]} == {
        id(p) for p in task.network.parameters() if p.shape[1] == 1
    }
    assert decayed["weight_decay"] == task.config.weight_decay
    assert free["weight_decay"] == 0.0


def test_training_fits_a_feature_of_the_graphs(task: ResidualTask) -> None:
    seen: list[int] = []
    losses = train_residual(task, lambda epoch, _: seen.append(epoch))
    assert seen == list(range(1, 41))
    predicted = predict_residual(task.network, task.graphs)
    assert predicted.shape == (2, 12, 1)
    assert losses[-1] < losses[0] / 4


def test_graphs_of_weight_zero_do_not_matter(task: ResidualTask) -> None:
    weights = torch.ones(12)
    weights[5] = 0.0
    task.targets[5] = 1000.0
    losses = train_residual(task._replace(weights=weights))
    assert losses.max() < 100.0
