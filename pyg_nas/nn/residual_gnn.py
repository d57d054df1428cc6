"""A residual graph network with unnormalised sums by sparse message passing: its definition."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ResidualGNN(nn.Module):
    r"""``M`` independent networks of one shape, with stacked weights ``[M, in, out]``.

    With :math:`N` = layer norm (gain and shift), each layer adds to the states :math:`H`

    .. math::
        \mathrm{ReLU}(N(H) W_0 + b + A N(H) W_1 + A' N(H) W_2),

    an own, a successors' and a predecessors' term. They are sums, not means, so that they depend on
    the degrees. The inputs of the readout are the mean over the vertices and the last vertex of the
    normalised states, and the graph's features; a hidden layer and a linear one follow. Dropout is
    applied to each layer's term and, in the readout, to both inputs and the hidden layer.

    Args:
        members: ``M``.
        vertex_columns: Features of a vertex.
        graph_columns: Features of a graph, inputs of the readout.
        targets: Number of values to predict for a graph.
        hidden: Width of all layers.
        depth: Number of layers.
        dropout: Probability of dropping a feature in training.
        generator: Random generator of the initial weights; torch's global one by default.
    """

    activation: Callable[[Tensor], Tensor] = staticmethod(torch.relu)
    """Elementwise activation of the layers and the readout: the one place where it is chosen."""

    def __init__(
        self,
        members: int,
        vertex_columns: int,
        graph_columns: int,
        targets: int = 1,
        hidden: int = 64,
        depth: int = 3,
        dropout: float = 0.2,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        self.dropout = dropout

        def weight(rows: int, columns: int, gain: float = 1.0) -> nn.Parameter:
            drawn = torch.empty(members, rows, columns)
            if not drawn.is_meta:  # arithmetic without data would import torch's compiler
                drawn = drawn.normal_(generator=generator) * (gain / max(rows, 1) ** 0.5)
            return nn.Parameter(drawn)

        def bias(columns: int, value: float = 0.0) -> nn.Parameter:
            return nn.Parameter(torch.full((members, 1, columns), value))

        self.embed, self.embed_bias = weight(vertex_columns, hidden), bias(hidden)
        # Each [M, hidden, 3 hidden]: W0, W1 and W2 beside each other.
        self.layers = nn.ParameterList(weight(hidden, 3 * hidden) for _ in range(depth))
        self.biases = nn.ParameterList(bias(hidden) for _ in range(depth))
        self.gains = nn.ParameterList(bias(hidden, 1.0) for _ in range(depth))
        self.shifts = nn.ParameterList(bias(hidden) for _ in range(depth))
        self.read, self.read_bias = weight(2 * hidden, hidden), bias(hidden)
        self.read_graph = weight(graph_columns, hidden)
        self.output, self.output_bias = weight(hidden, targets, 0.5), bias(targets)

    def forward(
        self,
        x: Tensor,
        edge_index: Tensor,
        batch: Tensor,
        graph: Tensor,
        keep: Sequence[Tensor] | None = None,
    ) -> Tensor:
        """Return predictions ``[M, B, targets]``.

        Args:
            x: ``[V, vertex_columns]`` or, different for each member, ``[M, V, vertex_columns]``.
            edge_index: int64 ``[2, E]``.
            batch: int64 ``[V]``, the graph of each vertex, ascending.
            graph: ``[B, graph_columns]``.
            keep: Dropout masks of 0 and 1: ``[M, V, hidden]`` for each layer, ``[M, B, 2 hidden]``,
                ``[M, B, graph_columns]`` and ``[M, B, hidden]``; None to drop nothing.
        """
        # Imported here because dense products need no PyG.
        from torch_geometric.utils import scatter

        from pyg_nas.nn.message_sum import sum_messages

        states = x @ self.embed + self.embed_bias
        hidden = states.shape[-1]
        for layer, (weight, bias, gain, shift) in enumerate(
            zip(self.layers, self.biases, self.gains, self.shifts, strict=True)
        ):
            normal = F.layer_norm(states, (hidden,)) * gain + shift
            own, to_predecessors, to_successors = (normal @ weight).chunk(3, dim=-1)
            summed = own + bias + sum_messages(to_predecessors, edge_index.flip(0))
            summed = summed + sum_messages(to_successors, edge_index)
            states = states + drop(self.activation(summed), keep, layer, self.dropout)
        final = F.layer_norm(states, (hidden,))
        mean = scatter(final, batch, dim=-2, dim_size=len(graph), reduce="mean")
        last = torch.bincount(batch, minlength=len(graph)).cumsum(0) - 1
        return self.read_out(torch.cat([mean, final[:, last]], dim=-1), graph, keep)

    def read_out(self, read: Tensor, graph: Tensor, keep: Sequence[Tensor] | None) -> Tensor:
        """Return predictions ``[M, B, targets]`` from graphs' states and features.

        Args:
            read: ``[M, B, 2 hidden]``: the mean over the vertices, and the last vertex.
            graph: ``[B, graph_columns]`` or ``[M, B, graph_columns]``.
            keep: All masks, as for :meth:`forward`.
        """
        depth = len(self.layers)
        read = drop(read, keep, depth, self.dropout)
        graph = drop(graph, keep, depth + 1, self.dropout)
        joined = self.activation(read @ self.read + graph @ self.read_graph + self.read_bias)
        return drop(joined, keep, depth + 2, self.dropout) @ self.output + self.output_bias


def drop(features: Tensor, keep: Sequence[Tensor] | None, layer: int, dropout: float) -> Tensor:
    """Apply the dropout mask ``keep[layer]`` to features of its shape."""
    return features if keep is None else features * keep[layer] / (1 - dropout)


def mask_shapes(network: ResidualGNN, graphs: int, vertices: int) -> list[tuple[int, ...]]:
    """Return the shapes of the dropout masks of a batch, in the order they are drawn in.

    Args:
        network: ``M`` members.
        graphs: Graphs of the batch.
        vertices: Vertices of all these graphs, with the padding if there is any.
    """
    members, _, hidden = network.embed.shape
    layers = [(members, vertices, hidden)] * len(network.layers)
    columns = (2 * hidden, network.read_graph.shape[1], hidden)
    return [*layers, *((members, graphs, width) for width in columns)]
