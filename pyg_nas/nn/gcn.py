"""The Neural Predictor's network by sparse message passing: its definition."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch_geometric.nn import global_mean_pool

from pyg_nas.nn.conv import BiGCNConv, normalize


class GCN(nn.Module):
    """The graph network of arXiv:1912.00848, section 3.2: one number for each cell.

    ``depth`` bidirectional convolutions, the mean over vertices, and two linear layers without
    bias and without activation between them; dropout after every layer but the last.

    Args:
        in_channels: Width of a vertex's input (5 one-hot columns for NAS-Bench-101).
        hidden: Width of the convolutions.
        depth: Number of convolutions.
        head: Width between the two linear layers.
        dropout: Probability of dropping a feature in training.
    """

    def __init__(
        self,
        in_channels: int,
        hidden: int = 144,
        depth: int = 3,
        head: int = 128,
        dropout: float = 0.1,
    ) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.dropout = dropout
        self.convs = nn.ModuleList(
            [BiGCNConv(in_channels if layer == 0 else hidden, hidden) for layer in range(depth)]
        )
        self.head = nn.Linear(hidden, head, bias=False)
        self.output = nn.Linear(head, 1, bias=False)

    @property
    def activation(self) -> Callable[[Tensor], Tensor]:
        """The activation of the convolutions."""
        return cast("BiGCNConv", self.convs[0]).activation

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw new weights, as the constructor does, from torch's global generator by default.

        The convolutions' are Xavier uniform, the others as in :class:`torch.nn.Linear`.
        """
        for conv in self.convs:
            cast("BiGCNConv", conv).reset_parameters(generator)
        for linear in (self.head, self.output):
            nn.init.kaiming_uniform_(linear.weight, a=math.sqrt(5), generator=generator)

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        batch: Tensor | None = None,
        batch_size: int | None = None,
        keep: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """Return one number per graph, ``[B]``, by sparse message passing.

        Args:
            x: ``[V, in_channels]``, the vertices of all graphs.
            edge_index: int64 ``[2, E]``.
            batch: int64 ``[V]``, the graph of each vertex; None for a single graph.
            batch_size: Number of graphs, where known.
            keep: Dropout masks to use instead of drawing them: ``[V, hidden]`` for each
                convolution and ``[B, head]``.
        """
        propagation = normalize(edge_index, x.size(0), x.dtype)
        for layer, conv in enumerate(self.convs):
            x = self._drop(conv(x, propagation), keep, layer)
        pooled = global_mean_pool(x, batch, batch_size)
        hidden = self._drop(self.head(pooled), keep, len(self.convs))
        result: Tensor = self.output(hidden).squeeze(-1)
        return result

    def _drop(self, h: Tensor, keep: Sequence[Tensor] | None, layer: int) -> Tensor:
        if keep is None:
            return F.dropout(h, self.dropout, self.training)
        return h * keep[layer] / (1.0 - self.dropout)
