"""Score many cells with trained GCNs, computing the terms that cells share only once.

The result is exact: the same sums as :meth:`pyg_nas.nn.gcn.GCN.forward`, in another order. Because
a convolution is linear before its ReLU, the product with the next weights is computed for the
distinct terms of a :class:`~pyg_nas.engine.shared_terms.Refinement` only, and a vertex's two
products are added afterwards. Positive normalisations are applied after the ReLU. The two linear
layers of the head are multiplied to one vector. In deeper layers, which share no terms, the
vertices of a few cells at a time stay in the CPU's fastest cache
(:mod:`pyg_nas.engine.compiled.gcn_score`).
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from pyg_nas.compute.threads import single_threaded_pool
from pyg_nas.engine.shared_terms import SHARED_LAYERS, Refinement
from pyg_nas.errors import ModelError
from pyg_nas.nn.conv import joined_weights
from pyg_nas.nn.gcn import GCN


@torch.no_grad()
def score(members: Sequence[GCN], refinement: Refinement) -> NDArray[np.float32]:
    """Return each network's output for each cell, float32 ``[M, N]``.

    The kernels are compiled: call :func:`~pyg_nas.engine.paths.use_compiled` first.

    Args:
        members: ``M`` networks on the CPU.
        refinement: The tables of the ``N`` cells (:func:`~pyg_nas.engine.shared_terms.refine`,
            :func:`~pyg_nas.engine.shared_terms.space_refinement`).

    Raises:
        ModelError: If there is no network, or one does not fit the tables' layers or columns.
    """
    if not members:
        raise ModelError("scoring needs at least one network")
    from pyg_nas.engine.compiled import BlockScorer

    folded = [_fold(member) for member in members]
    for layers, _ in folded:
        depth, columns = len(layers), len(layers[0])
        shared = min(depth, SHARED_LAYERS)
        if (shared, columns) != (refinement.shared, refinement.num_columns):
            raise ModelError(
                f"a network has {depth} layers and {columns} input columns, the cells' tables "
                f"share terms in {refinement.shared} layers, where it needs {shared}, and have "
                f"{refinement.num_columns} columns"
            )
    scores = np.empty((len(members), len(refinement.order)), dtype=np.float32)
    start = 0
    with single_threaded_pool(torch.get_num_threads()) as pool:
        scorer = BlockScorer(pool)
        for block in refinement.blocks:
            stop = start + len(block.num_vertices)
            for row, (layers, head) in zip(scores, folded, strict=True):
                row[refinement.order[start:stop]] = scorer.score(layers, head, block)
            start = stop
    return scores


def _fold(member: GCN) -> tuple[list[NDArray[np.float32]], NDArray[np.float32]]:
    """Each convolution's W+ beside W-, ``[in, 2 hidden]``, and the head as ``[hidden]``."""
    layers = [joined_weights(conv).numpy() for conv in member.convs]
    head = (member.output.weight.double() @ member.head.weight.double()).squeeze(0)
    return layers, head.float().numpy()
