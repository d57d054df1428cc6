"""The paper's arithmetic written as plainly as possible, in float64, one cell at a time."""

from __future__ import annotations

import numpy as np

from pyg_nas.graphs.cell import Cell
from pyg_nas.nn.gcn import GCN


def row_normalised(matrix: np.ndarray) -> np.ndarray:
    return matrix / matrix.sum(axis=1, keepdims=True)


def reference_output(model: GCN, cell: Cell) -> float:
    """Â is the row-normalised A + I, Â' the row-normalised transpose of Â."""
    forward = row_normalised(cell.adjacency.astype(np.float64) + np.eye(cell.num_vertices))
    backward = row_normalised(forward.T)
    h = np.zeros((cell.num_vertices, cell.space.num_columns))
    for vertex, name in enumerate(cell.operations):
        h[vertex, cell.space.vocabulary.index(name)] = 1.0
    for conv in model.convs:
        plus = conv.weight_out.detach().double().numpy()
        minus = conv.weight_in.detach().double().numpy()
        h = 0.5 * np.maximum(forward @ h @ plus, 0) + 0.5 * np.maximum(backward @ h @ minus, 0)
    pooled = h.mean(axis=0)
    hidden = model.head.weight.detach().double().numpy() @ pooled
    return float((model.output.weight.detach().double().numpy() @ hidden)[0])
