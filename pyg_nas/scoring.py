"""Score many cells with trained GCNs, computing what cells share only once.

Exact: the same sums as :meth:`pyg_nas.nn.models.GCN.forward`, over the distinct states that a
:class:`~pyg_nas.refinement.Refinement` names. Weights are applied before neighbours are summed
(a product of few states instead of many vertices), positive normalisations after the ReLU, with
which they commute, and the two linear layers of the head are one vector.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from pyg_nas.errors import ModelError
from pyg_nas.nn.models import GCN
from pyg_nas.refinement import Block, Refinement, Terms


@dataclass(frozen=True)
class FoldedGCN:
    """The weights of ``M`` GCNs of one shape, with the head folded.

    Attributes:
        layers: For each convolution, W+ and W- as ``[M, 2, in, out]``.
        head: ``[M, hidden]``, the product of both linear layers.
    """

    layers: tuple[Tensor, ...]
    head: Tensor

    def to(self, device: torch.device | str) -> FoldedGCN:
        """Move the weights to a device."""
        return FoldedGCN(tuple(w.to(device) for w in self.layers), self.head.to(device))

    def split(self) -> list[FoldedGCN]:
        """Return the members one by one."""
        return [
            FoldedGCN(tuple(w[m : m + 1] for w in self.layers), self.head[m : m + 1])
            for m in range(len(self.head))
        ]


@torch.no_grad()
def fold(members: Sequence[GCN]) -> FoldedGCN:
    """Fold trained GCNs for scoring.

    Raises:
        ModelError: If there is none, or their shapes differ.
    """
    if not members:
        raise ModelError("scoring needs at least one network")
    shapes = {tuple(tuple(p.shape) for p in member.parameters()) for member in members}
    if len(shapes) > 1:
        raise ModelError("networks that are scored together must have one shape")
    layers = tuple(
        torch.stack([torch.stack([conv.weight_out, conv.weight_in]) for conv in same])
        for same in zip(*(member.convs for member in members), strict=True)
    )
    heads = [(m.output.weight.double() @ m.head.weight.double()).squeeze(0) for m in members]
    return FoldedGCN(layers, torch.stack(heads).to(layers[0].dtype))


@torch.no_grad()
def score(
    members: Sequence[GCN] | FoldedGCN,
    refinement: Refinement,
    device: torch.device | str = "cpu",
) -> NDArray[np.float32]:
    """Return each network's output for each cell, float32 ``[M, N]``.

    Args:
        members: ``M`` networks of one shape.
        refinement: The tables of the ``N`` cells (:func:`~pyg_nas.refinement.refine`,
            :func:`~pyg_nas.refinement.nasbench101_refinement`).
        device: Where to compute.

    Raises:
        ModelError: If the networks do not fit each other, or the tables' depth or columns.
    """
    folded = (members if isinstance(members, FoldedGCN) else fold(members)).to(device)
    depth, columns = len(folded.layers), folded.layers[0].shape[2]
    if (depth, columns) != (refinement.depth, refinement.num_columns):
        raise ModelError(
            f"the networks have {depth} layers and {columns} input columns, the cells' tables "
            f"{refinement.depth} and {refinement.num_columns}"
        )
    scores = torch.empty(len(folded.head), refinement.num_cells)
    # One member's states fill a processor's cache; a GPU wants as much as possible in one call.
    groups = [folded] if folded.head.is_cuda else folded.split()
    start = 0
    for block in refinement.blocks:
        stop = start + len(block.num_vertices)
        scores[:, start:stop] = torch.cat([_score_block(group, block) for group in groups])
        start = stop
    return scores.numpy()


def _score_block(folded: FoldedGCN, block: Block) -> Tensor:
    """Scores of a block's cells, ``[M, cells]``."""
    device = folded.head.device
    first, *others = folded.layers
    # A one-hot row times W is a row of W.
    outward, inward = first[:, :, _on(block.columns, device)].unbind(1)
    weight = _on(block.weight, device)
    for layer, weights in zip(block.layers[:-1], others, strict=True):
        by_successors, by_predecessors = _on(layer.pairs, device)
        states = _half_means(outward, layer.successors).index_select(1, by_successors)
        states += _half_means(inward, layer.predecessors, weight).index_select(1, by_predecessors)
        outward, inward = torch.matmul(states, weights[:, 0]), torch.matmul(states, weights[:, 1])
        weight = _on(layer.weight, device)
    last = block.layers[-1]
    by_successors, by_predecessors = _on(last.pairs, device)
    vertices = _projected(outward, last.successors, folded.head)[:, by_successors]
    vertices += _projected(inward, last.predecessors, folded.head, weight)[:, by_predecessors]
    lengths = _on(block.num_vertices, device).long()
    return torch.stack([torch.segment_reduce(row, "mean", lengths=lengths) for row in vertices])


def _half_means(table: Tensor, terms: Terms, weight: Tensor | None = None) -> Tensor:
    """Half the ReLU of the terms' weighted means, ``[M, n, hidden]``."""
    half = _on(terms.scale, table.device).mul(0.5)
    return _rectified_sums(table, terms, weight).mul_(half.unsqueeze(-1))


def _projected(table: Tensor, terms: Terms, head: Tensor, weight: Tensor | None = None) -> Tensor:
    """The head's share of each term of the last layer, ``[M, n]``."""
    half = _on(terms.scale, table.device).mul(0.5)
    projected = torch.matmul(_rectified_sums(table, terms, weight), head.unsqueeze(-1))
    return projected.squeeze(-1) * half


def _rectified_sums(table: Tensor, terms: Terms, weight: Tensor | None) -> Tensor:
    """ReLU of the sums of each bag's rows of ``table`` ``[M, states, hidden]``."""
    members, offsets = _on(terms.members, table.device), _on(terms.offsets, table.device)
    weights = None if weight is None else weight.index_select(0, members)
    sums = [
        F.embedding_bag(
            members,
            rows,
            offsets,
            mode="sum",
            include_last_offset=True,
            per_sample_weights=weights,
        )
        for rows in table
    ]
    return (torch.stack(sums) if len(sums) > 1 else sums[0].unsqueeze(0)).relu_()


def _on(array: NDArray[Any], device: torch.device) -> Tensor:
    return torch.from_numpy(array).to(device)
