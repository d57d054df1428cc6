"""Many graphs of different sizes, concatenated without padding, as PyG stores them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.compute.splitmix import GOLDEN, mix

Ints = NDArray[np.int64]
Ids = NDArray[Any]  # whole numbers of any width


@dataclass(frozen=True)
class RaggedGraphs:
    """``N`` graphs as edge lists.

    Attributes:
        vertex_ptr: int64 ``[N + 1]``, where each graph's vertices begin in ``operations``.
        operations: ``[V]`` ids of all vertices.
        edge_ptr: int64 ``[N + 1]``, where each graph's edges begin in ``edges``.
        edges: int64 ``[2, E]`` (source, target), numbered within the graph, sorted by graph,
            source and target.
    """

    vertex_ptr: Ints
    operations: Ids
    edge_ptr: Ints
    edges: Ints

    def __len__(self) -> int:
        return len(self.vertex_ptr) - 1

    def freeze(self) -> RaggedGraphs:
        """Make the arrays read-only and return the graphs."""
        for array in (self.vertex_ptr, self.operations, self.edge_ptr, self.edges):
            array.flags.writeable = False
        return self

    @property
    def vertex_graph(self) -> Ints:
        """The graph of each vertex, ``[V]``."""
        return np.repeat(np.arange(len(self)), np.diff(self.vertex_ptr))

    @property
    def vertex_place(self) -> Ints:
        """The number of each vertex within its graph, ``[V]``."""
        return np.arange(len(self.operations)) - np.repeat(
            self.vertex_ptr[:-1], np.diff(self.vertex_ptr)
        )

    @property
    def edge_graph(self) -> Ints:
        """The graph of each edge, ``[E]``."""
        return np.repeat(np.arange(len(self)), np.diff(self.edge_ptr))

    def digest(self) -> bytes:
        """Return the SHA-256 of the graphs, which does not depend on the integer types."""
        content = sha256(str(len(self)).encode())
        for array in (self.vertex_ptr, self.operations, self.edge_ptr, self.edges):
            content.update(np.ascontiguousarray(array, dtype="<i4").data)
        return content.digest()

    def numbered(self) -> tuple[Ints, Ints]:
        """Number the different graphs in the order of their first appearance.

        Returns:
            The first graph of each number, ``[n]``; the number of each graph, ``[N]``.
        """
        keys = self._keys()
        _, first, found = np.unique(keys, return_index=True, return_inverse=True)
        order = np.argsort(first)
        number = np.empty_like(order)
        number[order] = np.arange(len(order))
        first, numbers = first[order], number[found]
        again = np.flatnonzero(first[numbers] != np.arange(len(self)))
        # Different graphs have equal keys nearly never; then each is taken as different.
        if not self.take(again).equals(self.take(first[numbers[again]])):
            return np.arange(len(self)), np.arange(len(self))
        return first, numbers

    def equals(self, other: RaggedGraphs) -> bool:
        """Whether the graphs and their order are equal; integer types may differ."""
        return all(
            np.array_equal(getattr(self, name), getattr(other, name))
            for name in ("vertex_ptr", "operations", "edge_ptr", "edges")
        )

    def _keys(self) -> NDArray[np.uint64]:
        """Return a key of each graph ``[N]``, equal for equal graphs."""
        vertices = self.vertex_place, self.operations, self.vertex_ptr
        parts = (vertices, (*self.edges, self.edge_ptr))
        keys = np.zeros(len(self), dtype=np.uint64)
        for one, two, ptr in parts:
            # Sums that overflow are still equal for equal graphs.
            values = one.astype(np.uint64) * GOLDEN + two.astype(np.uint64)
            sums = np.concatenate([np.zeros(1, np.uint64), np.cumsum(mix(values))])
            keys = mix(keys + sums[ptr[1:]] - sums[ptr[:-1]])
        return keys

    def take(self, rows: Any) -> RaggedGraphs:
        """Return some graphs: a slice, mask or index array of rows."""
        if isinstance(rows, slice) and rows.step in (None, 1):
            start, stop, _ = rows.indices(len(self))
            stop = max(start, stop)
            v, e = self.vertex_ptr[start : stop + 1], self.edge_ptr[start : stop + 1]
            return RaggedGraphs(
                v - v[0], self.operations[v[0] : v[-1]], e - e[0], self.edges[:, e[0] : e[-1]]
            )
        index = np.arange(len(self))[rows]
        vertices, vertex_ptr = gathered(self.vertex_ptr, index)
        edges, edge_ptr = gathered(self.edge_ptr, index)
        # take: in half the time of an index behind a slice.
        return RaggedGraphs(
            vertex_ptr, self.operations[vertices], edge_ptr, self.edges.take(edges, axis=1)
        )

    @classmethod
    def join(cls, parts: Sequence[RaggedGraphs]) -> RaggedGraphs:
        """Return the concatenated graphs of all parts."""
        return cls(
            pointers(np.concatenate([np.diff(part.vertex_ptr) for part in parts])),
            np.concatenate([part.operations for part in parts]),
            pointers(np.concatenate([np.diff(part.edge_ptr) for part in parts])),
            np.concatenate([part.edges for part in parts], axis=1),
        )

    @classmethod
    def of_lists(cls, operations: Sequence[Ids], edges: Sequence[Ints]) -> RaggedGraphs:
        """Return graphs given one by one: ids ``[V]`` and sorted edges ``[2, E]`` of each."""
        none: Ints = np.empty((2, 0), dtype=np.int64)
        return cls(
            pointers(np.array([len(ids) for ids in operations], dtype=np.int64)),
            np.concatenate(operations) if operations else np.empty(0, dtype=np.int8),
            pointers(np.array([pairs.shape[1] for pairs in edges], dtype=np.int64)),
            np.concatenate([none, *edges], axis=1),
        )

    @classmethod
    def from_padded(cls, adjacency: NDArray[Any], operations: Ids, sizes: Ids) -> RaggedGraphs:
        """Return padded graphs ``[N, V, V]``, ``[N, V]`` of ``sizes`` ``[N]`` without padding."""
        width = operations.shape[1]
        mask = np.arange(width) < sizes[:, None]
        # Row-major: by graph, source and target. Of booleans it takes a third of the time, and a
        # table of the ends less than divisions.
        flat, places = np.flatnonzero(adjacency != 0), max(1, width * width)
        counts = np.bincount(flat // places, minlength=len(sizes))
        edges = np.indices((width, width)).reshape(2, -1).take(flat % places, axis=1)
        ptr = pointers(np.clip(sizes, 0, width))
        return cls(ptr, operations[mask], pointers(counts), edges)

    def to_padded(self, width: int) -> tuple[NDArray[np.int8], Ids]:
        """Return adjacency int8 ``[N, width, width]`` and operations ``[N, width]``."""
        adjacency = np.zeros((len(self), width, width), dtype=np.int8)
        operations = np.zeros((len(self), width), dtype=self.operations.dtype)
        adjacency[self.edge_graph, self.edges[0], self.edges[1]] = 1
        operations[self.vertex_graph, self.vertex_place] = self.operations
        return adjacency, operations


def pointers(counts: Ids) -> Ints:
    """Return where each of runs of lengths ``[n]`` begins, and the last one ends, ``[n + 1]``."""
    ends = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=ends[1:])
    return ends


def adjacency_lists(
    pairs: Iterable[Sequence[int]], vertices: int
) -> tuple[list[list[int]], list[list[int]]]:
    """Return the successors and the predecessors of each vertex of a graph, ``vertices`` of each.

    Args:
        pairs: (source, target) of each edge; neighbours are in their order.
        vertices: Number of vertices.
    """
    successors: list[list[int]] = [[] for _ in range(vertices)]
    predecessors: list[list[int]] = [[] for _ in range(vertices)]
    for source, target in pairs:
        successors[source].append(target)
        predecessors[target].append(source)
    return successors, predecessors


def depths(pairs: Iterable[Sequence[int]], vertices: int) -> list[int]:
    """Return the edges on the longest path to each vertex of a graph.

    Args:
        pairs: (source, target) of each edge, sorted by source; all run to later vertices.
        vertices: Number of vertices.
    """
    found = [0] * vertices
    for source, target in pairs:  # all edges into the source came before
        if found[target] <= found[source]:
            found[target] = found[source] + 1
    return found


def gathered(ptr: Ints, index: Ints) -> tuple[Ints, Ints]:
    """Return the positions of all elements of the runs ``index`` ``[n]``, and their pointers."""
    counts = np.diff(ptr)[index]
    found = pointers(counts)
    return np.arange(found[-1]) + np.repeat(ptr[index] - found[:-1], counts), found
