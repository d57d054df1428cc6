"""One cell: a small labelled directed acyclic graph that a network repeats."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyg_nas.errors import CellError, SettingsError, SpaceError, listed, quoted
from pyg_nas.graphs.registry import default_space
from pyg_nas.graphs.search_space import SearchSpace

if TYPE_CHECKING:
    from torch import nn
    from torch_geometric.data import Data

    from pyg_nas.graphs.cell_array import CellArray
    from pyg_nas.measure.tasks.task import Task


class Cell:
    """A valid cell of a search space, in the space's canonical form.

    In spaces with terminals, vertices that lie on no path from the input to the output are dropped
    first; the remaining graph must comply with the space's limits. Two cells are equal if their
    hashes are, for any order of their inner vertices.

    Args:
        adjacency: Square 0/1 array or nested list ``[V, V]``, upper triangular; entry (u, v) is
            the edge from vertex u to vertex v.
        operations: ``V`` names or ids, input first and output last.
        space: The search space, by default :func:`~pyg_nas.graphs.registry.default_space`.

    Raises:
        CellError: If the graph is not a cell of ``space``; the message names value and rule.

    Example:
        >>> cell = Cell([[0, 1, 1], [0, 0, 1], [0, 0, 0]], ["input", "conv3x3-bn-relu", "output"])
        >>> cell.num_vertices, cell.num_edges
        (3, 3)
    """

    def __init__(
        self, adjacency: ArrayLike, operations: Any, space: SearchSpace | None = None
    ) -> None:
        matrix = _as_matrix(adjacency)
        self._set_up(np.array(np.nonzero(matrix)), len(matrix), operations, space)

    @classmethod
    def from_edges(cls, edges: Any, operations: Any, space: SearchSpace | None = None) -> Cell:
        """Return the cell of an edge list, with memory linear in vertices and edges.

        Args:
            edges: Pairs (source, target) of vertex numbers, ``[E, 2]``, in any order; every edge
                runs to a later vertex.
            operations: ``V`` names or ids.
            space: As for the constructor.

        Raises:
            CellError: If the graph is not a cell of ``space``.
        """
        names = list(operations)
        pairs = edge_index(edges, len(names))
        if not names:
            raise CellError("a cell needs at least one vertex, got none")
        cell = cls.__new__(cls)
        cell._set_up(pairs, len(names), names, space)
        return cell

    def _set_up(
        self,
        edges: NDArray[np.int64],
        num_vertices: int,
        operations: Any,
        space: SearchSpace | None,
    ) -> None:
        _check_order(edges)
        space = space or default_space()
        try:
            names = list(operations)
        except TypeError:
            raise CellError(
                f"operations must be a sequence of names or ids, got {quoted(operations)}"
            ) from None
        if len(names) != num_vertices:
            raise CellError(
                f"a cell needs one operation per vertex: {num_vertices} vertices, "
                f"{len(names)} operations"
            )
        try:
            ids = np.array(space.encode(names), dtype=space.id_type)
        except SpaceError as error:
            raise CellError(str(error)) from None
        edges, kept = space.support.canonical(edges, ids)
        ids = np.asarray(kept, dtype=space.id_type)
        check_limits(len(ids), edges.shape[1], space)
        edges.flags.writeable = False
        ids.flags.writeable = False
        self.space = space
        self.edge_index: NDArray[np.int64] = edges
        self.operation_ids: NDArray[Any] = ids

    @cached_property
    def adjacency(self) -> NDArray[np.int8]:
        """int8 ``[V, V]``, read-only; entry (u, v) is the edge from vertex u to vertex v."""
        matrix = np.zeros((self.num_vertices, self.num_vertices), dtype=np.int8)
        matrix[self.edge_index[0], self.edge_index[1]] = 1
        matrix.flags.writeable = False
        return matrix

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
        return int(self.edge_index.shape[1])

    @property
    def edges(self) -> list[tuple[int, int]]:
        """The edges (source, target), by source and then target."""
        return [(u, v) for u, v in self.edge_index.T.tolist()]

    @cached_property
    def hash(self) -> str:
        """32 hex digits, the same for every labelled copy of the cell."""
        return self.space.support.cell_hash(self)

    @property
    def trainable_parameters(self) -> int:
        """Exact trainable parameters of the benchmark's network, at its official size.

        Those of the network that a task trains are
        ``CellArray.from_cells([cell]).trainable_parameters(task.network_size)``.

        Raises:
            CellError: If the cells of this space have no network.
        """
        return int(self._alone.trainable_parameters()[0])

    @property
    def macs(self) -> int:
        """Multiply-accumulates for one image of the benchmark's network, at its official size.

        Raises:
            CellError: If the cells of this space have no network.
        """
        return int(self._alone.macs()[0])

    @property
    def _alone(self) -> CellArray:
        from pyg_nas.graphs.cell_array import CellArray

        return CellArray.from_cells([self])

    def to_text(self) -> str:
        """Return the cell in its space's text form.

        Raises:
            SpaceError: If the space has none.
        """
        return self.space.support.to_text(self)

    @classmethod
    def from_text(cls, text: str, space: SearchSpace | None = None) -> Cell:
        """Return the cell of a text form (:meth:`to_text`'s result).

        Raises:
            SpaceError: If the space has no text form.
            CellError: If the text is not a cell of the space.
        """
        return (space or default_space()).support.from_text(text)

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
        return Data(x=x, edge_index=torch.from_numpy(self.edge_index.copy()))

    @classmethod
    def from_data(cls, data: Data, space: SearchSpace | None = None) -> Cell:
        """Rebuild a cell from :meth:`to_data`'s result.

        Raises:
            CellError: If ``x`` is not one-hot in the space's columns or the graph is not a cell.
        """
        space = space or default_space()
        if data.x is None or data.edge_index is None:
            raise CellError("a cell's Data needs both x and edge_index")
        x = data.x.detach().cpu().numpy()
        one_hot = x.ndim == 2 and x.shape[1] == space.num_columns
        if not one_hot or not (np.isin(x, (0, 1)).all() and (x.sum(axis=1) == 1).all()):
            raise CellError(
                f"x must be one-hot [V, {space.num_columns}] in the order of "
                f"{listed(space.vocabulary)}; got shape {tuple(x.shape)}"
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
        different = np.unique(edges.T, axis=0)
        return cls.from_edges(different, (x.argmax(axis=1) + space.first_id).tolist(), space)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description: ``ops``, ``edges`` and ``hash``."""
        return {
            "ops": list(self.operations),
            "edges": [list(edge) for edge in self.edges],
            "hash": self.hash,
        }

    @classmethod
    def from_dict(cls, description: Any, space: SearchSpace | None = None) -> Cell:
        """Rebuild a cell from ``ops`` and ``edges`` (:meth:`to_dict`'s result).

        Raises:
            CellError: If a key is missing or the graph is not a cell of ``space``.
        """
        if not isinstance(description, dict) or not {"ops", "edges"} <= set(description):
            raise CellError(f"a cell needs the keys ops and edges, got {quoted(description)}")
        ops, edges = description["ops"], description["edges"]
        if not isinstance(ops, list) or not isinstance(edges, list):
            raise CellError(f"a cell's ops and edges must be lists, got {quoted(description)}")
        return cls.from_edges(edges, ops, space)

    def build(
        self,
        task: Task | str | os.PathLike[str] | None = None,
        weights: str | os.PathLike[str] | None = None,
        seed: int = 0,
    ) -> nn.Module:
        """Return the cell's network, which maps images ``[B, C, H, W]`` to logits ``[B, labels]``.

        Its size and its normalisation of images and batches are those of ``task``, or of the task
        that ``weights`` were trained on. Pixels have the unit of the task's images.

        Args:
            task: A task, its name or the path of its images; the weights are random.
            weights: Folder that ``pyg-nas finish`` wrote; the network is in evaluation mode.
            seed: Random seed of the weights; used only with ``task``.

        Raises:
            SettingsError: If neither or both of ``task`` and ``weights`` are given.
            MeasureError: If the cell has no network, is too wide for the task's, or
                the task does not exist.
            ModelError: If the folder is damaged or has the network of another cell.
        """
        if (task is None) == (weights is None):
            raise SettingsError(
                f"a network is built from a task or from a folder of weights, got task {task!r} "
                f"and weights {weights!r}"
            )
        if weights is not None:
            from pyg_nas.measure.trained_network.folder import load_network

            return load_network(weights, self)
        from pyg_nas.measure.network import build_network

        assert task is not None
        return build_network(self, task, seed)

    def draw(self, path: str | os.PathLike[str]) -> None:
        """Draw the cell into an SVG, PNG or PDF file.

        Raises:
            SettingsError: If the file's ending is none of these.
        """
        from pyg_nas.visualization.cells import draw_cell

        draw_cell(self, path)

    def _repr_html_(self) -> str:
        from pyg_nas.visualization.cells import cell_svg

        return f"<div>{cell_svg(self)}</div>"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Cell):
            return NotImplemented
        return self.space == other.space and self.hash == other.hash

    def __hash__(self) -> int:
        return hash((self.space.name, self.hash))

    def __repr__(self) -> str:
        arrows = " ".join(f"{u}>{v}" for u, v in self.edges)
        return f"Cell({', '.join(self.operations)}; {arrows})"


