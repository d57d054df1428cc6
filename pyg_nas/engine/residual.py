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

from pyg_nas.compute.light_optimizer import light_optimizer
from pyg_nas.compute.threads import single_threaded
from pyg_nas.engine.adam import ADAM_EPSILON, one_cycle
from pyg_nas.engine.paths import use_compiled
from pyg_nas.engine.progress import OnEpoch
from pyg_nas.nn.dense_residual import DenseResidualInputs, ResidualGraphs, dense_residual
from pyg_nas.nn.residual_gnn import ResidualGNN, mask_shapes

_CHUNK = 256  # graphs that torch predicts in one pass
# Up to this width torch's threads save only a tenth of its small steps, and beside other busy
# processes they wait for each other so long that training takes twenty times as long.
_NARROW = 64
BETA2 = 0.99
"""Adam's second constant, as fastai has it."""
_RISING = 0.15  # the part of the steps in which the learning rate rises


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

    def cycle(self, steps: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return learning rate and Adam's first beta of each step, ``[epochs * steps]`` each."""
        total = self.epochs * steps
        rates, betas = one_cycle(max(2, total), self.learning_rate, _RISING)
        return rates[:total], betas[:total]


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

    @property
    def mask_shapes(self) -> list[tuple[int, ...]]:
        """Shapes of one step's dropout masks, which are drawn for padding too."""
        padded = self.batch_size * self.graphs.vertices.shape[1]
        return mask_shapes(self.network, self.batch_size, padded)

    def draw_batches(self) -> Tensor:
        """Draw one epoch's batches, int64 ``[steps, M, B]``."""
        rows = [row[torch.randperm(len(row), generator=self.shuffler)] for row in self.kept]
        used = torch.stack(rows)[:, : self.steps * self.batch_size]
        return used.view(len(rows), self.steps, self.batch_size).transpose(0, 1)

    def draw_masks(self, masks: Sequence[Tensor]) -> None:
        """Draw one step's dropout masks, of :attr:`mask_shapes`."""
        kept = 1 - self.network.dropout
        for mask in masks:
            if mask.device.type == "cpu":
                # bernoulli_ draws other numbers on some processors than on others.
                numbers = torch.rand(mask.shape, dtype=torch.float64, generator=self.generator)
                torch.lt(numbers, kept, out=mask)
            else:
                mask.bernoulli_(kept, generator=self.generator)


def weight_decay_of(parameter: Tensor, config: ResidualTrainingConfig) -> float:
    """Return the weight decay of a parameter ``[M, rows, columns]``; biases and gains have none."""
    return config.weight_decay if parameter.shape[1] > 1 else 0.0


def optimizer_of(network: ResidualGNN, config: ResidualTrainingConfig) -> torch.optim.AdamW:
    """Return AdamW over the network's parameters."""
    groups: dict[float, list[Tensor]] = {config.weight_decay: [], 0.0: []}
    for parameter in network.parameters():
        groups[weight_decay_of(parameter, config)].append(parameter)
    return light_optimizer(torch.optim.AdamW)(
        [{"params": group, "weight_decay": decay} for decay, group in groups.items()],
        lr=config.learning_rate,
        betas=(0.9, BETA2),
        eps=ADAM_EPSILON,
    )


def take_step(optimizer: torch.optim.Optimizer, errors: Tensor, rate: float, beta1: float) -> float:
    """Take one step along the gradient of squared errors; return the sum of the members' losses.

    Args:
        optimizer: :func:`optimizer_of` the network.
        errors: Squared errors ``[M, B, ...]``.
        rate: Learning rate of the step.
        beta1: Adam's first beta of the step.
    """
    for group in optimizer.param_groups:
        group.update(lr=rate, betas=(beta1, BETA2))
    # A sum over members: their gradients are those of members trained alone.
    loss = errors.mean(dim=tuple(range(1, errors.dim()))).sum()
    optimizer.zero_grad()
    torch.autograd.backward(loss)
    optimizer.step()
    return float(loss.detach())


def train_residual(task: ResidualTask, progress: OnEpoch | None = None) -> NDArray[np.float64]:
    """Train residual networks in place; return the members' mean loss by epoch ``[epochs]``."""
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
        from pyg_nas.engine.compiled import residual_epochs

        return residual_epochs(task)
    return torch_epochs(task)


def torch_epochs(task: ResidualTask) -> Iterator[float]:
    """Train by torch on any device; yield the members' mean loss after each epoch."""
    network, device = task.network, task.targets.device
    inputs = DenseResidualInputs.from_graphs(task.graphs).to(device)
    masks = [torch.ones(shape, dtype=torch.uint8, device=device) for shape in task.mask_shapes]
    optimizer = optimizer_of(network, task.config)
    rates, betas = task.config.cycle(task.steps)
    step = 0
    alone = device.type == "cpu" and network.embed.shape[2] <= _NARROW
    for _ in range(task.config.epochs):
        total = 0.0
        with single_threaded() if alone else nullcontext():
            for index in task.draw_batches().to(device):  # [M, B]
                if network.dropout:
                    task.draw_masks(masks)
                predicted = dense_residual(
                    network, inputs.select(index), masks if network.dropout else None
                )
                errors = (predicted - task.targets[index]).square()
                if task.weights is not None:
                    errors = errors * task.weights[index][..., None]
                total += take_step(optimizer, errors, rates[step], betas[step])
                step += 1
        yield total / (task.steps * len(network.embed))


@torch.no_grad()
def predict_residual(network: ResidualGNN, graphs: ResidualGraphs) -> NDArray[np.float32]:
    """Return each member's outputs of each graph, ``[M, N, targets]``."""
    device = network.embed.device
    if use_compiled(device, [network.activation]):
        from pyg_nas.engine.compiled import residual_outputs

        return residual_outputs(network, graphs)
    parts = [np.empty((len(network.embed), 0, network.output.shape[2]), dtype=np.float32)]
    for start in range(0, len(graphs.graph), _CHUNK):
        chunk = graphs.select(slice(start, start + _CHUNK))
        inputs = DenseResidualInputs.from_graphs(chunk).to(device)
        parts.append(dense_residual(network, inputs.select(None)).cpu().numpy())
    return np.concatenate(parts, axis=1)
