"""Many cells as padded arrays: what tables, datasets and estimators pass around."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from hashlib import sha256
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import CellError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.registry import default_space
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.graphs.space_support import CellNetwork, NetworkSize


class CellArray(Sequence[Cell]):
    """``N`` cells of one space, indexable like a NumPy array.

    An integer gives a :class:`Cell`; a slice, index array or mask gives a ``CellArray``. It has a
    ``shape`` of ``(N,)``, so scikit-learn's splitters and searches index it as they do arrays.

    Args:
        adjacency: int8 ``[N, V, V]``, upper triangular, padded with zeros.
        operations: int8 ``[N, V]`` operation ids, padded with zeros.
        num_vertices: int8 ``[N]``.
        space: The search space of all of them.

    The arrays are taken as they are: build from cells with :meth:`from_cells`, and use
    :meth:`first_invalid` on arrays from outside.
    """

    def __init__(
        self,
        adjacency: NDArray[np.int8],
        operations: NDArray[np.int8],
        num_vertices: NDArray[np.int8],
        space: SearchSpace | None = None,
    ) -> None:
        total = len(num_vertices)
        width = operations.shape[1] if operations.ndim == 2 else -1
        if operations.shape != (total, width) or adjacency.shape != (total, width, width):
            raise CellError(
                f"adjacency {adjacency.shape}, operations {operations.shape} and num_vertices "
                f"{num_vertices.shape} must be [N, V, V], [N, V] and [N]"
            )
        self.adjacency = adjacency
        self.operations = operations
        self.num_vertices = num_vertices
        self.space = space or default_space()

    @classmethod
    def from_cells(cls, cells: Iterable[Cell], space: SearchSpace | None = None) -> CellArray:
        """Pad ``cells`` to their space's largest size.

        Raises:
            CellError: If the cells are of different spaces, or there is none and no ``space``.
        """
        listed = list(cells)
        if space is None:
            if not listed:
                raise CellError("an empty list of cells needs its search space named")
            space = listed[0].space
        width = space.max_vertices
        adjacency = np.zeros((len(listed), width, width), dtype=np.int8)
        operations = np.zeros((len(listed), width), dtype=np.int8)
        num_vertices = np.zeros(len(listed), dtype=np.int8)
        for i, cell in enumerate(listed):
            if cell.space != space:
                raise CellError(
                    f"cell {i} is of space {cell.space.name!r}, the others of {space.name!r}"
                )
            v = cell.num_vertices
            adjacency[i, :v, :v] = cell.adjacency
            operations[i, :v] = cell.operation_ids
            num_vertices[i] = v
        return cls(adjacency, operations, num_vertices, space)

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
        return cls(
            np.concatenate([part.adjacency for part in parts]),
            np.concatenate([part.operations for part in parts]),
            np.concatenate([part.num_vertices for part in parts]),
            space,
        )

    @property
    def shape(self) -> tuple[int]:
        """``(N,)``."""
        return (len(self),)

    @property
    def columns(self) -> NDArray[np.int64]:
        """One-hot column of each vertex, int64 ``[N, V]``; meaningless at padding."""
        return self.operations.astype(np.int64) - self.space.first_id

    @property
    def mask(self) -> NDArray[np.bool_]:
        """True at real vertices, False at padding, ``[N, V]``."""
        return np.arange(self.operations.shape[1]) < self.num_vertices[:, None]

    @property
    def num_edges(self) -> NDArray[np.int64]:
        """Edges of each cell, ``[N]``."""
        return np.asarray(self.adjacency.sum(axis=(1, 2), dtype=np.int64))

    @property
    def depths(self) -> NDArray[np.int64]:
        """Edges on the longest path of each cell, ``[N]``."""
        depth = np.zeros(self.operations.shape, dtype=np.int64)
        for vertex in range(1, self.operations.shape[1]):  # predecessors come first
            depth[:, vertex] = (self.adjacency[:, :, vertex] * (depth + 1)).max(axis=1)
        return np.asarray(depth.max(axis=1))

    @property
    def operation_counts(self) -> NDArray[np.int64]:
        """How many vertices of each cell have each operation, ``[N, operations]``."""
        ids = np.arange(len(self.space.operations))
        has = (self.operations[:, :, None] == ids) & self.mask[:, :, None]
        return np.asarray(has.sum(axis=1, dtype=np.int64))

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of space and graphs: equal for equal arrays, wherever they come from."""
        content = sha256(repr(self.space).encode())
        for array in (self.adjacency, self.operations, self.num_vertices):
            content.update(f"{array.dtype}{array.shape}".encode())
            content.update(np.ascontiguousarray(array).data)
        return content.digest()

    def hashes(self) -> NDArray[np.bytes_]:
        """Return the hashes of all cells, ``S32 [N]``."""
        return self.space.support.cell_hashes(self)

    def trainable_parameters(self, size: NetworkSize | None = None) -> NDArray[np.int64]:
        """Return the exact parameters of the networks, ``int64 [N]``, by default the official ones.

        Raises:
            CellError: If the cells of this space stand for no known network.
        """
        return self._network("parameters").trainable_parameters(self, size)

    def macs(self, size: NetworkSize | None = None) -> NDArray[np.int64]:
        """Return the networks' multiply-accumulates for one image, ``int64 [N]``, by default of
        the official ones.

        Raises:
            CellError: If the cells of this space stand for no known network.
        """
        return self._network("multiply-accumulates").macs(self, size)

    def _network(self, what: str) -> CellNetwork:
        network = self.space.support.network
        if network is None:
            raise CellError(
                f"{what} are not known for cells of {self.space.name!r}, which stand for no "
                f"known network"
            )
        return network

    def first_invalid(self) -> tuple[int, str] | None:
        """Return the index of the first row that is no pruned cell, and why, or None."""
        width = self.operations.shape[1]
        low = 2 if self.space.terminals else 1
        padding = ~self.mask
        position = np.arange(width)
        inner = (position > 0) & (position < self.num_vertices[:, None] - 1)
        rows = np.arange(len(self))
        last = np.clip(self.num_vertices, 1, width) - 1
        rules: list[tuple[str, Any]] = [
            (
                f"num_vertices must be {low} to {min(width, self.space.max_vertices)}",
                (self.num_vertices < low)
                | (self.num_vertices > min(width, self.space.max_vertices)),
            ),
            (
                "adjacency must hold 0 and 1 only",
                ((self.adjacency != 0) & (self.adjacency != 1)).any(axis=(1, 2)),
            ),
            (
                "adjacency must be upper triangular",
                (self.adjacency * np.tri(width, dtype=np.int8)).any(axis=(1, 2)),
            ),
            (
                "adjacency must be zero beyond num_vertices",
                (self.adjacency.any(axis=1) & padding).any(axis=1)
                | (self.adjacency.any(axis=2) & padding).any(axis=1),
            ),
            (
                "operations must be zero beyond num_vertices",
                ((self.operations != 0) & padding).any(axis=1),
            ),
            (
                f"a cell has at most {self.space.max_edges} edges",
                self.num_edges > self.space.max_edges,
            ),
        ]
        if self.space.terminals:
            ids = self.operations
            free = (ids >= 0) & (ids < len(self.space.operations))
            rules += [
                (
                    "the first operation must be the input, the last the output, and the "
                    "others of the space",
                    (ids[:, 0] != self.space.input_id)
                    | (ids[rows, last] != self.space.output_id)
                    | (inner & ~free).any(axis=1),
                ),
                (
                    "every vertex must lie on a path from the input to the output",
                    # In an upper triangular graph it is enough that every vertex but the
                    # first has a predecessor and every vertex but the last a successor.
                    ~self._may_be_empty
                    & (
                        (~self.adjacency.any(axis=1) & self.mask & (position > 0)).any(axis=1)
                        | (
                            ~self.adjacency.any(axis=2)
                            & (position < self.num_vertices[:, None] - 1)
                        ).any(axis=1)
                    ),
                ),
            ]
        else:
            known = (self.operations >= 0) & (self.operations < len(self.space.operations))
            rules.append(("operations must be of the space", (self.mask & ~known).any(axis=1)))
        found: tuple[int, str] | None = None
        for rule, broken in rules:
            index = int(np.argmax(broken)) if broken.any() else None
            if index is not None and (found is None or index < found[0]):
                found = (index, rule)
        return self.space.support.first_invalid(self) if found is None else found

    @property
    def _may_be_empty(self) -> NDArray[np.bool_]:
        """Cells of the input and the output alone, where the space has such a cell, ``[N]``."""
        alone = (self.num_vertices == 2) & ~self.adjacency.any(axis=(1, 2))
        return np.asarray(alone & self.space.support.has_empty_cell)

    def __len__(self) -> int:
        return len(self.num_vertices)

    @overload
    def __getitem__(self, index: int | np.integer[Any]) -> Cell: ...
    @overload
    def __getitem__(self, index: slice | NDArray[Any] | list[int]) -> CellArray: ...
    def __getitem__(
        self, index: int | np.integer[Any] | slice | NDArray[Any] | list[int]
    ) -> Cell | CellArray:
        if isinstance(index, (int, np.integer)):
            v = int(self.num_vertices[index])
            return Cell(self.adjacency[index, :v, :v], self.operations[index, :v], self.space)
        if isinstance(index, list) and not index:
            index = np.array([], dtype=np.int64)
        return CellArray(
            self.adjacency[index], self.operations[index], self.num_vertices[index], self.space
        )

    def __iter__(self) -> Iterator[Cell]:
        return (self[i] for i in range(len(self)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, CellArray):
            return NotImplemented
        return (
            self.space == other.space
            and np.array_equal(self.num_vertices, other.num_vertices)
            and np.array_equal(self.adjacency, other.adjacency)
            and np.array_equal(self.operations, other.operations)
        )

    __hash__ = None  # type: ignore[assignment]

    def _repr_html_(self) -> str:
        from pyg_nas.visualization.notebook import rows_html

        rows = ((cell, (cell.hash, cell.num_vertices, cell.num_edges)) for cell in self)
        return rows_html(repr(self), ("hash", "vertices", "edges"), rows, len(self))

    def __repr__(self) -> str:
        return f"CellArray({len(self)} cells of {self.space.name})"
