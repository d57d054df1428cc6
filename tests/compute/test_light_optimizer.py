"""Optimizers without torch's decorators step as those of torch, without its compiler."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch
from torch import nn

from pyg_nas.compute.light_optimizer import light_optimizer


def test_it_steps_as_that_of_torch_along_one_cycle() -> None:
    networks = nn.Linear(5, 4), nn.Linear(5, 4)
    networks[1].load_state_dict(networks[0].state_dict())
    kinds = light_optimizer(torch.optim.AdamW), torch.optim.AdamW
    for network, kind in zip(networks, kinds, strict=True):
        optimizer = kind(network.parameters(), lr=0.1, weight_decay=0.03)
        cycle = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=7, pct_start=0.3)
        for seed in range(7):
            images = torch.randn(6, 5, generator=torch.Generator().manual_seed(seed))
            optimizer.zero_grad()
            network(images).square().sum().backward()
            optimizer.step()
            cycle.step()
    assert torch.equal(networks[0].weight, networks[1].weight)


FITS = """
import sys
from pyg_nas.cli.startup import postpone_unused
postpone_unused()
import numpy as np
from pyg_nas.predictors.cost.operation_times import OperationTimes
from pyg_nas.predictors.gnn.gcn import GCNRegressor
from pyg_nas.predictors.gnn.residual import ResidualGNNRegressor
from pyg_nas.predictors.networks.gnn import NetworkGNNRegressor
from pyg_nas.spaces.modules.network_array import NetworkArray
from pyg_nas.graphs.enumeration import sample_cells
from tests.spaces.modules.networks import random_network
networks = NetworkArray.from_graphs(random_network(8, seed) for seed in range(12))
cells, labels = sample_cells(12, seed=0), np.arange(1.0, 13.0)
OperationTimes().fit(networks, labels)
NetworkGNNRegressor(epochs=1).fit(networks, labels)
GCNRegressor(epochs=1).fit(cells, labels)
ResidualGNNRegressor(epochs=1).fit(cells, labels)
assert "torch" in sys.modules
assert "torch._dynamo" not in sys.modules
"""


def test_the_compiler_is_not_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYG_NAS_ENGINE", "torch")
    command = [sys.executable, "-c", FITS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2_000:]
