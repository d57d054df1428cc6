"""Training of GCNs: members of an ensemble are trained together but independently.

Every member has its own random stream for its batch order and dropout, so that its result depends
neither on the other members nor on the backend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from pyg_nas.compute.generators import seeded_generator
from pyg_nas.engine.dropout import DropoutMasks, mask_shapes
from pyg_nas.engine.gcn_config import TrainingConfig, TrainingTask, adam, batch_loss, draw_batches
from pyg_nas.engine.paths import use_compiled
from pyg_nas.engine.progress import OnEpoch
from pyg_nas.nn.dense import DenseCells, DenseGCN
from pyg_nas.nn.gcn import GCN


def train_stacked(
    members: Sequence[GCN],
    cells: DenseCells,
    targets: Tensor,
    config: TrainingConfig,
    seeds: Sequence[int],
    *,
    weights: Tensor | None = None,
    progress: OnEpoch | None = None,
) -> Tensor:
    """Train ``M`` networks of one shape together on padded tensors, in place.

    Args:
        members: The networks, on the device of ``cells``.
        cells: ``N`` training cells.
        targets: ``[N]``.
        config: The training settings.
        seeds: One random seed for each member, for its batch order and dropout.
        weights: ``[N]`` weights of the cells in the loss; by default all 1.
        progress: Called after each epoch.

    Returns:
        Mean training loss by epoch and member, ``[epochs, M]``.
    """
    weights = torch.ones_like(targets) if weights is None else weights
    task = TrainingTask(members, cells, targets, weights, config, seeds)
    history = torch.zeros(config.epochs, len(members))
    for epoch, losses in enumerate(_epochs(task)):
        history[epoch] = losses
        if progress is not None:
            progress(epoch + 1, float(history[epoch].mean()))
    return history


def _epochs(task: TrainingTask) -> Iterator[Tensor]:
    if use_compiled(task.targets.device, [member.activation for member in task.members]):
        from pyg_nas.engine.compiled import gcn_epochs

        return gcn_epochs(task)
    return torch_epochs(task)


def torch_epochs(task: TrainingTask) -> Iterator[Tensor]:
    """Train by torch on any device; yield the members' mean loss ``[M]`` after each epoch."""
    members, cells, targets, weights, config, seeds = task
    generators = [seeded_generator(seed) for seed in seeds]
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


def train_sparse(
    member: GCN,
    gather: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]],
    real: Tensor,
    targets: Tensor,
    config: TrainingConfig,
    seed: int,
    *,
    weights: Tensor | None = None,
    progress: OnEpoch | None = None,
) -> Tensor:
    """Train one network by sparse message passing, in place, with the same random choices.

    Args:
        member: The network, on the device of ``targets``.
        gather: Returns ``x``, ``edge_index`` and ``batch`` of the training cells of an index.
        real: bool ``[N, V]``, False at padding: as in :func:`train_stacked`, dropout is drawn for
            padding too.
        targets: ``[N]``.
        config: The training settings.
        seed: Random seed of batch order and dropout.
        weights: ``[N]`` weights of the cells in the loss; by default all 1.
        progress: Called after each epoch.

    Returns:
        Mean training loss by epoch, ``[epochs, 1]``.
    """
    device = targets.device
    optimizer, scheduler = adam(member.parameters(), config)
    generator = seeded_generator(seed)
    batch_size = min(config.batch_size, targets.numel())
    shapes = mask_shapes(member, batch_size, real.size(1))
    masks = DropoutMasks([generator], shapes, member.dropout, device)
    weights = torch.ones_like(targets) if weights is None else weights
    history = torch.zeros(config.epochs, 1)
    for epoch in range(config.epochs):
        batches = draw_batches(generator, targets.numel(), config)
        losses = torch.empty(len(batches))
        for step, index in enumerate(batches):
            *layers, last = (mask.squeeze(0) for mask in masks.draw())
            keep = [layer[real[index]] for layer in layers]
            x, edge_index, batch = gather(index)
            predicted = member(x, edge_index, batch, len(index), keep=[*keep, last])
            loss = batch_loss(config, predicted, targets[index], weights[index])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            losses[step] = loss.detach()
        scheduler.step()
        history[epoch] = losses.mean()
        if progress is not None:
            progress(epoch + 1, float(history[epoch]))
    return history
