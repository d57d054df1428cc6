"""Residual networks on padded graphs: :mod:`pyg_nas.nn.residual_gnn` as batched products.

Only plain torch operations are used, on any device, for inference and training by autograd.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from pyg_nas.nn.residual_gnn import ResidualGNN, drop


class ResidualGraphs(NamedTuple):
    """The inputs of residual networks for ``N`` graphs.

    Attributes:
        vertices: ``[N, V, vertex_columns]``, anything finite at padding.
        adjacency: ``[N, V, V]``, the edge (u, v) at row u and column v.
        num_vertices: ``[N]``: number of vertices of each graph, which are the first rows.
        graph: ``[N, graph_columns]``.
    """

    vertices: NDArray[np.floating[Any]]
    adjacency: NDArray[np.integer[Any]]
    num_vertices: NDArray[np.integer[Any]]
    graph: NDArray[np.floating[Any]]

    def select(self, rows: Any) -> ResidualGraphs:
        """Return the graphs of an index or a slice."""
        return ResidualGraphs(*(part[rows] for part in self))


class DenseResidualInputs(NamedTuple):
    """The same as tensors of one floating type; leading dimensions may be more than one.

    Attributes:
        vertices: ``[N, V, vertex_columns]``.
        terms: ``[N, V, 3 V]``: weights with which a vertex sums the three messages of each vertex
            (own, to predecessors, to successors, in this order for each vertex).
        mask: ``[N, V]``, 1 at vertices, 0 at padding.
        last: int64 ``[N]``, position of the last vertex.
        graph: ``[N, graph_columns]``.
    """

    vertices: Tensor
    terms: Tensor
    mask: Tensor
    last: Tensor
    graph: Tensor

    @classmethod
    def from_graphs(cls, graphs: ResidualGraphs) -> DenseResidualInputs:
        """Return the tensors of graphs, on the CPU, in the type of their features."""
        vertices, graph = torch.from_numpy(graphs.vertices), torch.from_numpy(graphs.graph)
        adjacency = torch.tensor(graphs.adjacency, dtype=vertices.dtype)
        own = torch.eye(adjacency.shape[-1], dtype=adjacency.dtype).expand_as(adjacency)
        terms = torch.stack([own, adjacency, adjacency.transpose(-1, -2)], dim=-1).flatten(-2)
        num_vertices = torch.from_numpy(graphs.num_vertices.astype(np.int64))
        mask = torch.arange(adjacency.shape[-1]) < num_vertices[:, None]
        return cls(vertices, terms, mask.to(vertices.dtype), num_vertices - 1, graph)

    def select(self, index: Any) -> DenseResidualInputs:
        """Select graphs; an index ``[M, B]`` gives tensors with two leading dimensions."""
        return DenseResidualInputs(*(tensor[index] for tensor in self))

    def to(self, device: torch.device) -> DenseResidualInputs:
        """Move all to a device."""
        return DenseResidualInputs(*(tensor.to(device) for tensor in self))


def dense_residual(
    network: ResidualGNN, inputs: DenseResidualInputs, keep: Sequence[Tensor] | None = None
) -> Tensor:
    """Return predictions ``[M, B, targets]``, equal to the network's own up to rounding.

    Args:
        network: ``M`` members.
        inputs: Tensors ``[M, B, ...]``, a batch for each member, or ``[1, B, ...]``, one batch for
            all.
        keep: Dropout masks of :func:`~pyg_nas.nn.residual_gnn.mask_shapes` for ``B V`` vertices;
            None to drop nothing.
    """
    members = len(network.embed)
    vertices, terms, mask, last, graph = (part.expand(members, *part.shape[1:]) for part in inputs)
    _, batch, width, _ = vertices.shape
    states = torch.baddbmm(network.embed_bias, vertices.flatten(1, 2), network.embed)  # [M, B V, H]
    hidden = states.shape[-1]
    terms = terms.flatten(0, 1)
    for layer, (weight, bias, gain, shift) in enumerate(
        zip(network.layers, network.biases, network.gains, network.shifts, strict=True)
    ):
        # Gain, shift and bias are folded into the weights, which are smaller than the states.
        scaled = gain.transpose(1, 2) * weight
        constant = shift @ weight + F.pad(bias, (0, 2 * hidden))
        sent = torch.baddbmm(constant, F.layer_norm(states, (hidden,)), scaled)  # [M, B V, 3 H]
        summed = torch.bmm(terms, sent.view(members * batch, 3 * width, hidden))
        changed = network.activation(summed.view_as(states))
        states = states + drop(changed, keep, layer, network.dropout)
    final = F.layer_norm(states, (hidden,)).view(members, batch, width, hidden)
    mean = (final * mask.unsqueeze(-1)).sum(dim=2) / mask.sum(dim=2, keepdim=True)
    index = last[..., None, None].expand(members, batch, 1, hidden)
    read = torch.cat([mean, final.gather(2, index).squeeze(2)], dim=-1)
    return network.read_out(read, graph, keep)
