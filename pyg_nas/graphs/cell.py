"""One cell: a small labelled directed acyclic graph that is repeated to make a network."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyg_nas.errors import CellError, SpaceError
from pyg_nas.graphs.hashing import module_hash
from pyg_nas.graphs.search_space import NASBENCH101, SearchSpace
from pyg_nas.spaces.nasbench101.network_size import trainable_parameters

if TYPE_CHECKING:
    from torch_geometric.data import Data


class Cell:
    """A valid, pruned cell of a search space.

    Vertices that lie on no path from the input to the output are dropped first (in spaces with
    terminals), and what is left must keep the space's limits. Two cells are equal when their
    module hashes are, whatever the order of their inner vertices.

    Args:
        adjacency: Square 0/1 array or nested list ``[V, V]``, upper triangular; entry (u, v) is
            the edge from vertex u to vertex v.
        operations: ``V`` names or ids, input first and output last.
        space: The search space, NAS-Bench-101 by default.

    Raises:
        CellError: If the graph is no cell of ``space``; the message names value and rule.

    Example:
        >>> cell = Cell([[0, 1, 1], [0, 0, 1], [0, 0, 0]], ["input", "conv3x3-bn-relu", "output"])
        >>> cell.num_vertices, cell.num_edges
        (3, 3)
    """

    def __init__(
        self,
        adjacency: ArrayLike,
        operations: Any,
        space: SearchSpace = NASBENCH101,
    ) -> None:
        matrix = _as_matrix(adjacency)
        try:
            listed = list(operations)
        except TypeError:
            raise CellError(
                f"operations must be a sequence of names or ids, got {operations!r}"
            ) from None
        if len(listed) != len(matrix):
            raise CellError(
                f"a cell needs one operation a vertex: {len(matrix)} vertices, "
                f"{len(listed)} operations"
            )
        try:
            ids = np.array(space.encode(listed), dtype=np.int8)
        except SpaceError as error:
            raise CellError(str(error)) from None
        if space.terminals:
            _check_terminals(ids, space)
            matrix, ids = prune(matrix, ids)
        _check_limits(matrix, space)
        matrix.flags.writeable = False
        ids.flags.writeable = False
        self.space = space
        self.adjacency: NDArray[np.int8] = matrix
        self.operation_ids: NDArray[np.int8] = ids

    @property
    def operations(self) -> tuple[str, ...]:
        """Names of the vertices' operations, ``V`` of them."""
        return self.space.decode(self.operation_ids)

    @property
    def num_vertices(self) -> int:
        """Number of vertices, input and output included."""
        return len(self.operation_ids)

    @property
    def num_edges(self) -> int:
        """Number of edges."""
        return int(self.adjacency.sum())

    @property
    def edges(self) -> list[tuple[int, int]]:
        """The edges (source, target), by source and then target."""
        return [(int(u), int(v)) for u, v in np.argwhere(self.adjacency)]

    @cached_property
    def hash(self) -> str:
        """Module hash: 32 hex digits, the same for every labelled copy of the cell."""
        return module_hash(self.adjacency, self.operation_ids)

    @property
    def trainable_parameters(self) -> int:
        """Exact trainable parameters of the official NAS-Bench-101 network of this cell.

        Raises:
            CellError: If the cell is of another space, whose network is not known.
        """
        if self.space != NASBENCH101:
            raise CellError(
                f"parameters are known for cells of {NASBENCH101.name!r}, "
                f"not of {self.space.name!r}"
            )
        counted = trainable_parameters(
            self.adjacency[None], self.operation_ids[None], np.array([self.num_vertices], np.int8)
        )
        return int(counted[0])

    def to_data(self) -> Data:
        """Return the cell as a PyG graph.

        Returns:
            ``Data`` with ``x`` float32 ``[V, columns]`` one-hot operations in the order of
            ``space.vocabulary`` and ``edge_index`` int64 ``[2, E]`` sorted by source and target.
        """
        import torch
        from torch_geometric.data import Data

        columns = self.operation_ids.astype(np.int64) - self.space.first_id
        x = torch.zeros(self.num_vertices, self.space.num_columns)
        x[torch.arange(self.num_vertices), torch.from_numpy(columns)] = 1.0
        edges = np.stack(np.nonzero(self.adjacency)).astype(np.int64)
        return Data(x=x, edge_index=torch.from_numpy(edges))

    @classmethod
    def from_data(cls, data: Data, space: SearchSpace = NASBENCH101) -> Cell:
        """Rebuild a cell from :meth:`to_data`'s result.

        Raises:
            CellError: If ``x`` is not one-hot in the space's columns or the graph is no cell.
        """
        if data.x is None or data.edge_index is None:
            raise CellError("a cell's Data needs both x and edge_index")
        x = data.x.detach().cpu().numpy()
        one_hot = x.ndim == 2 and x.shape[1] == space.num_columns
        if not one_hot or not (np.isin(x, (0, 1)).all() and (x.sum(axis=1) == 1).all()):
            raise CellError(
                f"x must be one-hot [V, {space.num_columns}] in the order of "
                f"{', '.join(space.vocabulary)}; got shape {tuple(x.shape)}"
            )
        edges = data.edge_index.detach().cpu().numpy()
        if edges.ndim != 2 or len(edges) != 2 or edges.dtype.kind not in "iu":
            raise CellError(
                f"edge_index must be whole numbers [2, E], got {edges.dtype} of shape {edges.shape}"
            )
        if edges.size and not (edges.min() >= 0 and edges.max() < len(x)):
            raise CellError(
                f"edge_index names vertices {edges.min()} to {edges.max()}, "
                f"the cell has {len(x)} of them"
            )
        adjacency = np.zeros((len(x), len(x)), dtype=np.int8)
        adjacency[edges[0], edges[1]] = 1
        return cls(adjacency, (x.argmax(axis=1) + space.first_id).tolist(), space)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description: ``ops``, ``edges`` and ``hash``."""
        return {
            "ops": list(self.operations),
            "edges": [list(edge) for edge in self.edges],
            "hash": self.hash,
        }

    @classmethod
    def from_dict(cls, description: Any, space: SearchSpace = NASBENCH101) -> Cell:
        """Rebuild a cell from ``ops`` and ``edges`` (:meth:`to_dict`'s result).

        Raises:
            CellError: If a key is missing or the graph is no cell of ``space``.
        """
        if not isinstance(description, dict) or not {"ops", "edges"} <= set(description):
            raise CellError(f"a cell needs the keys ops and edges, got {description!r}")
        ops, edges = description["ops"], description["edges"]
        if not isinstance(ops, list) or not isinstance(edges, list):
            raise CellError(f"a cell's ops and edges must be lists, got {description!r}")
        return cls(edges_to_adjacency(edges, len(ops)), ops, space)

    def draw(self, path: str | os.PathLike[str]) -> None:
        """Draw the cell into an SVG, PNG or PDF file.

        Raises:
            SettingsError: If the file's ending is none of these.
        """
        from pyg_nas.visualization.cells import draw_cell

        draw_cell(self, path)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Cell):
            return NotImplemented
        return self.space == other.space and self.hash == other.hash

    def __hash__(self) -> int:
        return hash((self.space.name, self.hash))

    def __repr__(self) -> str:
        arrows = " ".join(f"{u}>{v}" for u, v in self.edges)
        return f"Cell({', '.join(self.operations)}; {arrows})"


def edges_to_adjacency(edges: list[Any], num_vertices: int) -> NDArray[np.int8]:
    """Return the 0/1 adjacency ``[V, V]`` of a list of (source, target) pairs.

    Raises:
        CellError: If an edge is not a pair of vertex numbers below ``num_vertices``, or
            appears twice.
    """
    adjacency = np.zeros((num_vertices, num_vertices), dtype=np.int8)
    for edge in edges:
        pair = isinstance(edge, (list, tuple)) and len(edge) == 2
        if not pair or not all(
            isinstance(v, int) and not isinstance(v, bool) and 0 <= v < num_vertices for v in edge
        ):
            raise CellError(
                f"edge {edge!r} must be a pair of vertex numbers from 0 to {num_vertices - 1}"
            )
        if adjacency[edge[0], edge[1]]:
            raise CellError(f"edge {edge!r} appears twice")
        adjacency[edge[0], edge[1]] = 1
    return adjacency


def prune(
    adjacency: NDArray[np.int8], operation_ids: NDArray[np.int8]
) -> tuple[NDArray[np.int8], NDArray[np.int8]]:
    """Drop the vertices that lie on no path from the first to the last vertex.

    Args:
        adjacency: Upper triangular ``[V, V]``.
        operation_ids: ``[V]``.

    Raises:
        CellError: If no path leads from the input to the output.
    """
    size = len(adjacency)
    reached = np.zeros(size, dtype=bool)
    reached[0] = True
    reaches = np.zeros(size, dtype=bool)
    reaches[-1] = True
    for v in range(1, size):  # upper triangular: predecessors come first
        reached[v] |= bool((adjacency[:v, v].astype(bool) & reached[:v]).any())
    for v in range(size - 2, -1, -1):
        reaches[v] |= bool((adjacency[v, v + 1 :].astype(bool) & reaches[v + 1 :]).any())
    keep = reached & reaches
    if not (keep[0] and keep[-1]):
        raise CellError("no path leads from the input (first vertex) to the output (last vertex)")
    return adjacency[np.ix_(keep, keep)].copy(), operation_ids[keep].copy()


def _as_matrix(adjacency: ArrayLike) -> NDArray[np.int8]:
    try:
        raw = np.asarray(adjacency)
        matrix = raw.astype(np.float64) if raw.dtype.kind in "biuf" else None
    except (TypeError, ValueError, OverflowError):
        matrix = None
    if matrix is None:
        raise CellError("adjacency must be a square array of numbers 0 and 1")
    if matrix.ndim != 2 or matrix.shape[0] != matrix.shape[1]:
        raise CellError(f"adjacency must be square [V, V], got shape {matrix.shape}")
    if matrix.shape[0] == 0:
        raise CellError("a cell needs at least one vertex, got an empty adjacency")
    wrong = np.argwhere((matrix != 0) & (matrix != 1))
    if len(wrong):
        u, v = wrong[0]
        raise CellError(f"adjacency must hold 0 and 1 only, got {matrix[u, v]} at ({u}, {v})")
    below = np.argwhere(np.tril(matrix))
    if len(below):
        u, v = below[0]
        raise CellError(
            f"adjacency must be upper triangular (edges run to later vertices), "
            f"got the edge ({u}, {v})"
        )
    return matrix.astype(np.int8)


def _check_terminals(ids: NDArray[np.int8], space: SearchSpace) -> None:
    output_name, input_name = space.terminals
    if len(ids) < 2:
        raise CellError(f"a cell needs at least 2 vertices, got {len(ids)}")
    if ids[0] != space.input_id or ids[-1] != space.output_id:
        first, last = space.decode(ids[[0, -1]])
        raise CellError(
            f"the first operation must be {input_name!r} and the last {output_name!r}, "
            f"got {first!r} and {last!r}"
        )
    inner = np.flatnonzero(ids[1:-1] < 0)
    if len(inner):
        vertex = int(inner[0]) + 1
        raise CellError(
            f"vertex {vertex} is {space.decode(ids[[vertex]])[0]!r}, which only the first or "
            f"last vertex may be"
        )


def _check_limits(matrix: NDArray[np.int8], space: SearchSpace) -> None:
    if len(matrix) > space.max_vertices:
        raise CellError(
            f"a cell of {space.name!r} has at most {space.max_vertices} vertices, got {len(matrix)}"
        )
    edges = int(matrix.sum())
    if edges > space.max_edges:
        raise CellError(
            f"a cell of {space.name!r} has at most {space.max_edges} edges, got {edges}"
        )
