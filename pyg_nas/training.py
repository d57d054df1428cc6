"""The fitting loop: members of an ensemble trained together, each as if it were alone.

Every member has its own random stream for its initial weights, batch order and dropout, so its
result does not depend on which other members are trained beside it, nor on the backend.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from pyg_nas.nn.dense import DenseCells
from pyg_nas.nn.models import GCN
from pyg_nas.nn.stacked import StackedGCN

Progress = Callable[[int, float], None]
"""Called after each epoch with its number, from 1, and the members' mean training loss."""

_DROP_LEVELS = 2**16


@dataclass(frozen=True)
class TrainingSettings:
    """The paper's training rule (arXiv:1912.00848, section 4 and its reproduction).

    Adam (β 0.9, 0.999) with L2 in the gradient, cosine to zero by epoch, random batches with
    the last partial batch dropped.

    Args:
        epochs: Passes over the training cells.
        batch_size: Cells in a batch; all of them where there are fewer.
        learning_rate: Of the first epoch.
        weight_decay: L2 coefficient.
        loss: ``"mse"`` on normalised targets or ``"bce"`` on logits and 0/1 targets.
    """

    epochs: int = 300
    batch_size: int = 10
    learning_rate: float = 1e-4
    weight_decay: float = 1e-3
    loss: Literal["mse", "bce"] = "mse"


