"""Predictions of training labels by a Gaussian process to all other graphs, in closed form.

A graph may appear several times among the training cells. All its cells are left out together.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyg_nas.predictors.gaussian_process.cholesky import inverse_blocks


def left_out_errors(
    factor: Tensor, dual: Tensor, diagonal: Tensor, graphs: NDArray[np.int64] | None
) -> tuple[Tensor, Tensor]:
    """Return target minus prediction, and the variance of this error, ``[n]`` each.

    Rasmussen and Williams, 2006, equations 5.10 to 5.12. The variance contains the noise of the
    left out target itself.

    Args:
        factor: Cholesky factor of the targets' covariance, noise included, ``[n, n]``.
        dual: The inverse of this covariance times the targets ``[n]``.
        diagonal: Diagonal of this inverse ``[n]``.
        graphs: Hash of each target's graph ``[n, 4]``; None if no graph appears twice.
    """
    residual, variance = dual / diagonal, 1 / diagonal
    copies = [] if graphs is None else _copies(graphs)
    for rows, block in zip(copies, inverse_blocks(factor, copies), strict=True):
        # The same by blocks: the inverse of the inverse's block is the covariance of these
        # labels given all others.
        covariance = torch.linalg.inv(block)
        residual[rows], variance[rows] = covariance @ dual[rows], covariance.diagonal()
    return residual, variance


def halves_of_graphs(
    hashes: NDArray[np.bytes_] | None, order: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return rows of two halves that have no graph in common; with one graph, the first is empty.

    Args:
        hashes: Hashes of the cells' graphs ``[n]``; None if no graph appears twice.
        order: The ``n`` rows in random order.
    """
    if hashes is None:
        return order[: len(order) // 2], order[len(order) // 2 :]
    graph = np.unique(hashes, return_inverse=True)[1]
    # Graphs in the order of their first cells: the halves are those of the cells themselves
    # where no graph appears twice.
    graphs, first = np.unique(graph[order], return_index=True)
    in_order = graphs[np.argsort(first)]
    in_first = np.isin(graph[order], in_order[: len(graphs) // 2])
    return order[in_first], order[~in_first]


def _copies(graphs: NDArray[np.int64]) -> list[Tensor]:
    """Return the rows of each graph that appears more than once."""
    _, graph, count = np.unique(graphs, axis=0, return_inverse=True, return_counts=True)
    rows = np.argsort(graph, kind="stable")
    groups = np.split(rows, np.cumsum(count)[:-1])
    return [torch.from_numpy(group) for group in groups if len(group) > 1]
