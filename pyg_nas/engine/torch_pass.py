"""Forward and backward pass of stacked GCNs in training, written out by hand.

At ten cells a batch, autograd's bookkeeping and the memory it allocates cost more than the matrix
products. Here the products are all that is left: six large ones a step at the paper's depth, each
over all members, into buffers that are made once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from pyg_nas.nn.conv import joined_weights, set_joined_weights
from pyg_nas.nn.dense import DenseCells
from pyg_nas.nn.gcn import GCN


class TrainingCells(NamedTuple):
    """Cells as :class:`TrainingPass` takes them.

    Attributes:
        x: One-hot operations ``[..., V, columns]``.
        propagation: ``[..., 2V, 2V]``, both directions in one matrix: its row and column ``2v``
            belong to ``Â``, ``2v + 1`` to ``Â'`` at vertex v.
        pool: ``[..., 1, V]``, weights of the readout's mean.
    """

    x: Tensor
    propagation: Tensor
    pool: Tensor

    @classmethod
    def from_dense(cls, cells: DenseCells) -> TrainingCells:
        """Interleave the two directions of ``cells``."""
        count, _, vertices, _ = cells.propagation.shape
        both = cells.propagation.new_zeros(count, vertices, 2, vertices, 2)
        for direction in range(2):
            both[:, :, direction, :, direction] = cells.propagation[:, direction]
        return cls(cells.x, both.view(count, 2 * vertices, 2 * vertices), cells.pool)

    def select(self, index: Tensor) -> TrainingCells:
        """Return the cells of an index of any shape, its dimensions leading."""
        return TrainingCells(self.x[index], self.propagation[index], self.pool[index])


class TrainingPass:
    """``M`` GCNs of one shape on one batch each: predictions, and gradients of their weights.

    A direction's weights are applied before its neighbours are gathered, so that both directions
    share one product; their features are interleaved by vertex. The constant factors of dropout
    and of the mean of both directions pass through ReLU unchanged and are applied once, in the
    readout.

    Args:
        members: Networks of one shape; their weights are copied.
        batch_size: Cells in every member's batch, ``B``.
        vertices: Padded vertices of a cell, ``V``.

    Attributes:
        weights: All weights in one flat leaf tensor, whose ``grad`` :meth:`backward` overwrites:
            of each convolution ``[M, C_in, 2 C_out]`` (W+ beside W-), of the head ``[M, C, head]``
            and of the output ``[M, head, 1]``. An optimizer then takes one step, not many.
        mask_shapes: Shape of each layer's dropout mask for one member.
    """

    def __init__(self, members: Sequence[GCN], batch_size: int, vertices: int) -> None:
        with torch.no_grad():
            stacked = [
                torch.stack([joined_weights(conv) for conv in layer])
                for layer in zip(*(member.convs for member in members), strict=True)
            ]
            stacked.append(torch.stack([member.head.weight.T for member in members]))
            stacked.append(torch.stack([member.output.weight.T for member in members]))
            self.weights = torch.cat([weight.flatten() for weight in stacked])
        self.weights.grad = torch.empty_like(self.weights)
        *self._convs, self._head, self._output = _views(self.weights, stacked)
        *self._conv_grads, self._head_grad, self._output_grad = _views(self.weights.grad, stacked)
        count, depth = len(members), len(self._convs)
        _, hidden, head = self._head.shape
        self.mask_shapes: list[tuple[int, ...]] = [(batch_size, vertices, hidden)] * depth
        self.mask_shapes.append((batch_size, head))
        self._scale = 0.5**depth / (1.0 - members[0].dropout) ** (depth + 1)
        empty = self._head.new_empty
        self._mixed = empty(count, batch_size * vertices, 2 * hidden)
        self._gathered = [empty(count * batch_size, 2 * vertices, hidden) for _ in range(depth)]
        self._hidden = [empty(count, batch_size, vertices, hidden) for _ in range(depth)]
        self._gradient = empty(count, batch_size, vertices, hidden)

    def forward(self, cells: TrainingCells, keep: Sequence[Tensor]) -> Tensor:
        """Return one number for each member and cell, ``[M, B]``.

        Args:
            cells: A batch for each member, tensors ``[M, B, ...]``.
            keep: Dropout masks of 0 and 1, ``[M, *shape]`` for each of :attr:`mask_shapes`.
        """
        h = cells.x
        propagation = cells.propagation.flatten(0, 1)
        for weight, gathered, hidden, kept in zip(
            self._convs, self._gathered, self._hidden, keep[:-1], strict=True
        ):
            torch.bmm(h.flatten(1, 2), weight, out=self._mixed)
            torch.bmm(propagation, self._mixed.view_as(gathered), out=gathered)
            outward, inward = gathered.relu_().view(*hidden.shape[:3], 2, -1).unbind(-2)
            h = torch.add(outward, inward, out=hidden).mul_(kept)
        self._pool = cells.pool * self._scale
        self._pooled = torch.matmul(self._pool, h).squeeze(-2)
        self._top = torch.bmm(self._pooled, self._head).mul_(keep[-1])
        self._cells, self._keep = cells, keep
        return torch.bmm(self._top, self._output).squeeze(-1)

    def backward(self, gradient: Tensor) -> None:
        """Write the gradients of the loss with respect to all weights into their ``grad``.

        Args:
            gradient: Of the loss with respect to the last :meth:`forward`'s result, ``[M, B]``.
        """
        gradient = gradient.unsqueeze(-1)
        torch.bmm(self._top.mT, gradient, out=self._output_grad)
        top = torch.bmm(gradient, self._output.mT).mul_(self._keep[-1])
        torch.bmm(self._pooled.mT, top, out=self._head_grad)
        pooled = torch.bmm(top, self._head.mT)
        dh = torch.mul(self._pool.mT, pooled.unsqueeze(-2), out=self._gradient)
        backwards = self._cells.propagation.flatten(0, 1).mT
        for layer in reversed(range(len(self._convs))):
            weight, gathered = self._convs[layer], self._gathered[layer]
            dh.mul_(self._keep[layer])
            # The sign of ReLU's result is its derivative.
            both = gathered.sign_().view(*dh.shape[:3], 2, -1)
            both.mul_(dh.unsqueeze(-2))
            torch.bmm(backwards, gathered, out=self._mixed.view_as(gathered))
            below = self._hidden[layer - 1] if layer else self._cells.x
            torch.bmm(below.flatten(1, 2).mT, self._mixed, out=self._conv_grads[layer])
            if layer:
                torch.bmm(self._mixed, weight.mT, out=dh.flatten(1, 2))

    @torch.no_grad()
    def copy_to(self, members: Sequence[GCN]) -> None:
        """Write the stacked weights back into single networks."""
        for index, member in enumerate(members):
            for conv, weight in zip(member.convs, self._convs, strict=True):
                set_joined_weights(conv, weight[index])
            member.head.weight.copy_(self._head[index].T)
            member.output.weight.copy_(self._output[index].T)


def _views(flat: Tensor, like: Sequence[Tensor]) -> list[Tensor]:
    """Cut a flat tensor into consecutive parts of the shapes of ``like``."""
    parts = torch.split(flat, [tensor.numel() for tensor in like])
    return [part.view_as(tensor) for part, tensor in zip(parts, like, strict=True)]