def train_stacked(
    members: Sequence[GCN],
    cells: DenseCells,
    targets: Tensor,
    settings: TrainingSettings,
    seeds: Sequence[int],
    *,
    rows: Tensor | None = None,
    weights: Tensor | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Train ``M`` networks of one shape at once on padded tensors, in place.

    Args:
        members: The networks, on the device of ``cells``.
        cells: ``N`` training cells.
        targets: ``[N]``.
        settings: The training rule.
        seeds: One for each member, for its batch order and dropout.
        rows: int64 ``[M, n]``, each member's own training cells; by default all ``N`` for all.
        weights: ``[N]`` weights of the cells in the loss; by default all 1.
        progress: Called after each epoch.

    Returns:
        Mean training loss by epoch and member, ``[epochs, M]``.
    """
    device = targets.device
    stacked = StackedGCN(members)
    optimizer = torch.optim.Adam(
        stacked.parameters(),
        lr=settings.learning_rate,
        weight_decay=settings.weight_decay,
        fused=True,
    )
    streams = [
        _member_stream(
            seed, member, targets.numel() if rows is None else rows.size(1), cells, settings
        )
        for seed, member in zip(seeds, members, strict=True)
    ]
    history = torch.zeros(settings.epochs, len(members))
    for epoch in range(settings.epochs):
        _set_learning_rate(optimizer, settings, epoch)
        orders, masks = zip(*(next(stream) for stream in streams), strict=True)
        order = torch.stack(orders)  # [M, steps, B]
        if rows is not None:
            order = rows.cpu().gather(1, order.flatten(1)).view_as(order)
        order = order.to(device)
        keep = [torch.stack(layer).to(device) for layer in zip(*masks, strict=True)]
        losses = torch.zeros(len(members), device=device)
        for step in range(order.size(1)):
            index = order[:, step]
            mask = [layer[:, step] for layer in keep] if keep else None
            predicted = stacked(cells[index], mask)
            loss = _loss(settings, predicted, targets[index], weights, index)
            optimizer.zero_grad()
            loss.sum().backward()
            optimizer.step()
            losses += loss.detach()
        history[epoch] = losses.cpu() / order.size(1)
        if progress is not None:
            progress(epoch + 1, float(history[epoch].mean()))
    stacked.copy_to(members)
    return history


def train_sparse(
    member: GCN,
    gather: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]],
    cells: DenseCells,
    targets: Tensor,
    settings: TrainingSettings,
    seed: int,
    *,
    weights: Tensor | None = None,
    progress: Progress | None = None,
) -> Tensor:
    """Train one network by sparse message passing, in place, with the same random choices.

    Args:
        member: The network, on the device of ``targets``.
        gather: Gives ``x``, ``edge_index`` and ``batch`` of the training cells of an index.
        cells: The training cells; only their shape is used, to draw dropout as
            :func:`train_stacked` does.
        targets: ``[N]``.
        settings: The training rule.
        seed: For batch order and dropout.
        weights: ``[N]`` weights of the cells in the loss; by default all 1.
        progress: Called after each epoch.

    Returns:
        Mean training loss by epoch, ``[epochs, 1]``.
    """
    device = targets.device
    optimizer = torch.optim.Adam(
        member.parameters(), lr=settings.learning_rate, weight_decay=settings.weight_decay
    )
    stream = _member_stream(seed, member, targets.numel(), cells, settings)
    real = (cells.pool.squeeze(-2) > 0).cpu()
    history = torch.zeros(settings.epochs, 1)
    for epoch in range(settings.epochs):
        _set_learning_rate(optimizer, settings, epoch)
        order, masks = next(stream)
        total = torch.zeros((), device=device)
        for step, index in enumerate(order):
            keep = None
            if masks:
                vertices = real[index]
                keep = [layer[step][vertices].to(device) for layer in masks[:-1]]
                keep.append(masks[-1][step].to(device))
            x, edge_index, batch = gather(index)
            predicted = member(x, edge_index, batch, len(index), keep=keep)
            index = index.to(device)
            loss = _loss(settings, predicted, targets[index], weights, index)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            total += loss.detach()
        history[epoch] = total.cpu() / len(order)
        if progress is not None:
            progress(epoch + 1, float(history[epoch]))
    return history


def _loss(
    settings: TrainingSettings,
    predicted: Tensor,
    target: Tensor,
    weights: Tensor | None,
    index: Tensor,
) -> Tensor:
    """Mean loss over the batch: ``[..., B]`` to ``[...]``, so that members stay independent."""
    if settings.loss == "mse":
        each = (predicted - target) ** 2
    else:
        each = F.binary_cross_entropy_with_logits(predicted, target, reduction="none")
    if weights is not None:
        each = each * weights[index]
    return each.mean(dim=-1)


def _set_learning_rate(
    optimizer: torch.optim.Optimizer, settings: TrainingSettings, epoch: int
) -> None:
    cosine = 0.5 * (1 + math.cos(math.pi * epoch / settings.epochs))
    for group in optimizer.param_groups:
        group["lr"] = settings.learning_rate * cosine


def _member_stream(
    seed: int, member: GCN, total: int, cells: DenseCells, settings: TrainingSettings
) -> Iterator[tuple[Tensor, list[Tensor]]]:
    """Yield, for each epoch, batches ``[steps, B]`` and keep masks ``[steps, B, ...]`` a layer.

    Drawn on the CPU whatever the device, so that a seed means the same everywhere.
    """
    generator = torch.Generator().manual_seed(seed)
    batch = min(settings.batch_size, total)
    steps = total // batch
    vertices = cells.x.size(1)
    shapes = [(steps, batch, vertices, conv.out_channels) for conv in member.convs]
    shapes.append((steps, batch, member.head.out_features))
    while True:
        order = torch.randperm(total, generator=generator)[: steps * batch].view(steps, batch)
        masks = [_keep(shape, member.dropout, generator) for shape in shapes]
        yield order, masks if member.dropout > 0 else []


def _keep(shape: tuple[int, ...], dropout: float, generator: torch.Generator) -> Tensor:
    """Draw a dropout mask, true with probability ``1 - dropout`` to within 1 / 65,536.

    One 64-bit random number serves four features: drawing masks would otherwise take longer
    than an ensemble's arithmetic.
    """
    count = math.prod(shape)
    bits = torch.empty(-(-count // 4), dtype=torch.int64)
    bits.random_(-(2**63), None, generator=generator)
    levels = bits.view(torch.int16)[:count].view(shape)
    return levels >= round(dropout * _DROP_LEVELS) - _DROP_LEVELS // 2
