"""Training and prediction of residual networks, by compiled code if possible, else by torch.

Both run the same steps: the same batches, dropout masks, learning rates and momenta.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyg_nas.compute.threads import single_threaded
from pyg_nas.engine.config import ADAM_EPSILON
from pyg_nas.engine.loop import OnEpoch
from pyg_nas.engine.paths import use_compiled
from pyg_nas.nn.dense_residual import (
    DenseResidualInputs,
    ResidualGraphs,
    dense_residual,
    mask_shapes,
)
from pyg_nas.nn.residual_gnn import ResidualGNN

_CHUNK = 256  # graphs that torch predicts in one pass
# Up to this width torch's threads save only a tenth of its small steps, and beside other busy
# processes they wait for each other so long that training takes twenty times as long.
_NARROW = 64
# One cycle (Smith and Topin, 2018) with fastai's momenta, which are the defaults of torch's
# scheduler, and fastai's second beta of Adam; the rate rises for 0.15 of the steps, not 0.25.
_BETA2, _RISING = 0.99, 0.15


@dataclass(frozen=True)
class ResidualTrainingConfig:
    """Training settings of residual networks: AdamW, one cycle of the learning rate.

    Args:
        epochs: Passes over the training graphs.
        batch_size: Graphs in a batch; all of them where there are fewer. The last partial batch is
            dropped.
        learning_rate: Highest learning rate of the cycle.
        weight_decay: Decoupled weight decay of matrices with more than one row.
    """

    epochs: int
    batch_size: int
    learning_rate: float
    weight_decay: float


class ResidualTask(NamedTuple):
    """The networks to be trained, their graphs and settings.

    Attributes:
        network: ``M`` members, trained in place.
        graphs: ``N`` graphs.
        targets: Targets of the graphs, ``[N, K]``, on the network's device, in its floating type.
        kept: int64 ``[M, n]``: the graphs that each member is trained on.
        config: Training settings.
        shuffler: Random generator of the batches, on the CPU.
        generator: Random generator of dropout, on the network's device.
        weights: ``[N]`` weights of the graphs in the loss, on the network's device; None for 1.
    """

    network: ResidualGNN
    graphs: ResidualGraphs
    targets: Tensor
    kept: Tensor
    config: ResidualTrainingConfig
    shuffler: torch.Generator
    generator: torch.Generator
    weights: Tensor | None = None

    @property
    def batch_size(self) -> int:
        """Graphs in every batch, ``B``."""
        return min(self.config.batch_size, self.kept.shape[1])

    @property
    def steps(self) -> int:
        """Steps of an epoch."""
        return self.kept.shape[1] // self.batch_size

    def draw_batches(self) -> Tensor:
        """Draw one epoch's batches, int64 ``[steps, M, B]``."""
        rows = [row[torch.randperm(len(row), generator=self.shuffler)] for row in self.kept]
        used = torch.stack(rows)[:, : self.steps * self.batch_size]
        return used.view(len(rows), self.steps, self.batch_size).transpose(0, 1)

    def draw_masks(self, masks: Sequence[Tensor]) -> None:
        """Draw one step's dropout masks of :func:`~pyg_nas.nn.dense_residual.mask_shapes`."""
        for mask in masks:
            mask.bernoulli_(1 - self.network.dropout, generator=self.generator)


def optimizer_of(network: ResidualGNN, config: ResidualTrainingConfig) -> torch.optim.AdamW:
    """Return AdamW over the network's parameters, without decay of biases and gains."""
    parameters = list(network.parameters())
    groups = [
        {
            "params": [p for p in parameters if (p.shape[1] > 1) == decays],
            "weight_decay": config.weight_decay if decays else 0.0,
        }
        for decays in (True, False)
    ]
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=(0.9, _BETA2), eps=ADAM_EPSILON)


def one_cycle(
    config: ResidualTrainingConfig, steps: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the learning rate and Adam's first beta of each step, from torch's scheduler.

    Args:
        config: Training settings.
        steps: Steps of an epoch.
    """
    optimizer = torch.optim.AdamW([torch.zeros(1)], betas=(0.9, _BETA2))
    total = config.epochs * steps
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, config.learning_rate, total_steps=max(2, total), pct_start=_RISING
    )
    rates, betas = np.empty(total), np.empty(total)
    (group,) = optimizer.param_groups
    for step in range(total):
        rates[step], betas[step] = group["lr"], group["betas"][0]
        optimizer.step()
        schedule.step()
    return rates, betas


def train_residual(task: ResidualTask, progress: OnEpoch | None = None) -> NDArray[np.float64]:
    """Train residual networks in place; return the members' mean loss by epoch ``[epochs]``.

    Args:
        task: The networks, their graphs and settings.
        progress: Called after each epoch.
    """
    losses = np.empty(task.config.epochs)
    for epoch, loss in enumerate(_epochs(task)):
        losses[epoch] = loss
        if progress is not None:
            progress(epoch + 1, loss)
    return losses


def _epochs(task: ResidualTask) -> Iterator[float]:
    device = task.targets.device
    # The compiled loss does not support weights.
    if task.weights is None and use_compiled(device, [task.network.activation]):
        from pyg_nas.engine.numba_residual_trainer import compiled_epochs

        return compiled_epochs(task)
    return torch_epochs(task)


def torch_epochs(task: ResidualTask) -> Iterator[float]:
    """Train by torch on any device; yield the members' mean loss after each epoch."""
    network, device = task.network, task.targets.device
    inputs = DenseResidualInputs.from_graphs(task.graphs).to(device)
    shapes = mask_shapes(network, task.batch_size, inputs.vertices.shape[1])
    masks = [torch.ones(shape, dtype=torch.uint8, device=device) for shape in shapes]
    optimizer = optimizer_of(network, task.config)
    rates, betas = one_cycle(task.config, task.steps)
    step = 0
    alone = device.type == "cpu" and network.embed.shape[2] <= _NARROW
    for _ in range(task.config.epochs):
        total = 0.0
        with single_threaded() if alone else nullcontext():
            for index in task.draw_batches().to(device):  # [M, B]
                for group in optimizer.param_groups:
                    group.update(lr=rates[step], betas=(betas[step], _BETA2))
                if network.dropout:
                    task.draw_masks(masks)
                predicted = dense_residual(
                    network, inputs.select(index), masks if network.dropout else None
                )
                # A sum over members: their gradients are those of members trained alone.
                errors = (predicted - task.targets[index]).square()
                if task.weights is not None:
                    errors = errors * task.weights[index][..., None]
                loss = errors.mean(dim=(1, 2)).sum()
                optimizer.zero_grad()
                torch.autograd.backward(loss)
                optimizer.step()
                step += 1
                total += float(loss.detach())
        yield total / (task.steps * len(network.embed))


@torch.no_grad()
def predict_residual(network: ResidualGNN, graphs: ResidualGraphs) -> NDArray[np.float32]:
    """Return each member's outputs of each graph, ``[M, N, targets]``."""
    device = network.embed.device
    if use_compiled(device, [network.activation]):
        from pyg_nas.engine.numba_residual import residual_outputs

        return residual_outputs(network, graphs)
    parts = [np.empty((len(network.embed), 0, network.output.shape[2]), dtype=np.float32)]
    for start in range(0, len(graphs.graph), _CHUNK):
        chunk = graphs.select(slice(start, start + _CHUNK))
        inputs = DenseResidualInputs.from_graphs(chunk).to(device)
        parts.append(dense_residual(network, inputs.select(None)).cpu().numpy())
    return np.concatenate(parts, axis=1)
