"""Score many cells with trained GCNs, computing what cells share only once.

Exact: the same sums as :meth:`pyg_nas.nn.gcn.GCN.forward`. Two things commute with a
convolution's linear parts and are used throughout: the product with the next weights may be taken
of the distinct terms that a :class:`~pyg_nas.engine.shared_terms.Refinement` names, and a vertex's
two products added afterwards; positive normalisations may follow the ReLU. The two linear layers of
the head are one vector. Beyond the layers that share terms a cell's vertices are few enough to
stay in a processor's fastest cache (:mod:`pyg_nas.engine.numba_score`).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from pyg_nas.compute.threads import single_threaded_pool
from pyg_nas.engine.numba_score import BlockScorer
from pyg_nas.engine.shared_terms import SHARED_LAYERS, Block, Layer, Refinement, Terms
from pyg_nas.errors import ModelError
from pyg_nas.nn.conv import joined_weights
from pyg_nas.nn.gcn import GCN

_CELLS_AT_ONCE = 16_384  # at width 144 their vertices' features take 0.4 GB


@torch.no_grad()
def score(
    members: Sequence[GCN],
    refinement: Refinement,
    device: torch.device | str = "cpu",
) -> NDArray[np.float32]:
    """Return each network's output for each cell, float32 ``[M, N]``.

    Args:
        members: ``M`` networks.
        refinement: The tables of the ``N`` cells (:func:`~pyg_nas.engine.shared_terms.refine`,
            :func:`~pyg_nas.engine.shared_terms.nasbench101_refinement`).
        device: Where to compute.

    Raises:
        ModelError: If there is no network, or one does not fit the tables' layers or columns.
    """
    if not members:
        raise ModelError("scoring needs at least one network")
    device = torch.device(device)
    folded = [_fold(member, device) for member in members]
    for layers, _ in folded:
        depth, columns = len(layers), len(layers[0])
        shared = min(depth, SHARED_LAYERS)
        if (shared, columns) != (refinement.shared, refinement.num_columns):
            raise ModelError(
                f"a network has {depth} layers and {columns} input columns, the cells' tables "
                f"share terms in {refinement.shared} layers, where it needs {shared}, and have "
                f"{refinement.num_columns} columns"
            )
    scores = np.empty((len(members), refinement.num_cells), dtype=np.float32)
    start = 0
    with (
        single_threaded_pool(torch.get_num_threads()) as pool,
        closing(BlockScorer(pool)) as scorer,
    ):
        for block in refinement.blocks:
            stop = start + len(block.num_vertices)
            for row, (layers, head) in zip(scores, folded, strict=True):
                if device.type == "cpu":
                    weights = [weight.numpy() for weight in layers]
                    row[start:stop] = scorer.score(weights, head.numpy(), block)
                else:
                    row[start:stop] = score_block_by_torch(layers, head, block).cpu().numpy()
            start = stop
    return scores


def _fold(member: GCN, device: torch.device) -> tuple[list[Tensor], Tensor]:
    """Each convolution's W+ beside W-, ``[in, 2 hidden]``, and the head as ``[hidden]``."""
    layers = [joined_weights(conv) for conv in member.convs]
    head = (member.output.weight.double() @ member.head.weight.double()).squeeze(0)
    return [layer.to(device) for layer in layers], head.to(device, layers[0].dtype)


def score_block_by_torch(layers: Sequence[Tensor], head: Tensor, block: Block) -> Tensor:
    """What :meth:`~pyg_nas.engine.numba_score.BlockScorer.score` does, on the tensors' device."""
    device = head.device
    shared = len(block.layers)
    *earlier, last = block.layers
    states = layers[0][_on(block.columns, device)]
    for layer, weights in zip(earlier, layers[1:shared], strict=True):
        by_successors, by_predecessors = _on(layer.pairs, device)
        rows = _project_terms(states, layer, weights)
        states = rows[by_successors] + rows[by_predecessors]
    projection, *projections = [*layers[shared:], head.unsqueeze(1)]
    rows = _project_terms(states, last, projection)
    ends = np.cumsum(block.num_vertices, dtype=np.int64)
    edge_ends = np.cumsum(block.num_edges, dtype=np.int64)
    parts = []
    for first in range(0, len(ends), _CELLS_AT_ONCE):
        cells = slice(first, first + _CELLS_AT_ONCE)
        starts = ends[cells] - block.num_vertices[cells]
        edges = slice(edge_ends[first] - block.num_edges[first], edge_ends[cells][-1])
        within = np.repeat(starts - starts[0], block.num_edges[cells])
        sources, targets = _on(block.edges[:, edges] + within, device)
        by_successors, by_predecessors = _on(last.pairs[:, starts[0] : ends[cells][-1]], device)
        h = rows[by_successors] + rows[by_predecessors]
        for weights in projections:
            h = _convolve(h, sources, targets) @ weights
        lengths = _on(block.num_vertices[cells], device).long()
        parts.append(torch.segment_reduce(h.squeeze(1), "mean", lengths=lengths))
    return torch.cat(parts)


def _project_terms(table: Tensor, layer: Layer, projection: Tensor) -> Tensor:
    """Half the ReLU of each term's mean times ``projection``, successors' terms first."""
    outward, inward = table.chunk(2, dim=1)
    successors = _half_means(outward, layer.successors, None)
    predecessors = _half_means(inward, layer.predecessors, _on(layer.weight, table.device))
    return torch.cat([successors, predecessors]) @ projection


def _half_means(table: Tensor, terms: Terms, weight: Tensor | None) -> Tensor:
    members, offsets = _on(terms.members, table.device), _on(terms.offsets, table.device)
    sums = F.embedding_bag(
        members,
        table.contiguous(),
        offsets,
        mode="sum",
        include_last_offset=True,
        per_sample_weights=None if weight is None else weight[members],
    )
    return sums.relu_().mul_(_on(terms.scale, table.device).mul(0.5).unsqueeze(1))


def _convolve(mixed: Tensor, sources: Tensor, targets: Tensor) -> Tensor:
    """Finish a convolution from the products with W+ and W-, ``[V, 2 hidden]``."""
    outward, inward = mixed.chunk(2, dim=1)
    degree = torch.bincount(sources, minlength=len(mixed)).to(mixed.dtype).add_(1).unsqueeze(1)
    weight = degree.reciprocal()
    received = weight.index_add(0, targets, weight[sources])
    inward = inward * weight
    outward = outward.index_add(0, sources, outward[targets]).relu_().div_(degree)
    inward = inward.index_add(0, targets, inward[sources]).relu_().div_(received)
    return outward.add_(inward).mul_(0.5)


def _on(array: NDArray[Any], device: torch.device) -> Tensor:
    return torch.from_numpy(array).to(device)
