"""Compiled training against torch's, and its own products in parts."""

from __future__ import annotations

from typing import Literal

import pytest
import torch

from pyg_nas.engine.compiled import gcn_epochs
from pyg_nas.engine.gcn import torch_epochs
from pyg_nas.engine.gcn_config import TrainingConfig, TrainingTask
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.nn.dense import dense_cells
from tests.engine.conftest import assert_same_weights, new_member


@pytest.mark.parametrize("loss", ["mse", "bce"])
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_trains_as_torch_does(
    training_cells: CellArray, targets: torch.Tensor, depth: int, loss: Literal["mse", "bce"]
) -> None:
    config = TrainingConfig(4, 8, 1e-3, loss=loss)
    goals = targets if loss == "mse" else (targets > 0).float()
    weights = torch.linspace(0.5, 1.5, 21)
    trained = []
    for epochs in (gcn_epochs, torch_epochs):
        members = [new_member(seed, depth=depth) for seed in range(2)]
        task = TrainingTask(members, dense_cells(training_cells), goals, weights, config, [4, 5])
        trained.append((members, torch.stack(list(epochs(task)))))
    (compiled, losses), (by_torch, expected) = trained
    torch.testing.assert_close(losses, expected, atol=1e-5, rtol=1e-4)
    for a, b in zip(compiled, by_torch, strict=True):
        assert_same_weights(a, b)


def test_products_in_parts_equal_whole_ones(
    training_cells: CellArray, targets: torch.Tensor, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained = []
    for most in (5, 1_000):
        monkeypatch.setattr(
            "pyg_nas.engine.compiled.gcn_trainer.rows_per_product",
            lambda rows, _, most=most: min(rows, most),
        )
        trained.append(new_member(0, depth=3))
        config = TrainingConfig(4, 8, 1e-3)
        task = TrainingTask(
            trained[-1:], dense_cells(training_cells), targets, torch.ones(21), config, [0]
        )
        list(gcn_epochs(task))
    assert_same_weights(*trained)
