"""The paper's training settings, shared by all trainers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F

from pyg_nas.compute.light_optimizer import light_optimizer
from pyg_nas.engine.adam import ADAM_BETAS, ADAM_EPSILON
from pyg_nas.nn.dense import DenseCells
from pyg_nas.nn.gcn import GCN


@dataclass(frozen=True)
class TrainingConfig:
    """The paper's training settings (arXiv:1912.00848, section 4 and its reproduction).

    Adam (β 0.9, 0.999) with L2 in the gradient, cosine to zero by epoch, random batches with
    the last partial batch dropped.

    Args:
        epochs: Passes over the training cells.
        batch_size: Cells in a batch; all of them where there are fewer.
        learning_rate: Learning rate of the first epoch.
        weight_decay: L2 coefficient.
        loss: ``"mse"`` on normalised targets or ``"bce"`` on logits and 0/1 targets.
    """

    epochs: int = 300
    batch_size: int = 10
    learning_rate: float = 1e-4
    weight_decay: float = 1e-3
    loss: Literal["mse", "bce"] = "mse"


class TrainingTask(NamedTuple):
    """The networks that a trainer trains, their cells and settings.

    Attributes:
        members: ``M`` networks of one shape, on the device of ``cells``.
        cells: ``N`` training cells, their operations one-hot.
        targets: Targets of the cells, ``[N]``.
        weights: ``[N]`` weights of the cells in the loss.
        config: The training settings.
        seeds: One random seed for each member, for its batch order and dropout.
    """

    members: Sequence[GCN]
    cells: DenseCells
    targets: Tensor
    weights: Tensor
    config: TrainingConfig
    seeds: Sequence[int]


def draw_batches(generator: torch.Generator, total: int, config: TrainingConfig) -> Tensor:
    """Draw the batches of one epoch, ``[steps, B]``, without the last partial one.

    They are drawn on the CPU, so that a seed gives the same batches on every device.
    """
    batch = min(config.batch_size, total)
    steps = total // batch
    return torch.randperm(total, generator=generator)[: steps * batch].view(steps, batch)


def batch_loss(config: TrainingConfig, predicted: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Return the mean loss of each batch, ``[..., B]`` to ``[...]``."""
    if config.loss == "mse":
        each = (predicted - target) ** 2
    else:
        each = F.binary_cross_entropy_with_logits(predicted, target, reduction="none")
    return (each * weight).mean(dim=-1)


def adam(
    parameters: Iterable[Tensor], config: TrainingConfig
) -> tuple[torch.optim.Adam, torch.optim.lr_scheduler.CosineAnnealingLR]:
    """Return the optimizer and the schedule of its learning rate by epoch."""
    optimizer = light_optimizer(torch.optim.Adam)(
        parameters,
        lr=config.learning_rate,
        betas=ADAM_BETAS,
        eps=ADAM_EPSILON,
        weight_decay=config.weight_decay,
        fused=True,
    )
    return optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, config.epochs)
