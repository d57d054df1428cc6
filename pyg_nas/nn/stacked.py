"""Several :class:`~pyg_nas.nn.gcn.GCN` of one shape as one network with stacked weights.

Small networks are bound by the number of calls, not by arithmetic: M members in one batched
product cost little more than one. Members share nothing but the call.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pyg_nas.nn.dense import DenseCells, dense_conv
from pyg_nas.nn.gcn import GCN


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

    def forward(self, cells: DenseCells) -> Tensor:
        """Return one number for each member and cell, ``[M, B]``, without dropout.

        Args:
            cells: Tensors ``[M, B, ...]``, a batch for each member, or ``[B, ...]``, one batch
                for all.
        """
        h = cells.x if cells.x.dim() == 4 else cells.x.unsqueeze(0)
        for weight in self.convs:
            h = dense_conv(torch.matmul(cells.propagation, h.unsqueeze(-3)), weight)
        pooled = torch.matmul(cells.pool, h).squeeze(-2)
        return torch.matmul(torch.matmul(pooled, self.head), self.output).squeeze(-1)
