"""Optimizers and learning rates of training runs."""

from __future__ import annotations

import math

import torch
from torch import nn

from pyg_nas.compute.light_optimizer import light_optimizer
from pyg_nas.measure.settings import TrainingSettings


def learning_rate(step: int, total: int, settings: TrainingSettings) -> float:
    """Return the learning rate of ``step`` (0-based) out of ``total`` steps."""
    rising = settings.warmup * total
    if step < rising:
        return settings.learning_rate * (step + 1) / (rising + 1)
    fraction = (step - rising) / (total - rising)
    return settings.learning_rate * 0.5 * (1 + math.cos(math.pi * fraction))


def make_optimizer(network: nn.Module, settings: TrainingSettings) -> torch.optim.Optimizer:
    """Return the optimizer of a network's parameters, with the constants of NAS-Bench-101."""
    if settings.optimizer == "sgd":
        return light_optimizer(torch.optim.SGD)(
            network.parameters(),
            lr=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=settings.momentum > 0,
            fused=True,
        )
    return light_optimizer(torch.optim.RMSprop)(
        network.parameters(),
        lr=settings.learning_rate,
        alpha=0.9,
        eps=1.0,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )
