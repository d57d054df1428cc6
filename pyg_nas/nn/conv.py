"""The bidirectional graph convolution of the Neural Predictor as sparse message passing."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor, nn
from torch_geometric.nn import MessagePassing
from torch_geometric.utils import scatter


class Propagation(NamedTuple):
    """Edges, self loops included, and weights of both directions of a batch of graphs.

    ``outward`` gathers at each vertex from its successors (``Â``), ``inward`` from its
    predecessors (``Â'``). Each ``index`` is int64 ``[2, E + V]`` in PyG's order (from, to), each
    ``weight`` a float ``[E + V]``.
    """

    outward_index: Tensor
    outward_weight: Tensor
    inward_index: Tensor
    inward_weight: Tensor


def normalize(
    edge_index: Tensor, num_nodes: int, dtype: torch.dtype = torch.float32
) -> Propagation:
    """Return the normalised propagation of arXiv:1912.00848 for a batch of graphs.

    ``Â`` is the row-normalised ``A + I``: every vertex averages itself and its successors.
    ``Â'`` is the row-normalised transpose of ``Â``: before its rows are normalised, predecessor u
    has the weight ``1 / (out_degree(u) + 1)``, so the weights depend on other vertices too.

    Args:
        edge_index: int64 ``[2, E]``, edges (u, v) from u to v.
        num_nodes: Vertices of the whole batch.
        dtype: Type of the weights.
    """
    loops = torch.arange(num_nodes, device=edge_index.device).expand(2, -1)
    index = torch.cat([edge_index, loops], dim=1)
    source, target = index
    ones = torch.ones(source.numel(), dtype=dtype, device=index.device)
    outward = scatter(ones, source, dim_size=num_nodes).reciprocal()[source]
    received = scatter(outward, target, dim_size=num_nodes)
    return Propagation(index.flip(0), outward, index, outward / received[target])


def joined_weights(conv: nn.Module) -> Tensor:
    """Return W+ beside W- of a :class:`BiGCNConv`, ``[in_channels, 2 out_channels]``, so that one
    product computes both directions."""
    return torch.cat([conv.get_parameter("weight_out"), conv.get_parameter("weight_in")], dim=1)


@torch.no_grad()
def set_joined_weights(conv: nn.Module, joined: Tensor) -> None:
    """Write :func:`joined_weights`' result back, ``[in_channels, 2 out_channels]``."""
    outward, inward = joined.chunk(2, dim=1)
    conv.get_parameter("weight_out").copy_(outward)
    conv.get_parameter("weight_in").copy_(inward)


class BiGCNConv(MessagePassing):  # type: ignore[misc]
    r"""Bidirectional graph convolution of `"Neural Predictor for Neural Architecture Search"
    <https://arxiv.org/abs/1912.00848>`_ (section 3.2).

    .. math::
        H' = \tfrac12 \mathrm{ReLU}(\hat A H W^+) + \tfrac12 \mathrm{ReLU}(\hat A' H W^-)

    without bias; weights are Xavier uniform. The ReLU is :attr:`activation`: the one place where
    it is chosen.

    Args:
        in_channels: Width of a vertex's input.
        out_channels: Width of a vertex's output.

    Shapes:
        - **input:** vertex features :math:`(V, C_{in})`, edges :math:`(2, E)`
        - **output:** vertex features :math:`(V, C_{out})`
    """

    activation: Callable[[Tensor], Tensor] = staticmethod(torch.relu)
    """Elementwise activation of each direction's term."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(aggr="sum")
        self.in_channels = in_channels
        self.out_channels = out_channels
        self.weight_out = nn.Parameter(torch.empty(in_channels, out_channels))
        self.weight_in = nn.Parameter(torch.empty(in_channels, out_channels))
        self.reset_parameters()

    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Draw new weights, Xavier uniform, from torch's global generator by default."""
        nn.init.xavier_uniform_(self.weight_out, generator=generator)
        nn.init.xavier_uniform_(self.weight_in, generator=generator)

    def forward(self, x: Tensor, edges: Tensor | Propagation) -> Tensor:
        """Return the new vertex features ``[V, out_channels]``.

        Args:
            x: ``[V, in_channels]``.
            edges: ``edge_index`` int64 ``[2, E]``, or its :func:`normalize` result, which
                layers of one network share.
        """
        p = edges if isinstance(edges, Propagation) else normalize(edges, x.size(0), x.dtype)
        # Aggregating first is the cheaper order wherever in_channels <= out_channels.
        outward = self.propagate(p.outward_index, x=x, edge_weight=p.outward_weight)
        inward = self.propagate(p.inward_index, x=x, edge_weight=p.inward_weight)
        act = self.activation
        return 0.5 * (act(outward @ self.weight_out) + act(inward @ self.weight_in))

    def message(self, x_j: Tensor, edge_weight: Tensor) -> Tensor:
        """Weigh each neighbour's features, ``[E + V, channels]``."""
        weighted: Tensor = edge_weight.unsqueeze(-1) * x_j
        return weighted

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.in_channels}, {self.out_channels})"
