"""One cell: a small labelled directed acyclic graph that a network repeats."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyg_nas.errors import CellError, SettingsError, SpaceError, listed, quoted
from pyg_nas.graphs.cell_rules import check_limits, check_order, edge_index
from pyg_nas.graphs.search_space import SearchSpace, given_space

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
        check_order(edges)
        space = given_space(space)
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
        space = given_space(space)
        if not isinstance(text, str):
            raise CellError(f"the text form of a cell must be a str, got {quoted(text)}")
        return space.support.from_text(text)

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
        space = given_space(space)
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
            SettingsError: If neither or both of ``task`` and ``weights`` are given, or the seed is
                no whole number from 0.
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
