"""Paths from the input to the output of cells, counted by the operations on them.

A space names the operations whose paths are counted
(:attr:`~pyg_nas.graphs.space_support.SpaceSupport.path_operations`). A cell of such a space
computes a sum over paths, and the operations on a path determine what its term can learn.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from pyg_nas.features.graph_block import Array
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace

_COUNT, _LONGEST = "paths of", "longest path of"
_CELLS = 2_048  # whose arrays stay in the processor's cache


def _subsets(space: SearchSpace) -> list[tuple[int, ...]]:
    """Return all subsets of the path operations but the empty one, small ones first."""
    known = space.support.path_operations
    sizes = range(1, len(known) + 1)
    return [subset for size in sizes for subset in itertools.combinations(known, size)]


def path_feature_names(space: SearchSpace) -> list[str]:
    """Return the names of :func:`path_features` in their order; none where a space has none."""
    labels = [" or ".join(space.operations[i] for i in subset) for subset in _subsets(space)]
    return [f"{what} {label}" for what in (_COUNT, _LONGEST) for label in labels]


def path_features(cells: CellArray) -> NDArray[np.float32]:
    """Return path features, float32 ``[N, 2 S]``, for the ``S`` subsets of the path operations.

    For each subset, the number of paths from the input to the output that have only operations of
    the subset, and then the largest number of operations on such a path, 0 if there is none.

    Args:
        cells: ``N`` cells whose input is the first and whose output is the last vertex.
    """
    width = len(path_feature_names(cells.space))
    found = np.empty((len(cells), width), dtype=np.float32)
    if width:
        for start in range(0, len(cells), _CELLS):
            rows = slice(start, start + _CELLS)
            found[rows] = _block_features(cells[rows])
    return found


def _block_features(cells: CellArray) -> Array:
    adjacency = np.ascontiguousarray(cells.adjacency.transpose(1, 2, 0), dtype=np.float32)
    operations, outputs = cells.operations.T, cells.num_vertices.astype(np.int64) - 1
    rows = np.arange(len(cells))
    subsets = _subsets(cells.space)
    # Whether a vertex may be on a path, [V, S, B]: it has an operation of the subset, or is the
    # output. The input is where paths begin.
    allowed = np.stack([np.isin(operations, subset) for subset in subsets], axis=1)
    allowed[outputs, :, rows] = True
    paths = np.zeros(allowed.shape, dtype=np.float32)
    longest = np.zeros(allowed.shape, dtype=np.float32)
    paths[0] = 1
    for v in range(1, len(paths)):
        edges = adjacency[:v, v, None]  # [v, 1, B]
        paths[v] = allowed[v] * (edges * paths[:v]).sum(axis=0)
        # One more than at the predecessors, 0 where no path arrives.
        reached = edges * (paths[:v] > 0) * (longest[:v] + 1)
        longest[v] = allowed[v] * reached.max(axis=0)
    # The output itself is no operation.
    lengths = np.maximum(longest[outputs, :, rows] - 1, 0)
    return np.concatenate([paths[outputs, :, rows], lengths], axis=1)