def edge_index(edges: Any, num_vertices: int) -> NDArray[np.int64]:
    """Return (source, target) pairs as int64 ``[2, E]``, sorted by source and target.

    Raises:
        CellError: If an edge is not a pair of vertex numbers below ``num_vertices``, or
            appears twice.
    """
    if isinstance(edges, np.ndarray) and edges.dtype.kind in "iu" and edges.shape[1:] == (2,):
        pairs = edges.astype(np.int64)
    else:
        listed_edges = list(edges)
        for edge in listed_edges:
            check_edge(edge, num_vertices)
        pairs = np.array(listed_edges, dtype=np.int64).reshape(-1, 2)
    outside = np.flatnonzero(((pairs < 0) | (pairs >= num_vertices)).any(axis=1))
    if len(outside):
        check_edge(pairs[outside[0]].tolist(), num_vertices)
    codes = pairs[:, 0] * max(1, num_vertices) + pairs[:, 1]
    order = np.argsort(codes, kind="stable")
    twice = np.flatnonzero(np.diff(codes[order]) == 0)
    if len(twice):
        raise CellError(f"edge {pairs[order[twice[0]]].tolist()} appears twice")
    return np.ascontiguousarray(pairs[order].T)


def check_edge(edge: Any, num_vertices: int) -> None:
    """Check that an edge is a pair of vertex numbers, in a list or a tuple.

    Raises:
        CellError: If it is not, or a number is not below ``num_vertices``.
    """
    is_pair = isinstance(edge, (list, tuple)) and len(edge) == 2
    if not is_pair or not all(type(v) is int and 0 <= v < num_vertices for v in edge):
        raise CellError(
            f"edge {quoted(edge)} must be a pair of vertex numbers from 0 to {num_vertices - 1}"
        )


