"""Several :class:`~pyg_nas.nn.models.GCN` of one shape as one network with stacked weights.

Small networks are bound by the number of calls, not by arithmetic: M members in one batched
product cost little more than one. Members share nothing but the call.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pyg_nas.nn.dense import DenseCells, dense_conv
from pyg_nas.nn.models import GCN


class StackedGCN(nn.Module):
    """``M`` independent GCNs with weights ``[M, ...]``.

    Args:
        members: Networks of one shape; their weights are copied.
    """

    def __init__(self, members: Sequence[GCN]) -> None:
        super().__init__()
        with torch.no_grad():
            self.convs = nn.ParameterList(
                nn.Parameter(torch.stack([torch.stack([c.weight_out, c.weight_in]) for c in layer]))
                for layer in zip(*(m.convs for m in members), strict=True)
            )
            self.head = nn.Parameter(torch.stack([m.head.weight.T for m in members]))
            self.output = nn.Parameter(torch.stack([m.output.weight.T for m in members]))
        self.dropout = members[0].dropout

    @torch.no_grad()
    def copy_to(self, members: Sequence[GCN]) -> None:
        """Write the stacked weights back into single networks."""
        for index, member in enumerate(members):
            for conv, weight in zip(member.convs, self.convs, strict=True):
                conv.weight_out.copy_(weight[index, 0])
                conv.weight_in.copy_(weight[index, 1])
            member.head.weight.copy_(self.head[index].T)
            member.output.weight.copy_(self.output[index].T)

    def forward(self, cells: DenseCells, keep: Sequence[Tensor] | None = None) -> Tensor:
        """Return one number for each member and cell, ``[M, B]``.

        Args:
            cells: Tensors ``[M, B, ...]``, a batch for each member, or ``[B, ...]``, one batch
                for all.
            keep: Dropout masks, true where a feature is kept: ``[M, B, V, hidden]`` for each
                convolution and ``[M, B, head]`` for the head; None to drop nothing.
        """
        gain = 1.0 if keep is None else 1.0 / (1.0 - self.dropout)
        h = cells.x if cells.x.dim() == 4 else cells.x.unsqueeze(0)
        for layer, weight in enumerate(self.convs):
            aggregated = torch.matmul(cells.propagation, h.unsqueeze(-3))
            h = dense_conv(aggregated, weight, 0.5 * gain)
            if keep is not None:
                h = h * keep[layer]
        pooled = torch.matmul(cells.pool, h).squeeze(-2)
        hidden = torch.matmul(pooled, self.head)
        if keep is not None:
            hidden = hidden * keep[-1] * gain
        return torch.matmul(hidden, self.output).squeeze(-1)
