"""Edit distance from one cell to many, for a search in a part of a space."""

from __future__ import annotations

import itertools
import math
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import SpaceError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.ragged import Ids
from pyg_nas.graphs.search_space import SearchSpace

_MOST_ALIGNMENTS = 5040  # all of them up to 9 vertices
_FAR = 2**31
_ROWS_AT_ONCE = 2048  # keeps a block of alignment scores in the processor's cache


class EditDistance:
    """Edit distances from any cell to each of ``cells``.

    The distance is the least number of edges added or removed, operations replaced and inner
    vertices added or removed that turns one cell into the other, over all alignments of their
    inner vertices. It is exact in spaces of up to 9 vertices; in larger ones the best of 5,040
    random alignments is taken, an upper bound.

    Args:
        cells: ``N`` cells of a space with terminals.

    Raises:
        SpaceError: If the space has no terminals.
    """

    def __init__(self, cells: CellArray) -> None:
        if not cells.space.terminals:
            raise SpaceError(
                f"space {cells.space.name!r} has no input and output vertex, "
                f"so its graphs cannot be aligned"
            )
        self.space = cells.space
        self._edges = cells.num_edges
        # The distance is edges of both - 2 common edges + unlike slots: the last two terms
        # are one product of these features with those of each alignment.
        self._features = _features(*_spread(cells), cells.space)
        self._counts = _operation_counts(self._features, cells.space)

    def __call__(self, cell: Cell) -> NDArray[np.int64]:
        """Return the distances ``[N]`` from ``cell``."""
        return self._to_rows(cell, self._alignments(cell), np.arange(len(self._edges)))

    def nearest(self, cell: Cell, allowed: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Return all rows at the least distance from ``cell`` among those ``allowed`` ``[N]``.

        Rows whose number of edges and operations exclude this distance are skipped.
        """
        alignments = self._alignments(cell)
        counts = _operation_counts(alignments[:1], self.space)
        # Edges that differ in number and operations that differ as a multiset must be edited.
        bounds = np.abs(self._edges - cell.num_edges)
        bounds += np.abs(self._counts - counts).sum(axis=1) // 2
        bounds = np.where(allowed, bounds, _FAR)
        best, found = _FAR, np.array([], dtype=np.int64)
        for bound in range(int(bounds.min()), _FAR):
            if bound > best:
                break
            rows = np.flatnonzero(bounds == bound)
            distances = self._to_rows(cell, alignments, rows)
            least = int(distances.min(initial=best))
            if least < best:
                best, found = least, np.array([], dtype=np.int64)
            found = np.concatenate([found, rows[distances == best]])
        return np.sort(found)

    def _alignments(self, cell: Cell) -> NDArray[np.float32]:
        orders = _orders(self.space.max_vertices - 2, cell.num_vertices - 2)
        adjacency, operations = _spread(CellArray.from_cells([cell]))
        return _features(
            adjacency[0][orders[:, :, None], orders[:, None, :]], operations[0][orders], self.space
        )

    def _to_rows(
        self, cell: Cell, alignments: NDArray[np.float32], rows: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        weighed = alignments.copy()
        weighed[:, : _edge_columns(self.space)] *= 2
        features, edges = self._features[rows], self._edges[rows]
        best = np.empty(len(edges), dtype=np.float32)
        for start in range(0, len(best), _ROWS_AT_ONCE):
            block = features[start : start + _ROWS_AT_ONCE] @ weighed.T
            best[start : start + _ROWS_AT_ONCE] = block.max(axis=1)
        slots = self.space.max_vertices - 2
        return np.asarray(edges + cell.num_edges + slots - best, dtype=np.int64)


def _edge_columns(space: SearchSpace) -> int:
    return (space.max_vertices - 1) ** 2


def _operation_counts(features: NDArray[np.float32], space: SearchSpace) -> NDArray[np.int64]:
    """Return how many slots have each operation or none, ``[N, operations + 1]``."""
    kinds = features[:, _edge_columns(space) :].reshape(len(features), space.max_vertices - 2, -1)
    return np.asarray(kinds.sum(axis=1), dtype=np.int64)


def _features(
    adjacency: NDArray[np.int8], operations: Ids, space: SearchSpace
) -> NDArray[np.float32]:
    """Return edges and then the operation of each slot as float32 ``[N, F]`` of 0 and 1."""
    total, size = operations.shape
    # An edge leaves any vertex but the output and enters any but the input.
    edges = adjacency[:, :-1, 1:].reshape(total, -1)
    kinds = np.zeros((total, size - 2, len(space.operations) + 1), dtype=np.int8)
    np.put_along_axis(kinds, operations[:, 1:-1, None].astype(np.int64), 1, axis=2)
    return np.concatenate([edges, kinds.reshape(total, -1)], axis=1).astype(np.float32)


def _spread(cells: CellArray) -> tuple[NDArray[np.int8], Ids]:
    """Move the output to the last slot; free slots get the operation ``len(operations)``."""
    total, size = cells.operations.shape
    rows = np.arange(total)
    last = cells.num_vertices.astype(np.int64) - 1
    adjacency = cells.adjacency.copy()
    to_output = adjacency[rows, :, last]
    adjacency[rows, :, last] = 0
    adjacency[:, :, size - 1] = to_output
    idle = len(cells.space.operations)
    operations = np.where(cells.mask, cells.operations, idle).astype(cells.space.id_type)
    operations[rows, last] = idle
    operations[:, -1] = cells.space.output_id
    return adjacency, operations


@lru_cache(maxsize=32)
def _orders(slots: int, inner: int) -> NDArray[np.int64]:
    """Return orders of all vertices, ``[alignments, slots + 2]``, terminals in place.

    Only the first ``inner`` slots are used: orders that differ in unused ones alone are one
    alignment.
    """
    if math.perm(slots, inner) <= _MOST_ALIGNMENTS:
        middle = np.full((math.perm(slots, inner), slots), -1)
        for order, chosen in zip(middle, itertools.permutations(range(slots), inner), strict=True):
            order[list(chosen)] = np.arange(inner)
            order[order < 0] = np.arange(inner, slots)
    else:
        rng = np.random.default_rng(0)
        middle = np.array(
            [np.arange(slots), *(rng.permutation(slots) for _ in range(_MOST_ALIGNMENTS - 1))]
        )
    ends = np.zeros((len(middle), 1), dtype=np.int64)
    return np.concatenate([ends, middle + 1, ends + slots + 1], axis=1)
