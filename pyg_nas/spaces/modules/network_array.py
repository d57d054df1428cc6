"""Many network graphs of any size as a few arrays."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import NetworkError
from pyg_nas.graphs.ragged import gathered, pointers
from pyg_nas.graphs.row_index import Samples, row_numbers, without_ellipsis
from pyg_nas.spaces.modules.network_graph import ATTRIBUTES, NetworkGraph, one_hot


@dataclass(frozen=True)
class NetworkArray(Samples):
    """``N`` concatenated network graphs with ``V`` vertices and ``E`` edges altogether.

    Args:
        columns: Operation of every vertex as its one-hot column, uint8 ``[V]``.
        attributes: :data:`~pyg_nas.spaces.modules.network_graph.ATTRIBUTES` of every vertex,
            float32 ``[V, 12]``.
        vertex_ptr: Graph ``g`` has the vertices ``vertex_ptr[g]`` to ``vertex_ptr[g + 1]``, int64
            ``[N + 1]``.
        edges: Source and target within the graph, by target and source, int64 ``[2, E]``.
        edge_ptr: Likewise for the edges, int64 ``[N + 1]``.
        parameters: Exact parameters of each network, int64 ``[N]``.
        macs: Exact multiply-accumulates of each network, int64 ``[N]``.
        hashes: Hash of each graph, ``S64 [N]``.
    """

    columns: NDArray[np.uint8]
    attributes: NDArray[np.float32]
    vertex_ptr: NDArray[np.int64]
    edges: NDArray[np.int64]
    edge_ptr: NDArray[np.int64]
    parameters: NDArray[np.int64]
    macs: NDArray[np.int64]
    hashes: NDArray[np.bytes_]

    @classmethod
    def from_graphs(cls, graphs: Iterable[NetworkGraph]) -> NetworkArray:
        """Return the arrays of graphs, which are read one by one.

        Raises:
            NetworkError: If one is of another type.
        """
        columns = [np.empty(0, np.uint8)]
        attributes = [np.empty((0, len(ATTRIBUTES)), np.float32)]
        edges = [np.empty((2, 0), np.int64)]
        numbers: list[tuple[int, int]] = []
        hashes: list[str] = []
        for graph in graphs:
            if not isinstance(graph, NetworkGraph):
                raise NetworkError(f"a network must be a NetworkGraph, got {type(graph).__name__}")
            columns.append(graph.columns().astype(np.uint8))
            attributes.append(graph.attributes())
            edges.append(graph.edge_index)
            numbers.append((graph.parameters, graph.macs))
            hashes.append(graph.hash)
        parameters, macs = np.array(numbers, dtype=np.int64).reshape(-1, 2).T.copy()
        return cls(
            np.concatenate(columns),
            np.concatenate(attributes),
            np.cumsum([len(part) for part in columns], dtype=np.int64),
            np.concatenate(edges, axis=1),
            np.cumsum([part.shape[1] for part in edges], dtype=np.int64),
            parameters,
            macs,
            np.array(hashes, dtype="S64"),
        )

    @classmethod
    def join(cls, parts: Sequence[NetworkArray]) -> NetworkArray:
        """Return the concatenated graphs of all parts, of which there is one at least."""
        return cls(
            np.concatenate([part.columns for part in parts]),
            np.concatenate([part.attributes for part in parts]),
            pointers(np.concatenate([np.diff(part.vertex_ptr) for part in parts])),
            np.concatenate([part.edges for part in parts], axis=1),
            pointers(np.concatenate([np.diff(part.edge_ptr) for part in parts])),
            np.concatenate([part.parameters for part in parts]),
            np.concatenate([part.macs for part in parts]),
            np.concatenate([part.hashes for part in parts]),
        )

    def __len__(self) -> int:
        return len(self.hashes)

    def __getitem__(self, rows: Any) -> NetworkArray:
        """Return the graphs of some rows: numbers, a mask, a slice, or one number."""
        return self.select(row_numbers(without_ellipsis(rows), len(self)))

    def select(self, rows: NDArray[np.int64]) -> NetworkArray:
        """Return the graphs of rows ``[n]``, in that order."""
        vertices, vertex_ptr = gathered(self.vertex_ptr, rows)
        edges, edge_ptr = gathered(self.edge_ptr, rows)
        return NetworkArray(
            self.columns[vertices],
            self.attributes[vertices],
            vertex_ptr,
            self.edges[:, edges],
            edge_ptr,
            self.parameters[rows],
            self.macs[rows],
            self.hashes[rows],
        )

    def blocks(self, graphs: int, vertices: int) -> Iterator[NDArray[np.int64]]:
        """Yield the rows of consecutive graphs that are processed together.

        Args:
            graphs: Most graphs of a block.
            vertices: Most vertices of a block, if it has more than one graph.
        """
        start, total = 0, len(self)
        while start < total:
            most = self.vertex_ptr[start] + vertices
            end = int(np.searchsorted(self.vertex_ptr, most, "right")) - 1
            end = min(max(end, start + 1), start + graphs, total)
            yield np.arange(start, end)
            start = end

    def one_hot(self) -> NDArray[np.float32]:
        """Return the ``NetworkGraph.features`` of all graphs, float32 ``[V, columns]``."""
        return one_hot(self.columns, self.attributes)

    @property
    def joined_edges(self) -> NDArray[np.int64]:
        """Edges between the vertices of all graphs, numbered from 0 to ``V``, int64 ``[2, E]``."""
        return self.edges + np.repeat(self.vertex_ptr[:-1], np.diff(self.edge_ptr))

    @property
    def graph(self) -> NDArray[np.int64]:
        """Graph of every vertex, int64 ``[V]``."""
        return np.repeat(np.arange(len(self)), np.diff(self.vertex_ptr))

    def sums(self, values: NDArray[Any]) -> NDArray[np.float64]:
        """Return sums over the vertices of each graph, ``[V, ...]`` to float64 ``[N, ...]``."""
        # Every graph has a vertex, as reduceat needs.
        return np.asarray(np.add.reduceat(values.astype(np.float64), self.vertex_ptr[:-1], axis=0))

    @property
    def digest(self) -> str:
        """64 hex digits of the content of all arrays, which depend on the order of vertices."""
        digest = sha256()
        for field in fields(self):
            array = np.ascontiguousarray(getattr(self, field.name))
            digest.update(repr((field.name, array.shape)).encode())
            digest.update(array.tobytes())
        return digest.hexdigest()
