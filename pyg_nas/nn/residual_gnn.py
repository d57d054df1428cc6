"""A residual graph network with unnormalised sums, as M independent members in one product."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F


def residual_terms(adjacency: Tensor) -> Tensor:
    """Return ``[..., V, 3 V]``: what a vertex takes of each vertex's three messages.

    Own, to predecessors, to successors, in this order for each vertex, from ``[..., V, V]``.
    """
    own = torch.eye(adjacency.shape[-1]).expand_as(adjacency)
    return torch.stack([own, adjacency, adjacency.transpose(-1, -2)], dim=-1).flatten(-2)


def residual_inputs(
    vertices: NDArray[np.float32],
    adjacency: NDArray[np.integer[Any]],
    num_vertices: NDArray[np.integer[Any]],
    graph: NDArray[np.float32],
) -> list[Tensor]:
    """Return what :meth:`ResidualGNN.forward` takes, for one member, each ``[N, ...]``.

    Args:
        vertices: ``[N, V, vertex_columns]``, anything finite at padding.
        adjacency: ``[N, V, V]``.
        num_vertices: ``[N]``: the vertices of a graph are the first so many.
        graph: ``[N, graph_columns]``.
    """
    mask = np.arange(adjacency.shape[1]) < num_vertices[:, None]
    return [
        torch.from_numpy(vertices),
        residual_terms(torch.from_numpy(adjacency.astype(np.float32))),
        torch.from_numpy(mask.astype(np.float32)),
        torch.from_numpy(num_vertices.astype(np.int64) - 1),
        torch.from_numpy(graph),
    ]


class ResidualGNN(nn.Module):
    """``M`` networks of one shape with stacked weights ``[M, in, out]``.

    Each layer normalises the states, adds an own, a predecessors' and a successors' term (sums,
    not means: degrees matter) and adds the rectified result to the states. The readout takes the
    mean over the vertices, the last vertex and the graph's statistics.

    Args:
        members: ``M``.
        vertex_columns: Columns of a vertex's input.
        graph_columns: Statistics of a graph, which join at the readout.
        targets: Numbers to predict of a graph.
        hidden: Width of all layers.
        depth: Number of layers.
        dropout: Probability of dropping a feature in training.
        generator: Draws the first weights; torch's global one by default.
    """

    activation: Callable[[Tensor], Tensor] = staticmethod(torch.relu)
    """Of the layers and the readout, number by number."""

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
            drawn = torch.randn(members, rows, columns, generator=generator)
            return nn.Parameter(drawn * (gain / max(rows, 1) ** 0.5))

        def bias(columns: int, value: float = 0.0) -> nn.Parameter:
            return nn.Parameter(torch.full((members, 1, columns), value))

        self.embed, self.embed_bias = weight(vertex_columns, hidden), bias(hidden)
        self.layers = nn.ParameterList(weight(hidden, 3 * hidden) for _ in range(depth))
        self.biases = nn.ParameterList(bias(hidden) for _ in range(depth))
        self.gains = nn.ParameterList(bias(hidden, 1.0) for _ in range(depth))
        self.shifts = nn.ParameterList(bias(hidden) for _ in range(depth))
        self.read, self.read_bias = weight(2 * hidden, hidden), bias(hidden)
        self.read_graph = weight(graph_columns, hidden)
        self.output, self.output_bias = weight(hidden, targets, 0.5), bias(targets)

    def forward(
        self,
        vertices: Tensor,
        terms: Tensor,
        mask: Tensor,
        last: Tensor,
        graph: Tensor,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Return predictions ``[M, B, targets]``.

        Args:
            vertices: ``[M, B, V, vertex_columns]``.
            terms: ``[M, B, V, 3 V]`` of :func:`residual_terms`.
            mask: ``[M, B, V]``, 1 at vertices, 0 at padding.
            last: int64 ``[M, B]``, position of the last vertex.
            graph: ``[M, B, graph_columns]``.
            generator: Of the same device, draws dropout; torch's global one by default.
        """

        def drop(features: Tensor) -> Tensor:
            if not self.training or self.dropout == 0:
                return features
            kept = torch.empty_like(features).bernoulli_(1 - self.dropout, generator=generator)
            return features * kept.div_(1 - self.dropout)

        members, batch, width, _ = vertices.shape
        states = torch.baddbmm(self.embed_bias, vertices.flatten(1, 2), self.embed)
        hidden = states.shape[-1]
        terms = terms.flatten(0, 1)
        for weight, bias, gain, shift in zip(
            self.layers, self.biases, self.gains, self.shifts, strict=True
        ):
            # Gain, shift and bias act on small weights instead of on all states.
            scaled = gain.transpose(1, 2) * weight
            constant = shift @ weight + F.pad(bias, (0, 2 * hidden))
            sent = torch.baddbmm(constant, F.layer_norm(states, (hidden,)), scaled)
            summed = torch.bmm(terms, sent.view(members * batch, 3 * width, hidden))
            states = states + drop(self.activation(summed.view_as(states)))
        final = F.layer_norm(states, (hidden,)).view(members, batch, width, hidden)
        final = final * mask.unsqueeze(-1)
        mean = final.sum(dim=2) / mask.sum(dim=2, keepdim=True)
        index = last[..., None, None].expand(members, batch, 1, hidden)
        read = torch.cat([mean, final.gather(2, index).squeeze(2)], dim=-1)
        joined = torch.baddbmm(self.read_bias, drop(read), self.read)
        joined = joined + torch.bmm(drop(graph), self.read_graph)
        return torch.baddbmm(self.output_bias, drop(self.activation(joined)), self.output)
