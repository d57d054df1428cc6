"""Training on a GPU: all members in one batched product, as calls are what takes time there."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from pyg_nas.engine.dropout import DropoutMasks
from pyg_nas.engine.rule import (
    TrainingTask,
    adam,
    batch_loss,
    draw_batches,
    loss_gradient,
)
from pyg_nas.engine.torch_pass import TrainingCells, TrainingPass

_GATHERED_STEPS = 32  # batches gathered at once, to save calls


class StackedTrainer:
    """Train the networks of a task, in place."""

    def __init__(self, task: TrainingTask) -> None:
        members, cells, targets, weights, rule, seeds = task
        self._members = members
        self._cells = TrainingCells.from_dense(cells)
        self._targets = targets
        self._weights = weights
        self._rule = rule
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        batch = min(rule.batch_size, targets.numel())
        self._network = TrainingPass(members, batch, cells.x.size(1))
        self._masks = DropoutMasks(
            self._generators, self._network.mask_shapes, members[0].dropout, targets.device
        )
        self._optimizer, self._scheduler = adam([self._network.weights], rule)

    def epochs(self) -> Iterator[Tensor]:
        """Train; yield the members' mean loss ``[M]`` after each epoch."""
        for _ in range(self._rule.epochs):
            yield self._train_epoch()
        self._network.copy_to(self._members)

    def _train_epoch(self) -> Tensor:
        total = self._targets.numel()
        orders = [draw_batches(g, total, self._rule) for g in self._generators]
        index = torch.stack(orders, dim=1)  # [steps, M, B]
        losses = []
        for part in torch.split(index.to(self._targets.device), _GATHERED_STEPS):
            targets, weights = self._targets[part], self._weights[part]
            cells = self._cells.select(part)
            predicted = torch.empty_like(targets)
            for step in range(len(part)):
                batch = TrainingCells(*(tensor[step] for tensor in cells))
                predicted[step] = self._network.forward(batch, self._masks.draw())
                self._network.backward(
                    loss_gradient(self._rule, predicted[step], targets[step], weights[step])
                )
                self._optimizer.step()
            losses.append(batch_loss(self._rule, predicted, targets, weights))
        self._scheduler.step()
        return torch.cat(losses).mean(dim=0).cpu()
