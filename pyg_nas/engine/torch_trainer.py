"""Training by torch on any device: batched products of all members, gradients by autograd."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from pyg_nas.engine.config import TrainingTask, adam, batch_loss, draw_batches
from pyg_nas.engine.dropout import DropoutMasks, mask_shapes
from pyg_nas.nn.dense import DenseGCN


def torch_epochs(task: TrainingTask) -> Iterator[Tensor]:
    """Train the networks in place; yield the members' mean loss ``[M]`` after each epoch."""
    members, cells, targets, weights, config, seeds = task
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    network = DenseGCN(members)
    batch = min(config.batch_size, targets.numel())
    shapes = mask_shapes(members[0], batch, cells.x.size(1))
    masks = DropoutMasks(generators, shapes, network.dropout, targets.device)
    optimizer, scheduler = adam(network.parameters(), config)
    for _ in range(config.epochs):
        orders = [draw_batches(generator, targets.numel(), config) for generator in generators]
        losses = []
        for index in torch.stack(orders, dim=1).to(targets.device):  # [M, B] a step
            predicted = network(cells[index], masks.draw())
            loss = batch_loss(config, predicted, targets[index], weights[index])  # [M]
            optimizer.zero_grad()
            # A sum over members: their gradients are those of members trained alone.
            torch.autograd.backward(loss.sum())
            optimizer.step()
            losses.append(loss.detach())
        scheduler.step()
        yield torch.stack(losses).mean(dim=0).cpu()
    network.copy_to(members)
