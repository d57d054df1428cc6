"""Batches, losses and the optimizer against formulas written out here."""

from __future__ import annotations

import math

import pytest
import torch

from pyg_nas.engine.gcn_config import TrainingConfig, adam, batch_loss, draw_batches


@pytest.mark.parametrize(("total", "steps", "size"), [(23, 2, 10), (20, 2, 10), (7, 1, 7)])
def test_an_epoch_has_every_cell_at_most_once(total: int, steps: int, size: int) -> None:
    batches = draw_batches(torch.Generator().manual_seed(0), total, TrainingConfig(batch_size=10))
    assert batches.shape == (steps, size)
    assert len(set(batches.flatten().tolist())) == steps * size
    assert batches.min() >= 0
    assert batches.max() < total


def test_losses_are_weighted_means() -> None:
    predicted, target = torch.tensor([0.5, -1.0]), torch.tensor([1.0, 0.0])
    weight = torch.tensor([3.0, 1.0])
    squared = batch_loss(TrainingConfig(loss="mse"), predicted, target, weight)
    assert float(squared) == pytest.approx((3 * 0.25 + 1.0) / 2)
    entropy = batch_loss(TrainingConfig(loss="bce"), predicted, target, weight)
    first, second = -math.log(1 / (1 + math.exp(-0.5))), -math.log(1 - 1 / (1 + math.exp(1.0)))
    assert float(entropy) == pytest.approx((3 * first + second) / 2, rel=1e-6)


def test_the_learning_rate_falls_along_half_a_cosine() -> None:
    weight = torch.zeros(2, requires_grad=True)
    optimizer, schedule = adam([weight], TrainingConfig(epochs=4, learning_rate=0.1))
    rates = []
    for _ in range(4):
        rates.append(optimizer.param_groups[0]["lr"])
        weight.grad = torch.ones(2)
        optimizer.step()
        schedule.step()
    expected = [0.1 * (1 + math.cos(math.pi * epoch / 4)) / 2 for epoch in range(4)]
    assert rates == pytest.approx(expected)
