"""Optimizers have every setting and step as those of torch; learning rates follow their rule."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from torch import nn

from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.measure.settings import TrainingSettings
from pyg_nas.measure.training.optimizers import learning_rate, make_optimizer
from pyg_nas.spaces.nasbench101.network import Network

from ..conftest import TINY_SETTINGS, chain


def test_learning_rate_rises_and_falls_to_zero():
    settings = replace(TINY_SETTINGS, learning_rate=0.1, warmup=0.2)
    rates = [learning_rate(step, 100, settings) for step in range(100)]
    assert rates[:20] == pytest.approx([0.1 * (i + 1) / 21 for i in range(20)])
    assert max(rates) == rates[20] == pytest.approx(0.1)
    # Half a cosine over the 80 steps that are left, worked out at its middle and its end.
    assert rates[60] == pytest.approx(0.05)
    assert rates[99] == pytest.approx(0.05 * (1 + math.cos(math.pi * 79 / 80)))


@pytest.mark.parametrize("name", ["sgd", "rmsprop"])
def test_the_optimizer_steps_as_that_of_torch(name: str):
    settings = TrainingSettings(optimizer=name, learning_rate=0.3, weight_decay=0.02)
    ours, theirs = nn.Linear(5, 4), nn.Linear(5, 4)
    theirs.load_state_dict(ours.state_dict())
    optimizer = make_optimizer(ours, settings)
    kind = torch.optim.SGD if name == "sgd" else torch.optim.RMSprop
    (group,) = optimizer.param_groups
    plain = kind(theirs.parameters(), **{k: v for k, v in group.items() if k != "params"})
    for seed in range(4):
        images = torch.randn(6, 5, generator=torch.Generator().manual_seed(seed))
        for network, each in ((ours, optimizer), (theirs, plain)):
            each.zero_grad()
            network(images).square().sum().backward()
            each.step()
        optimizer.load_state_dict(optimizer.state_dict())
    assert torch.equal(ours.weight, theirs.weight)
    assert str(optimizer.state_dict()) == str(plain.state_dict())


def test_the_optimizer_has_every_setting_and_the_official_constants():
    network = Network(
        chain("conv3x3-bn-relu"), NetworkSize(4, 2, 1, num_labels=3, image_channels=1)
    )
    shared = {"learning_rate": 0.3, "momentum": 0.7, "weight_decay": 0.02}
    (sgd,) = make_optimizer(network, TrainingSettings(optimizer="sgd", **shared)).param_groups
    expected = {"lr": 0.3, "momentum": 0.7, "weight_decay": 0.02, "nesterov": True}
    assert {name: sgd[name] for name in expected} == expected
    # arXiv:1902.09635, released code: RMSProp with decay 0.9 and epsilon 1.
    (rms,) = make_optimizer(network, TrainingSettings(optimizer="rmsprop", **shared)).param_groups
    expected = {"lr": 0.3, "momentum": 0.7, "weight_decay": 0.02, "alpha": 0.9, "eps": 1.0}
    assert {name: rms[name] for name in expected} == expected
