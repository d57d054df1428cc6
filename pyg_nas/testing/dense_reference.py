"""The paper's network in the simplest possible code, in float64, one cell at a time."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from pyg_nas.graphs.cell import Cell
from pyg_nas.nn.gcn import GCN


def reference_output(model: GCN, cell: Cell) -> float:
    """Return the output of a GCN for one cell, without dropout, in double precision.

    H' = ½ ReLU(Â H W⁺) + ½ ReLU(Â' H W⁻), where Â is the row-normalised A + I and Â' the
    row-normalised transpose of Â; then the mean over the vertices and two linear layers
    (Wen et al., arXiv:1912.00848, section 2). Every faster implementation is tested against this.
    The activation is that of ``model``.
    """
    forward = _row_normalised(cell.adjacency.astype(np.float64) + np.eye(cell.num_vertices))
    backward = _row_normalised(forward.T)
    h = np.zeros((cell.num_vertices, cell.space.num_columns))
    for vertex, name in enumerate(cell.operations):
        h[vertex, cell.space.vocabulary.index(name)] = 1.0

    def activated(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        return _float64(model.activation(torch.from_numpy(values)))

    for conv in model.convs:
        plus = _float64(conv.weight_out)
        minus = _float64(conv.weight_in)
        h = 0.5 * activated(forward @ h @ plus) + 0.5 * activated(backward @ h @ minus)
    hidden = _float64(model.head.weight) @ h.mean(axis=0)
    return float((_float64(model.output.weight) @ hidden)[0])


def _float64(weight: Any) -> np.ndarray[Any, Any]:
    return np.asarray(weight.detach().double().numpy())


def _row_normalised(matrix: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.asarray(matrix / matrix.sum(axis=1, keepdims=True))