def vertices_on_paths(edges: NDArray[np.int64], num_vertices: int) -> NDArray[np.bool_]:
    """Return which vertices lie on a path from the first to the last vertex, ``[V]``.

    Args:
        edges: ``[2, E]`` (source, target), sorted by source, sources before targets.
        num_vertices: ``V``.

    Raises:
        CellError: If no path leads from the first to the last vertex.
    """
    reached, reaches = [False] * num_vertices, [False] * num_vertices
    reached[0] = reaches[-1] = True
    pairs = edges.T.tolist()
    for source, target in pairs:  # all edges into the source came before
        reached[target] |= reached[source]
    for source, target in reversed(pairs):
        reaches[source] |= reaches[target]
    if not reached[-1]:
        raise CellError("no path leads from the input (first vertex) to the output (last vertex)")
    return np.logical_and(reached, reaches)


def prune(
    edges: NDArray[np.int64], operation_ids: NDArray[Any]
) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """Drop the vertices that lie on no path from the first to the last vertex.

    Args:
        edges: ``[2, E]`` (source, target), sorted by source, sources before targets.
        operation_ids: ``[V]``.

    Raises:
        CellError: If no path leads from the input to the output.
    """
    keep = vertices_on_paths(edges, len(operation_ids))
    if keep.all():
        return edges, operation_ids
    renumbered = np.cumsum(keep) - 1
    kept = keep[edges[0]] & keep[edges[1]]
    return renumbered[edges[:, kept]], operation_ids[keep]


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
        raise CellError(f"adjacency must contain 0 and 1 only, got {matrix[u, v]} at ({u}, {v})")
    return matrix.astype(np.int8)


def _check_order(edges: NDArray[np.int64]) -> None:
    backward = np.flatnonzero(edges[0] >= edges[1])
    if len(backward):
        u, v = edges[:, backward[0]].tolist()
        raise CellError(
            f"adjacency must be upper triangular (edges run to later vertices), got the edge "
            f"({u}, {v})"
        )


def check_terminals(ids: NDArray[Any], space: SearchSpace) -> None:
    """Check that the first vertex, and no other, is the input, and the last one the output.

    Raises:
        CellError: If not.
    """
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


def check_limits(vertices: int, edges: int, space: SearchSpace) -> None:
    """Check numbers of vertices and edges against the limits of a space.

    Raises:
        CellError: If one is above its limit.
    """
    for what, count, most in (
        ("vertices", vertices, space.max_vertices),
        ("edges", edges, space.max_edges),
    ):
        if count > most:
            raise CellError(f"a cell of {space.name!r} has at most {most} {what}, got {count}")
