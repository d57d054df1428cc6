"""Paths and random walks in many graphs at once, from which features are computed.

One pass over the vertices in topological order computes each for all cells of a block. Fractions
are of double precision: sums of the same terms in any order are then equal in single precision, so
that predictors which rank cells by such numbers see ties as ties.
"""

from __future__ import annotations

from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.graphs.space_support import ExtraFeatures

Array = NDArray[np.float32]

_FAR = np.float32(1e9)
_NO_ID = -3  # in the place of the operation of a vertex that is not there


def kinds(space: SearchSpace) -> dict[str, tuple[int, ...]]:
    """Return the sets of operation ids whose vertices are counted: all, each, the space's own."""
    every = tuple(range(len(space.operations)))
    each = {space.operations[i]: (i,) for i in every}
    return {"operations": every, **each, **space.support.extra_kinds}


def _kinds_of_ids(space: SearchSpace) -> Array:
    """Return whether an operation is of a kind, ``[W, ids]``; the first id is :data:`_NO_ID`."""
    found = np.zeros((len(kinds(space)), len(space.operations) - _NO_ID), dtype=np.float32)
    for row, members in zip(found, kinds(space).values(), strict=True):
        row[np.array(members, dtype=np.intp) - _NO_ID] = 1
    return found


class GraphBlock:
    """``B`` cells of ``V`` vertices, vertices first, so that a step is one long array operation.

    Args:
        cells: Cells of any space, vertices in topological order.

    Attributes:
        adjacency: float32 ``[V, V, B]``.
        mask: Whether a vertex is there, bool ``[V, B]``.
        in_degree: Predecessors, ``[V, B]``.
        out_degree: Successors, ``[V, B]``.
        sources: Vertices without predecessors, bool ``[V, B]``: a cell's input; a plain graph may
            have several.
        sinks: Vertices without successors, bool ``[V, B]``.
        kinds: Whether a vertex is of a kind of operation (:func:`kinds`), float32 ``[V, W, B]``.
        extra: Features that are particular to the space.
    """

    def __init__(self, cells: CellArray) -> None:
        self.cells = cells
        self.adjacency = np.ascontiguousarray(cells.adjacency.transpose(1, 2, 0), dtype=np.float32)
        self.mask = np.ascontiguousarray(cells.mask.T)
        self.in_degree = self.adjacency.sum(axis=0)
        self.out_degree = self.adjacency.sum(axis=1)
        self.sources = self.mask & (self.in_degree == 0)
        self.sinks = self.mask & (self.out_degree == 0)
        ids = np.where(self.mask, cells.operations.T, _NO_ID)
        of_kinds = np.take(_kinds_of_ids(cells.space), ids.astype(np.intp) - _NO_ID, axis=1)
        self.kinds = np.ascontiguousarray(of_kinds.transpose(1, 0, 2))
        self.extra: ExtraFeatures = cells.space.support.extra_features(cells, self.adjacency)
        self._width = len(ids)

    @cached_property
    def paths_to(self) -> Array:
        """Number of paths from the sources to each vertex, ``[V, B]``."""
        paths = self.sources.astype(np.float32)
        for v in range(1, self._width):
            paths[v] += (self.adjacency[:v, v] * paths[:v]).sum(axis=0)
        return np.asarray(paths)

    @cached_property
    def paths_from(self) -> Array:
        """Number of paths from each vertex to the sinks, ``[V, B]``."""
        paths = self.sinks.astype(np.float32)
        for v in range(self._width - 2, -1, -1):
            paths[v] += (self.adjacency[v, v + 1 :] * paths[v + 1 :]).sum(axis=0)
        return np.asarray(paths)

    @cached_property
    def paths(self) -> Array:
        """Number of paths from the sources to the sinks, at least 1, ``[B]``."""
        return np.asarray(np.maximum((self.paths_to * self.sinks).sum(axis=0), 1))

    @cached_property
    def longest(self) -> Array:
        """Most vertices of each kind on a path from a source, own one included, ``[V, W, B]``."""
        return self._most_on_paths_to(np.maximum)

    @cached_property
    def shortest(self) -> Array:
        """Fewest vertices of each kind on a path from a source, own one included, ``[V, W, B]``."""
        return self._most_on_paths_to(np.minimum)

    @cached_property
    def longest_onward(self) -> Array:
        """Most vertices of each kind on a path to a sink, without the first, ``[V, W, B]``."""
        return self._most_on_paths_from(np.maximum)

    @cached_property
    def shortest_onward(self) -> Array:
        """Fewest vertices of each kind on a path to a sink, without the first, ``[V, W, B]``."""
        return self._most_on_paths_from(np.minimum)

    @cached_property
    def longest_path(self) -> Array:
        """Most vertices of each kind on a path to a sink, ``[W, B]``."""
        return np.asarray(np.where(self.sinks[:, None], self.longest, 0).max(axis=0))

    @cached_property
    def shortest_path(self) -> Array:
        """Fewest vertices of each kind on a path to a sink, ``[W, B]``."""
        return np.asarray(np.where(self.sinks[:, None], self.shortest, _FAR).min(axis=0))

    @cached_property
    def backward_walk(self) -> NDArray[np.float64]:
        """Probability that a walk against the edges from a sink meets each vertex, ``[V, B]``."""
        visits = self.first_visits()
        for v in range(self._width - 2, -1, -1):
            share = visits[v + 1 :] / np.maximum(self.in_degree[v + 1 :], 1)
            visits[v] += (self.adjacency[v, v + 1 :] * share).sum(axis=0)
        return np.asarray(visits)

    @cached_property
    def forward_walk(self) -> NDArray[np.float64]:
        """Probability that a walk along the edges from a source meets each vertex, ``[V, B]``."""
        visits = self.sources / np.maximum(self.sources.sum(axis=0), 1)
        for v in range(1, self._width):
            share = visits[:v] / np.maximum(self.out_degree[:v], 1)
            visits[v] += (self.adjacency[:v, v] * share).sum(axis=0)
        return np.asarray(visits)

    @cached_property
    def walk(self) -> Array:
        """Probability that a walk goes from the second vertex back to the first, ``[V, V, B]``."""
        if self.extra.walk is not None:
            return np.asarray(self.extra.walk)
        return np.asarray(self.adjacency / np.maximum(self.in_degree, 1))

    def first_visits(self) -> NDArray[np.float64]:
        """Return the probability that a walk against the edges begins at a vertex, ``[V, B]``."""
        return np.asarray(self.sinks / np.maximum(self.sinks.sum(axis=0), 1))

    @cached_property
    def reach(self) -> Array:
        """Whether a path leads from the first to the second vertex, ``[V, V, B]``."""
        reach = self.adjacency.copy()
        alone = reach.shape[2] == 1  # a large graph, in which most vertices are not joined
        for v in range(self._width - 2, -1, -1):
            if alone:
                onward = reach[np.flatnonzero(self.adjacency[v])].max(axis=0, initial=0)
            else:
                onward = (self.adjacency[v, v + 1 :, None] * reach[v + 1 :]).max(axis=0)
            np.maximum(reach[v], onward, out=reach[v])
        return np.asarray(reach)

    @cached_property
    def one_hot(self) -> NDArray[np.float64]:
        """Operations of the vertices, ``[B, C, V]``."""
        operations = np.arange(self.cells.space.num_columns)[:, None]
        found = (self.cells.columns[:, None] == operations) & self.cells.mask[:, None]
        return np.asarray(found, dtype=np.float64)

    def _most_on_paths_to(self, choose: np.ufunc) -> Array:
        reached = self.kinds.copy()
        for v in range(1, self._width):
            before = reached[:v] + _far_from_chosen(choose, self.adjacency[:v, v])
            found = choose.reduce(before, axis=0)
            reached[v] += np.where(self.in_degree[v] > 0, found, 0)
        return np.asarray(reached, dtype=np.float32)

    def _most_on_paths_from(self, choose: np.ufunc) -> Array:
        reached = np.zeros_like(self.kinds)
        for v in range(self._width - 2, -1, -1):
            onward = reached[v + 1 :] + self.kinds[v + 1 :]
            onward += _far_from_chosen(choose, self.adjacency[v, v + 1 :])
            found = choose.reduce(onward, axis=0)
            reached[v] = np.where(self.out_degree[v] > 0, found, 0)
        return reached


def _far_from_chosen(choose: np.ufunc, joined: Array) -> Array:
    """Return what makes vertices that are not joined lose against others, ``[v, 1, B]``."""
    nothing = -_FAR if choose is np.maximum else _FAR
    return np.asarray(((1 - joined) * nothing)[:, None])
