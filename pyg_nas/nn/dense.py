"""Cells as padded tensors, and the networks of :mod:`pyg_nas.nn.gcn` as batched products on them.

Cells are so small (7 vertices in NAS-Bench-101) that padding wastes little, and a batched product
needs no indexing. Only plain torch operations are used, on any device, for inference and training.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor, nn

from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.nn.gcn import GCN


class DenseCells(NamedTuple):
    """``N`` cells as padded tensors.

    Attributes:
        x: One-hot operations ``[N, V, columns]``, zero at padding.
        propagation: ``[N, 2, V, V]``, ``Â`` and ``Â'`` of each cell, zero at padding.
        pool: ``[N, 1, V]``, 1 / V at real vertices, zero at padding: the readout's mean.
    """

    x: Tensor
    propagation: Tensor
    pool: Tensor

    def __getitem__(self, index: Tensor) -> DenseCells:  # type: ignore[override]
        """Select cells; an index ``[M, B]`` gives tensors with two leading dimensions."""
        return DenseCells(self.x[index], self.propagation[index], self.pool[index])

    def to(self, device: torch.device | str) -> DenseCells:
        """Move all three to a device."""
        return DenseCells(*(tensor.to(device) for tensor in self))


def dense_cells(cells: CellArray) -> DenseCells:
    """Return ``cells`` as padded tensors on the CPU (see :class:`DenseCells`)."""
    return padded_cells(
        torch.from_numpy(cells.adjacency.astype(np.float32)),
        torch.from_numpy(cells.columns),
        torch.from_numpy(cells.mask).float(),
        cells.space.num_columns,
    )


def padded_cells(adjacency: Tensor, columns: Tensor, mask: Tensor, num_columns: int) -> DenseCells:
    """Return padded cells from tensors of one floating type.

    Args:
        adjacency: ``[N, V, V]``.
        columns: One-hot columns of the operations, whole numbers ``[N, V]``.
        mask: 1 where there is a vertex, 0 at padding, ``[N, V]``.
        num_columns: Columns in all.
    """
    loops = adjacency + torch.diag_embed(mask)
    # Rows of padding are all zero; any divisor leaves them so.
    outward = loops / loops.sum(-1, keepdim=True).clamp_min(1)
    inward = outward.transpose(1, 2)
    received = inward.sum(-1, keepdim=True)
    inward = inward / torch.where(received > 0, received, 1)
    kinds = torch.arange(num_columns, device=columns.device)
    x = (columns.unsqueeze(-1) == kinds).to(mask.dtype) * mask.unsqueeze(-1)
    pool = (mask / mask.sum(-1, keepdim=True)).unsqueeze(-2)
    return DenseCells(x, torch.stack([outward, inward], dim=1), pool)


class DenseGCN(nn.Module):
    """``M`` independent GCNs of one shape as batched products: equal to each
    :meth:`GCN.forward <pyg_nas.nn.gcn.GCN.forward>` up to rounding.

    The time of small networks depends on the number of calls, not on arithmetic: ``M`` members in
    one product take little longer than one. Members share nothing but the calls.

    Args:
        members: Networks of one shape; their weights are copied.
    """

    def __init__(self, members: Sequence[GCN]) -> None:
        super().__init__()
        self.dropout = members[0].dropout
        self._activation = members[0].activation
        with torch.no_grad():
            self.convs = nn.ParameterList(  # each [M, 2, C_in, C_out]: W+ and W-
                nn.Parameter(torch.stack([torch.stack([c.weight_out, c.weight_in]) for c in layer]))
                for layer in zip(*(m.convs for m in members), strict=True)
            )
            self.head = nn.Parameter(torch.stack([m.head.weight.T for m in members]))
            self.output = nn.Parameter(torch.stack([m.output.weight.T for m in members]))

    def forward(self, cells: DenseCells, keep: Sequence[Tensor] | None = None) -> Tensor:
        """Return one number for each member and cell, ``[M, B]``.

        Args:
            cells: Tensors ``[M, B, ...]``, a batch for each member, or ``[B, ...]``, one batch
                for all.
            keep: Dropout masks of 0 and 1, ``[M, B, V, hidden]`` for each convolution and
                ``[M, B, head]``; None to drop nothing.
        """
        h = cells.x if cells.x.dim() == 4 else cells.x.unsqueeze(0)  # [M or 1, B, V, C_in]
        for layer, weight in enumerate(self.convs):
            gathered = torch.matmul(cells.propagation, h.unsqueeze(-3))  # [M or 1, B, 2, V, C_in]
            members, batch, _, vertices, channels = gathered.shape
            rows = gathered.transpose(1, 2).reshape(members, 2, batch * vertices, channels)
            both = self._activation(torch.matmul(rows, weight))  # [M, 2, B V, C_out]
            h = torch.unflatten(0.5 * both.sum(dim=1), 1, (batch, vertices))
            h = self._drop(h, keep, layer)
        pooled = torch.matmul(cells.pool, h).squeeze(-2)  # [M, B, hidden]
        top = self._drop(torch.matmul(pooled, self.head), keep, len(self.convs))
        return torch.matmul(top, self.output).squeeze(-1)

    def _drop(self, h: Tensor, keep: Sequence[Tensor] | None, layer: int) -> Tensor:
        return h if keep is None else h * keep[layer] / (1.0 - self.dropout)

    @torch.no_grad()
    def copy_to(self, members: Sequence[GCN]) -> None:
        """Write the weights back into single networks."""
        for index, member in enumerate(members):
            for conv, weight in zip(member.convs, self.convs, strict=True):
                for name, part in zip(("weight_out", "weight_in"), weight[index], strict=True):
                    conv.get_parameter(name).copy_(part)
            member.head.weight.copy_(self.head[index].T)
            member.output.weight.copy_(self.output[index].T)
