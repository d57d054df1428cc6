"""Training by torch on any device: batched products of all members, gradients by autograd."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from pyg_nas.engine.config import TrainingTask, adam, batch_loss, draw_batches
from pyg_nas.engine.dropout import DropoutMasks, mask_shapes
from pyg_nas.nn.dense import DenseGCN


class TorchTrainer:
    """Train the networks of a task, in place."""

    def __init__(self, task: TrainingTask) -> None:
        self._task = task
        self._generators = [torch.Generator().manual_seed(seed) for seed in task.seeds]
        self._network = DenseGCN(task.members)
        batch = min(task.config.batch_size, task.targets.numel())
        self._masks = DropoutMasks(
            self._generators,
            mask_shapes(task.members[0], batch, task.cells.x.size(1)),
            self._network.dropout,
            task.targets.device,
        )
        self._optimizer, self._scheduler = adam(self._network.parameters(), task.config)

    def epochs(self) -> Iterator[Tensor]:
        """Train; yield the members' mean loss ``[M]`` after each epoch."""
        for _ in range(self._task.config.epochs):
            yield self._train_epoch()
        self._network.copy_to(self._task.members)

    def _train_epoch(self) -> Tensor:
        _, cells, targets, weights, config, _ = self._task
        orders = [draw_batches(g, targets.numel(), config) for g in self._generators]
        losses = []
        for index in torch.stack(orders, dim=1).to(targets.device):  # [M, B] a step
            predicted = self._network(cells[index], self._masks.draw())
            loss = batch_loss(config, predicted, targets[index], weights[index])  # [M]
            self._optimizer.zero_grad()
            # A sum over members: their gradients are those of members trained alone.
            torch.autograd.backward(loss.sum())
            self._optimizer.step()
            losses.append(loss.detach())
        self._scheduler.step()
        return torch.stack(losses).mean(dim=0).cpu()
