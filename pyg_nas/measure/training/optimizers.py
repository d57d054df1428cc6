"""Optimizers and learning rates of training runs."""

from __future__ import annotations

import math
from inspect import unwrap

import torch
from torch import nn

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
        return _SGD(
            network.parameters(),
            lr=settings.learning_rate,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=settings.momentum > 0,
            fused=True,
        )
    return _RMSprop(
        network.parameters(),
        lr=settings.learning_rate,
        alpha=0.9,
        eps=1.0,
        momentum=settings.momentum,
        weight_decay=settings.weight_decay,
    )


class _Light:
    """Methods of an optimizer that do not import torch's compiler, which needs 70 MB and 2 s."""

    add_param_group = unwrap(torch.optim.Optimizer.add_param_group)
    zero_grad = unwrap(torch.optim.Optimizer.zero_grad)
    state_dict = unwrap(torch.optim.Optimizer.state_dict)
    load_state_dict = unwrap(torch.optim.Optimizer.load_state_dict)


class _SGD(_Light, torch.optim.SGD):
    step = torch.no_grad()(unwrap(torch.optim.SGD.step))


class _RMSprop(_Light, torch.optim.RMSprop):
    step = torch.no_grad()(unwrap(torch.optim.RMSprop.step))
