"""Many cells as one immutable array, the form in which tables, datasets and estimators use them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from hashlib import sha256
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from pyg_nas.compute.jit import compiled_loaded
from pyg_nas.errors import CellError, first_true
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_network import CellNetwork, NetworkSize
from pyg_nas.graphs.ragged import Ids, Ints, RaggedGraphs, depths
from pyg_nas.graphs.registry import missing_network
from pyg_nas.graphs.row_index import Samples, row_numbers
from pyg_nas.graphs.search_space import SearchSpace, given_space
from pyg_nas.io.limits import MOST_PADDED_VERTICES
from pyg_nas.io.text import counted

Padded = tuple[NDArray[np.int8], Ids, Ids]


class CellArray(Samples, Sequence[Cell]):
    """``N`` cells of one space, immutable and indexable like a NumPy array.

    An integer gives a :class:`Cell`; a slice, index array or mask gives a ``CellArray``. It has a
    ``shape`` of ``(N, 1)``, so scikit-learn's splitters and searches index it as they do arrays.

    Graphs are stored in one of two forms: padded arrays, for dense arithmetic on small cells, or
    edge lists (:attr:`ragged`), whose memory is linear in vertices and edges. The other form is
    computed when it is first used. All arrays are read-only.

    Args:
        adjacency: int8 ``[N, V, V]``, upper triangular, padded with zeros.
        operations: ``[N, V]`` operation ids, padded with zeros.
        num_vertices: ``[N]``.
        space: The search space of all of them, by default
            :func:`~pyg_nas.graphs.registry.default_space`.

    Writable arrays are copied. The graphs are not checked: build arrays of cells with
    :meth:`from_cells`, and use :meth:`first_invalid` on arrays from outside.

    Raises:
        CellError: If the shapes disagree.
    """

    def __init__(
        self,
        adjacency: NDArray[np.int8],
        operations: Ids,
        num_vertices: Ids,
        space: SearchSpace | None = None,
    ) -> None:
        total = len(num_vertices)
        width = operations.shape[1] if operations.ndim == 2 else -1
        if operations.shape != (total, width) or adjacency.shape != (total, width, width):
            raise CellError(
                f"adjacency {adjacency.shape}, operations {operations.shape} and num_vertices "
                f"{num_vertices.shape} must be [N, V, V], [N, V] and [N]"
            )
        padded = [
            array.copy() if array.flags.writeable else array
            for array in (adjacency, operations, num_vertices)
        ]
        self._set_up(given_space(space), (padded[0], padded[1], padded[2]), None)

    def _set_up(
        self, space: SearchSpace, padded: Padded | None, ragged: RaggedGraphs | None
    ) -> None:
        for array in padded or ():
            array.flags.writeable = False
        self._space = space
        self._padded = padded
        self._ragged = None if ragged is None else ragged.freeze()

    @classmethod
    def _new(
        cls, space: SearchSpace, padded: Padded | None, ragged: RaggedGraphs | None
    ) -> CellArray:
        """Return an array of ``cls`` without copies; nothing else may write to the arrays."""
        cells = cls.__new__(cls)
        cells._set_up(space, padded, ragged)
        return cells

    @classmethod
    def from_ragged(cls, graphs: RaggedGraphs, space: SearchSpace | None = None) -> CellArray:
        """Return graphs given as edge lists, whose arrays become read-only.

        They are not checked, see :meth:`first_invalid`.
        """
        return cls._new(given_space(space), None, graphs)

    @classmethod
    def from_cells(cls, cells: Iterable[Cell], space: SearchSpace | None = None) -> CellArray:
        """Return an array of ``cells``.

        Raises:
            CellError: If the cells are of different spaces, or there is none and no ``space``.
        """
        listed = list(cells)
        if space is None:
            if not listed:
                raise CellError("an empty list of cells needs its search space named")
            space = listed[0].space
        for i, cell in enumerate(listed):
            if cell.space != space:
                raise CellError(
                    f"cell {i} is of space {cell.space.name!r}, the others of {space.name!r}"
                )
        graphs = RaggedGraphs.of_lists(
            [cell.operation_ids for cell in listed], [cell.edge_index for cell in listed]
        )
        return cls._new(space, None, graphs)

    @classmethod
    def concatenate(cls, parts: Sequence[CellArray]) -> CellArray:
        """Join arrays of one space end to end.

        Raises:
            CellError: If there is none, or the spaces differ.
        """
        if not parts:
            raise CellError("nothing to concatenate")
        space = parts[0].space
        for part in parts:
            if part.space != space:
                raise CellError(f"cannot join cells of {part.space.name!r} and of {space.name!r}")
        padded = [part._padded for part in parts if part._padded is not None]
        if len(padded) == len(parts) and len({p[1].shape[1] for p in padded}) == 1:
            adjacency, operations, sizes = (
                np.concatenate([p[k] for p in padded]) for k in range(3)
            )
            return cls._new(space, (adjacency, operations, sizes), None)
        return cls._new(space, None, RaggedGraphs.join([part.ragged for part in parts]))

    @property
    def space(self) -> SearchSpace:
        """The search space of the cells."""
        return self._space

    @property
    def is_padded(self) -> bool:
        """Whether the cells are padded arrays now; else they are edge lists alone."""
        return self._padded is not None

    @property
    def adjacency(self) -> NDArray[np.int8]:
        """int8 ``[N, V, V]``, padded with zeros; needs much memory for large graphs.

        Raises:
            CellError: If they may have more than
                :data:`~pyg_nas.io.limits.MOST_PADDED_VERTICES` vertices.
        """
        return self._as_padded[0]

    @property
    def operations(self) -> Ids:
        """Operation ids ``[N, V]``, padded with zeros."""
        return self._as_padded[1]

    @property
    def num_vertices(self) -> Ids:
        """Vertices of each cell, ``[N]``."""
        return self._sizes if self._padded is None else self._padded[2]

    @property
    def width(self) -> int:
        """``V``, the largest number of vertices of a padded cell."""
        return self.space.max_vertices if self._padded is None else self._padded[1].shape[1]

    @property
    def ragged(self) -> RaggedGraphs:
        """The graphs as edge lists, without padding."""
        if self._ragged is None:
            self._ragged = RaggedGraphs.from_padded(*self._as_padded).freeze()
        return self._ragged

    @property
    def _as_padded(self) -> Padded:
        if self._padded is None:
            if self.width > MOST_PADDED_VERTICES:
                raise CellError(
                    f"graphs of up to {self.width:,} vertices: features of all pairs of vertices "
                    f"are computed for at most {MOST_PADDED_VERTICES:,}"
                )
            padded = (*self.ragged.to_padded(self.width), self._sizes)
            for array in padded:
                array.flags.writeable = False
            self._padded = padded
        return self._padded

    @cached_property
    def _sizes(self) -> Ids:
        sizes = np.diff(self.ragged.vertex_ptr).astype(self.space.size_type)
        sizes.flags.writeable = False
        return sizes

    @property
    def columns(self) -> Ints:
        """One-hot column of each vertex, int64 ``[N, V]``; meaningless at padding."""
        return self.operations.astype(np.int64) - self.space.first_id

    @property
    def mask(self) -> NDArray[np.bool_]:
        """True at real vertices, False at padding, ``[N, V]``."""
        return np.arange(self.width) < self.num_vertices[:, None]

    @property
    def num_edges(self) -> Ints:
        """Edges of each cell, ``[N]``."""
        if self._ragged is None:
            return np.asarray(self.adjacency.sum(axis=(1, 2), dtype=np.int64))
        return np.diff(self._ragged.edge_ptr)

    @property
    def depths(self) -> Ints:
        """Edges on the longest path of each cell, ``[N]``."""
        if self._padded is None:
            return longest_paths(self.ragged)
        depth = np.zeros(self.operations.shape, dtype=np.int64)
        for vertex in range(1, self.width):  # predecessors come first
            depth[:, vertex] = (self.adjacency[:, :, vertex] * (depth + 1)).max(axis=1)
        return np.asarray(depth.max(axis=1))

    @property
    def operation_counts(self) -> Ints:
        """Number of vertices of each cell with each operation, ``[N, operations]``."""
        total = len(self.space.operations)
        ids = self.ragged.operations.astype(np.int64)
        flat = (self.ragged.vertex_graph * total + ids)[ids >= 0]
        return np.bincount(flat, minlength=len(self) * total).reshape(len(self), total)

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of space and graphs: equal for equal cells, wherever they come from."""
        return sha256(repr(self.space).encode() + self.ragged.digest()).digest()

    @cached_property
    def distinct(self) -> tuple[CellArray, Ints | slice]:
        """The different drawings in the order of their first appearance, and the index of each
        cell's drawing among them, ``[N]``: a slice of all where they are the cells themselves.

        Predictors compute each drawing once. Matrix products of some libraries have other last
        bits in other rows, and cells that compute the same would not be tied.
        """
        if not self.space.support.is_whole(self):
            first, numbers = self.ragged.numbered()
            if len(first) < len(self):
                return self[first], numbers
        return self, slice(None)

    def hashes(self) -> NDArray[np.bytes_]:
        """Return the hashes of all cells, ``S32 [N]``, computed once."""
        return self._hashes

    @cached_property
    def _hashes(self) -> NDArray[np.bytes_]:
        hashes = self.space.support.cell_hashes(self)
        hashes.flags.writeable = False
        return hashes

    def trainable_parameters(self, size: NetworkSize | None = None) -> NDArray[np.int64]:
        """Return the exact parameters of the networks, ``int64 [N]``, by default the official ones.

        Raises:
            CellError: If the cells of this space have no network.
        """
        return self._network("parameters").trainable_parameters(self, size)

    def macs(self, size: NetworkSize | None = None) -> NDArray[np.int64]:
        """Return the networks' multiply-accumulates for one image, ``int64 [N]``, by default of
        the official ones.

        Raises:
            CellError: If the cells of this space have no network.
        """
        return self._network("multiply-accumulates").macs(self, size)

    def _network(self, what: str) -> CellNetwork:
        network = self.space.support.network
        if network is None:
            raise CellError(
                f"{what} are not known for cells of {self.space.name!r}: "
                f"{missing_network(self.space)}"
            )
        return network

    def first_invalid(self) -> tuple[int, str] | None:
        """Return the index of the first row that is not a canonical cell, and why, or None."""
        if compiled_loaded(len(self)):
            from pyg_nas.graphs.numba_cells import comply

            if comply(self):
                return self.space.support.first_invalid(self)
        found: tuple[int, str] | None = None
        for rule, broken in self._broken_rules():
            index = first_true(broken)
            if index is not None and (found is None or index < found[0]):
                found = (index, rule)
        return self.space.support.first_invalid(self) if found is None else found

    def _broken_rules(self) -> Iterator[tuple[str, NDArray[np.bool_]]]:
        """Yield every rule and the rows that break it, ``[N]``."""
        space, graphs = self.space, self.ragged
        # Of edge lists in 64 bits: a graph may have more vertices than the sizes of a space can be.
        sizes = np.diff(graphs.vertex_ptr) if self._padded is None else self.num_vertices
        low, most = (2 if space.terminals else 1), min(self.width, space.max_vertices)
        vertex_graph, edge_graph = graphs.vertex_graph, graphs.edge_graph
        source, target = graphs.edges

        def of_vertices(bad: NDArray[np.bool_]) -> NDArray[np.bool_]:
            return np.asarray(np.bincount(vertex_graph[bad], minlength=len(self)) > 0)

        def of_edges(bad: NDArray[np.bool_]) -> NDArray[np.bool_]:
            return np.asarray(np.bincount(edge_graph[bad], minlength=len(self)) > 0)

        yield f"num_vertices must be {low} to {most}", (sizes < low) | (sizes > most)
        if self._padded is not None:
            adjacency = self._padded[0]
            other = (adjacency != 0) & (adjacency != 1)
            yield "adjacency must contain 0 and 1 only", other.any(axis=(1, 2))
        yield "adjacency must be upper triangular", of_edges(source >= target)
        inside = (source >= 0) & (target < sizes[edge_graph]) & (source < target)
        yield "adjacency must be zero beyond num_vertices", of_edges(~inside & (source < target))
        if self._padded is None:
            backwards = np.sign(np.diff(source)) * 2 + np.sign(np.diff(target)) <= 0
            same = edge_graph[1:] == edge_graph[:-1]
            unsorted = np.append(same & backwards, False)[: len(source)]
            yield "edges must be different, sorted by source and target", of_edges(unsorted)
        else:
            stray = (self._padded[1] != 0) & ~self.mask
            yield "operations must be zero beyond num_vertices", stray.any(axis=1)
        yield (
            f"a cell has at most {counted(space.max_edges, 'edge')}",
            np.diff(graphs.edge_ptr) > space.max_edges,
        )
        ids = graphs.operations
        known = (ids >= 0) & (ids < len(space.operations))
        if not space.terminals:
            yield "operations must be of the space", of_vertices(~known)
            return
        first, last = self._ends
        yield (
            "the first operation must be the input, the last the output, and the others of the "
            "space",
            of_vertices(
                np.where(
                    first, ids != space.input_id, np.where(last, ids != space.output_id, ~known)
                )
            ),
        )
        # In an upper triangular graph it is enough that every vertex but the first has a
        # predecessor and every vertex but the last a successor.
        start = graphs.vertex_ptr[edge_graph[inside]]
        entered, left = np.zeros(len(ids), dtype=bool), np.zeros(len(ids), dtype=bool)
        entered[start + target[inside]] = True
        left[start + source[inside]] = True
        yield (
            "every vertex must lie on a path from the input to the output",
            of_vertices((~entered & ~first) | (~left & ~last)) & ~self._may_be_empty,
        )

    @property
    def _ends(self) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Which of all vertices are the first, and the last, of their cell, ``[V]`` each."""
        graphs = self.ragged
        first = np.zeros(len(graphs.operations), dtype=bool)
        last = first.copy()
        filled = np.diff(graphs.vertex_ptr) > 0
        first[graphs.vertex_ptr[:-1][filled]] = True
        last[graphs.vertex_ptr[1:][filled] - 1] = True
        return first, last

    @property
    def _may_be_empty(self) -> NDArray[np.bool_]:
        """Whether a cell is the input and the output alone, if the space allows that, ``[N]``."""
        alone = (self.num_vertices == 2) & (self.num_edges == 0)
        return np.asarray(alone & self.space.support.has_empty_cell)

    def __len__(self) -> int:
        return len(self.ragged) if self._padded is None else len(self._padded[2])

    @overload
    def __getitem__(self, index: int | np.integer[Any]) -> Cell: ...
    @overload
    def __getitem__(self, index: slice | NDArray[Any] | list[int]) -> CellArray: ...
    def __getitem__(
        self, index: int | np.integer[Any] | slice | NDArray[Any] | list[int]
    ) -> Cell | CellArray:
        if isinstance(index, (int, np.integer)):
            return self._cell(int(index))
        if isinstance(index, slice) and index.indices(len(self)) == (0, len(self), 1):
            return self  # with cached results, such as its hashes
        rows = index if isinstance(index, slice) else row_numbers(index, len(self))
        if self._padded is None:
            return self._new(self.space, None, self.ragged.take(rows))
        if isinstance(rows, slice):
            adjacency, operations, sizes = (array[rows] for array in self._padded)
        else:
            # take: in a tenth of the time of an index array.
            adjacency, operations, sizes = (array.take(rows, axis=0) for array in self._padded)
        return self._new(self.space, (adjacency, operations, sizes), None)

    def _cell(self, index: int) -> Cell:
        if self._padded is not None:
            v = int(self.num_vertices[index])
            return Cell(self.adjacency[index, :v, :v], self.operations[index, :v], self.space)
        if not -len(self) <= index < len(self):
            raise IndexError(f"index {index} is out of bounds for {counted(len(self), 'cell')}")
        graph = self.ragged.take([index])
        return Cell.from_edges(graph.edges.T, graph.operations, self.space)

    def __iter__(self) -> Iterator[Cell]:
        return (self[i] for i in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CellArray):
            return NotImplemented
        return self is other or (len(self) == len(other) and self.digest == other.digest)

    __hash__ = None  # type: ignore[assignment]

    def __copy__(self) -> CellArray:
        return self

    def __deepcopy__(self, memo: object) -> CellArray:
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        ragged = self._ragged if self._padded is None else None
        return self._new, (self.space, self._padded, ragged)

    def _repr_html_(self) -> str:
        from pyg_nas.visualization.notebook import rows_html

        rows = ((cell, (cell.hash, cell.num_vertices, cell.num_edges)) for cell in self)
        return rows_html(repr(self), ("hash", "vertices", "edges"), rows, len(self))

    def __repr__(self) -> str:
        return f"CellArray({counted(len(self), 'cell')} of {self.space.name})"


def longest_paths(graphs: RaggedGraphs) -> Ints:
    """Return the edges on the longest path of each graph, ``[N]``."""
    starts = graphs.vertex_ptr[graphs.edge_graph]
    depth = depths((starts + graphs.edges).T.tolist(), len(graphs.operations))
    deepest = np.zeros(len(graphs), dtype=np.int64)
    np.maximum.at(deepest, graphs.vertex_graph, depth)
    return deepest
