"""The fitting loop: members of an ensemble trained together, each as if it were alone.

Every member has its own random stream for its batch order and dropout, so its result does not
depend on which other members are trained beside it, nor on the backend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

from pyg_nas.nn.dense import DenseCells
from pyg_nas.nn.dropout import DropoutMasks
from pyg_nas.nn.models import GCN
from pyg_nas.nn.training_pass import TrainingCells, TrainingPass
from pyg_nas.threads import single_threaded_pool

Progress = Callable[[int, float], None]
"""Called after each epoch with its number, from 1, and the members' mean training loss."""

_FEW_MEMBERS = 4  # on two cores these train in 0.7 to 0.9 of the time
_GATHERED_STEPS = 32  # batches gathered at once; many more would leave the cache


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
    if rows is None:
        rows = torch.arange(targets.numel()).expand(len(members), -1)
    interleaved = TrainingCells.from_dense(cells)
    # Threads share out the members, unless there are so few that threads inside the products
    # gain more: Python's lock hinders the former.
    few = targets.is_cuda or len(members) <= _FEW_MEMBERS
    threads = 1 if few else min(torch.get_num_threads(), len(members))
    groups = [
        _Group(
            [members[m] for m in part],
            interleaved,
            targets,
            weights,
            settings,
            [seeds[m] for m in part],
            rows[part],
        )
        for part in torch.arange(len(members)).tensor_split(threads)
    ]
    history = torch.zeros(settings.epochs, len(members))
    with single_threaded_pool(threads) as pool:
        over = pool.map if threads > 1 else map
        for epoch in range(settings.epochs):
            history[epoch] = torch.cat(list(over(_Group.train_epoch, groups)))
            if progress is not None:
                progress(epoch + 1, float(history[epoch].mean()))
    for group in groups:
        group.finish()
    return history


class _Group:
    """The members that one thread trains; :meth:`train_epoch` is called once for each epoch."""

    def __init__(
        self,
        members: Sequence[GCN],
        cells: TrainingCells,
        targets: Tensor,
        weights: Tensor | None,
        settings: TrainingSettings,
        seeds: Sequence[int],
        rows: Tensor,
    ) -> None:
        self._members = members
        self._cells = cells
        self._targets = targets
        self._weights = torch.ones_like(targets) if weights is None else weights
        self._settings = settings
        self._rows = rows.cpu()
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]
        batch = min(settings.batch_size, rows.size(1))
        self._network = TrainingPass(members, batch, cells.x.size(1))
        self._masks = DropoutMasks(
            self._generators, self._network.mask_shapes, members[0].dropout, targets.device
        )
        self._optimizer, self._scheduler = _optimizer([self._network.weights], settings)

    def train_epoch(self) -> Tensor:
        """Return the members' mean loss, ``[M]``."""
        orders = [_batches(g, self._rows.size(1), self._settings) for g in self._generators]
        index = torch.stack(orders, dim=1)  # [steps, M, B]
        index = self._rows.unsqueeze(0).expand(len(index), -1, -1).gather(2, index)
        losses = []
        for part in torch.split(index.to(self._targets.device), _GATHERED_STEPS):
            targets, weights = self._targets[part], self._weights[part]
            cells = self._cells.select(part)
            predicted = torch.empty_like(targets)
            for step in range(len(part)):
                batch = TrainingCells(*(tensor[step] for tensor in cells))
                predicted[step] = self._network.forward(batch, self._masks.draw())
                self._network.backward(
                    _loss_gradient(self._settings, predicted[step], targets[step], weights[step])
                )
                self._optimizer.step()
            losses.append(_loss(self._settings, predicted, targets, weights))
        self._scheduler.step()
        return torch.cat(losses).mean(dim=0).cpu()

    def finish(self) -> None:
        """Write the trained weights into the members."""
        self._network.copy_to(self._members)


def train_sparse(
    member: GCN,
    gather: Callable[[Tensor], tuple[Tensor, Tensor, Tensor]],
    real: Tensor,
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
        real: bool ``[N, V]``, which padded vertices the cells have: dropout is drawn for all of
            them, as :func:`train_stacked` does.
        targets: ``[N]``.
        settings: The training rule.
        seed: For batch order and dropout.
        weights: ``[N]`` weights of the cells in the loss; by default all 1.
        progress: Called after each epoch.

    Returns:
        Mean training loss by epoch, ``[epochs, 1]``.
    """
    device = targets.device
    optimizer, scheduler = _optimizer(member.parameters(), settings)
    generator = torch.Generator().manual_seed(seed)
    batch_size = min(settings.batch_size, targets.numel())
    vertices = real.size(1)
    shapes: list[tuple[int, ...]] = [(batch_size, vertices, member.head.in_features)]
    shapes *= len(member.convs)
    shapes.append((batch_size, member.head.out_features))
    masks = DropoutMasks([generator], shapes, member.dropout, device)
    weights = torch.ones_like(targets) if weights is None else weights
    history = torch.zeros(settings.epochs, 1)
    for epoch in range(settings.epochs):
        batches = _batches(generator, targets.numel(), settings)
        losses = torch.empty(len(batches))
        for step, index in enumerate(batches):
            *layers, last = (mask.squeeze(0) for mask in masks.draw())
            keep = [layer[real[index]] for layer in layers]
            x, edge_index, batch = gather(index)
            predicted = member(x, edge_index, batch, len(index), keep=[*keep, last])
            loss = _loss(settings, predicted, targets[index], weights[index])
            optimizer.zero_grad()
            torch.autograd.backward(loss)
            optimizer.step()
            losses[step] = loss.detach()
        scheduler.step()
        history[epoch] = losses.mean()
        if progress is not None:
            progress(epoch + 1, float(history[epoch]))
    return history


def _batches(generator: torch.Generator, total: int, settings: TrainingSettings) -> Tensor:
    """Draw the batches of one epoch, ``[steps, B]``, without the last partial one.

    Drawn on the CPU whatever the device, so that a seed means the same everywhere.
    """
    batch = min(settings.batch_size, total)
    steps = total // batch
    return torch.randperm(total, generator=generator)[: steps * batch].view(steps, batch)


def _loss(settings: TrainingSettings, predicted: Tensor, target: Tensor, weight: Tensor) -> Tensor:
    """Mean loss over the batch, ``[..., B]`` to ``[...]``."""
    if settings.loss == "mse":
        each = (predicted - target) ** 2
    else:
        each = F.binary_cross_entropy_with_logits(predicted, target, reduction="none")
    return (each * weight).mean(dim=-1)


def _loss_gradient(
    settings: TrainingSettings, predicted: Tensor, target: Tensor, weight: Tensor
) -> Tensor:
    """Gradient of :func:`_loss` with respect to ``predicted``."""
    slope = 2 * (predicted - target) if settings.loss == "mse" else predicted.sigmoid() - target
    return slope * weight / target.size(-1)


def _optimizer(
    parameters: Iterable[Tensor], settings: TrainingSettings
) -> tuple[torch.optim.Adam, torch.optim.lr_scheduler.CosineAnnealingLR]:
    optimizer = torch.optim.Adam(
        parameters, lr=settings.learning_rate, weight_decay=settings.weight_decay, fused=True
    )
    return optimizer, torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, settings.epochs)
