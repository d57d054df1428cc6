"""Statistics of many cells at once, for predictors that need numbers instead of graphs.

Every statistic is a sum, a longest path or a random walk over the graph, so one pass over the
vertices in topological order computes it for all cells of a block. All of them are defined for
any search space, which may add its own (:class:`~pyg_nas.graphs.space_support.ExtraFeatures`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import ModelError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.graphs.space_support import ExtraFeatures

Array = NDArray[np.float32]

BLOCK_CELLS = 4_096
"""Cells of a benchmark's size to a block: its arrays stay in the processor's cache."""

_BLOCK_AREA = 64  # vertices squared up to which a block has so many

STATISTICS_VERSION = 4
"""Goes up when a statistic is added or changes; fitted models name theirs."""

ZERO_COST_GROUP = "zero-cost"
TRANSFER_GROUP = "transfer"
"""Names of groups that a caller may add: what untrained networks show of a cell
(:mod:`pyg_nas.predictors.zero_cost`), and what is known of it from another task
(:mod:`pyg_nas.predictors.transfer`)."""

_FAR = np.float32(1e9)


@dataclass(frozen=True)
class CellFeatures:
    """Statistics of ``N`` cells.

    Attributes:
        groups: float32 ``[N, columns]`` by name. For ``C`` one-hot columns, ``F`` vertex
            statistics and ``W`` kinds of operations (:func:`kinds`):

            - ``graph``: named by :func:`graph_feature_names`;
            - ``walks``: ``3 W``, mean, standard deviation and ``E[2^-k]`` of the number ``k`` of
              vertices of a kind that a walk against the edges meets, where a predecessor is
              chosen by its share of the channels;
            - ``flow``: ``C² + C``, how often that walk takes an edge by the operations it joins,
              and meets an operation, weighed by the logarithm of its channels;
            - ``pooled``: sums of the vertex statistics by operation.
        vertex: float32 ``[N, V, F]``, named by :func:`vertex_feature_names`, zero at padding.
    """

    groups: dict[str, Array]
    vertex: Array


def kinds(space: SearchSpace) -> dict[str, tuple[int, ...]]:
    """Return the sets of operation ids whose vertices are counted: all, each, the space's own."""
    every = tuple(range(len(space.operations)))
    each = {space.operations[i]: (i,) for i in every}
    return {"operations": every, **each, **space.support.extra_kinds}


def graph_feature_names(space: SearchSpace) -> list[str]:
    """Return the names of the columns of the group ``graph``, in their order."""
    names = ["log paths", "vertices", "edges", "sinks' predecessors", "sources' successors", "skip"]
    for kind in kinds(space):
        names += [f"{what} {kind}" for what in ("longest", "shortest", "number of", "path mean")]
        names += [f"{way} walk {kind}" for way in ("backward", "forward")]
    return [*names, *_no_features(space).graph]


def vertex_feature_names(space: SearchSpace) -> list[str]:
    """Return the names of a vertex's statistics, in their order."""
    names = ["predecessors", "successors", "log paths to it", "log paths from it"]
    names += ["backward walk", "forward walk", "ancestors", "descendants"]
    names += _no_features(space).vertex
    ways = ("longest", "shortest", "longest onward", "shortest onward")
    return names + [f"{way} {kind}" for way in ways for kind in kinds(space)]


def _no_features(space: SearchSpace) -> ExtraFeatures:
    """The space's own features of no cell: their names."""
    none, width = CellArray.from_cells([], space), space.max_vertices
    return space.support.extra_features(none, np.empty((width, width, 0), dtype=np.float32))


def check_statistics_version(version: object) -> None:
    """Refuse a model that was fitted on other statistics than these.

    Raises:
        ModelError: If ``version`` is not :data:`STATISTICS_VERSION`.
    """
    if version != STATISTICS_VERSION:
        raise ModelError(
            f"this model was fitted on version {version!r} of the cells' statistics, "
            f"here is version {STATISTICS_VERSION}: fit it again"
        )


def select_columns(statistics: NDArray[Any], columns: NDArray[np.int64]) -> NDArray[Any]:
    """Return the ``columns`` ``[d]`` that a model was fitted on, of ``statistics`` ``[N, D]``.

    Raises:
        ModelError: If there is no such column: the model is damaged.
    """
    total = statistics.shape[1]
    if columns.dtype.kind != "i" or ((columns < 0) | (columns >= total)).any():
        raise ModelError(f"a model's columns must be whole numbers from 0 to {total - 1}")
    return statistics[:, columns]


def cells_per_block(cells: CellArray, most: int = BLOCK_CELLS) -> int:
    """Return how many of ``cells`` go into a block: ``most`` small ones, fewer of large graphs,
    whose padded arrays grow with the square of their vertices.
    """
    return max(1, most * _BLOCK_AREA // max(_BLOCK_AREA, cells.width**2))


def cell_features(cells: CellArray) -> CellFeatures:
    """Return the statistics of all cells.

    Args:
        cells: ``N`` cells of any space, vertices in topological order.
    """
    step = cells_per_block(cells)
    parts = [
        _Block(cells[start : start + step]).features()
        for start in range(0, max(len(cells), 1), step)
    ]
    return CellFeatures(
        {name: np.concatenate([part.groups[name] for part in parts]) for name in parts[0].groups},
        np.concatenate([part.vertex for part in parts]),
    )


class _Block:
    """Some cells with vertices first, ``[V, B]``, so that each step is one long array operation."""

    def __init__(self, cells: CellArray) -> None:
        self.cells = cells
        self.adjacency = np.ascontiguousarray(cells.adjacency.transpose(1, 2, 0), dtype=np.float32)
        self.joined = self.adjacency > 0
        self.mask = np.ascontiguousarray(cells.mask.T)
        self.in_degree = self.adjacency.sum(axis=0)
        self.out_degree = self.adjacency.sum(axis=1)
        # In a cell these are the input and the output; a plain graph may have several.
        self.sources = self.mask & (self.in_degree == 0)
        self.sinks = self.mask & (self.out_degree == 0)
        ids = np.where(self.mask, cells.operations.T, -3)
        self.kinds = np.stack(
            [np.isin(ids, members) for members in kinds(cells.space).values()], axis=1
        ).astype(np.float32)  # [V, W, B]
        self.width = len(ids)

    def features(self) -> CellFeatures:
        before, after = self._path_numbers()
        paths = np.maximum((before * self.sinks).sum(axis=0), 1)
        longest, shortest = self._extreme(np.maximum), self._extreme(np.minimum)
        backward, forward = self._backward_walk(), self._forward_walk()
        on_paths = before * after / paths
        at_sinks = self.sinks[:, None]
        columns = [
            np.log(paths)[None],
            self.mask.sum(axis=0)[None],
            self.adjacency.sum(axis=(0, 1))[None],
            (self.in_degree * self.sinks).max(axis=0)[None],
            (self.out_degree * self.sources).max(axis=0)[None],
            np.einsum("ub,uvb,vb->b", *self._skip(), optimize=True)[None],
        ]
        by_kind = [
            np.where(at_sinks, longest, 0).max(axis=0),
            np.where(at_sinks, shortest, _FAR).min(axis=0),
            self.kinds.sum(axis=0),
            (self.kinds * on_paths[:, None]).sum(axis=0),
            (self.kinds * backward[:, None]).sum(axis=0),
            (self.kinds * forward[:, None]).sum(axis=0),
        ]  # six arrays [W, B], put next to each other by kind
        columns.append(np.stack(by_kind, axis=1).reshape(-1, len(self.cells)))
        extra = self.cells.space.support.extra_features(self.cells, self.adjacency)
        columns += [column[None] for column in extra.graph.values()]
        reach, one_hot = self._reach(), self._one_hot()
        vertex = self._vertex_columns(
            before, after, longest, shortest, backward, forward, reach, [*extra.vertex.values()]
        )
        weight = extra.walk
        if weight is None:
            weight = self.adjacency / np.maximum(self.in_degree, 1)
        inner = one_hot[:, len(self.cells.space.terminals) :]
        return CellFeatures(
            {
                "graph": np.concatenate(columns).T.astype(np.float32),
                "walks": self._walk_moments(weight),
                "flow": self._flow(weight, one_hot, extra.channels),
                "pooled": (inner @ vertex).reshape(len(vertex), -1),
            },
            vertex,
        )

    def _skip(self) -> tuple[Array, Array, Array]:
        sources, sinks = self.sources.astype(np.float32), self.sinks.astype(np.float32)
        return sources, self.adjacency, sinks

    def _path_numbers(self) -> tuple[Array, Array]:
        """Paths from the sources to each vertex, and on to the sinks."""
        before, after = self.sources.astype(np.float32), self.sinks.astype(np.float32)
        for v in range(1, self.width):
            before[v] += (self.adjacency[:v, v] * before[:v]).sum(axis=0)
        for v in range(self.width - 2, -1, -1):
            after[v] += (self.adjacency[v, v + 1 :] * after[v + 1 :]).sum(axis=0)
        return before, after

    def _extreme(self, choose: np.ufunc) -> Array:
        """Most or fewest vertices of each kind on a path from a source, own one included."""
        reached = self.kinds.copy()
        nothing = -_FAR if choose is np.maximum else _FAR
        for v in range(1, self.width):
            found = choose.reduce(
                np.where(self.joined[:v, v, None], reached[:v], nothing), axis=0, initial=nothing
            )
            reached[v] += np.where(self.in_degree[v] > 0, found, 0)
        return np.asarray(reached, dtype=np.float32)

    def _extreme_after(self, choose: np.ufunc) -> Array:
        """The same on a path to a sink, own one left out."""
        reached = np.zeros_like(self.kinds)
        nothing = -_FAR if choose is np.maximum else _FAR
        for v in range(self.width - 2, -1, -1):
            onward = reached[v + 1 :] + self.kinds[v + 1 :]
            found = choose.reduce(
                np.where(self.joined[v, v + 1 :, None], onward, nothing), axis=0, initial=nothing
            )
            reached[v] = np.where(self.out_degree[v] > 0, found, 0)
        return reached

    def _backward_walk(self) -> Array:
        """Probability that a walk against the edges from a sink meets each vertex."""
        visits = self.sinks / np.maximum(self.sinks.sum(axis=0), 1, dtype=np.float32)
        for v in range(self.width - 2, -1, -1):
            share = visits[v + 1 :] / np.maximum(self.in_degree[v + 1 :], 1)
            visits[v] += (self.adjacency[v, v + 1 :] * share).sum(axis=0)
        return np.asarray(visits, dtype=np.float32)

    def _forward_walk(self) -> Array:
        visits = self.sources / np.maximum(self.sources.sum(axis=0), 1, dtype=np.float32)
        for v in range(1, self.width):
            share = visits[:v] / np.maximum(self.out_degree[:v], 1)
            visits[v] += (self.adjacency[:v, v] * share).sum(axis=0)
        return np.asarray(visits, dtype=np.float32)

    def _flow(self, weight: Array, one_hot: Array, channels: Array | None) -> Array:
        visits = self.sinks / np.maximum(self.sinks.sum(axis=0), 1, dtype=np.float32)
        for v in range(self.width - 2, -1, -1):
            visits[v] += (weight[v, v + 1 :] * visits[v + 1 :]).sum(axis=0)
        visits = visits.astype(np.float32)
        size = 1.0 if channels is None else np.log2(1 + channels)
        weighed = np.ascontiguousarray((visits * size).T, dtype=np.float32)[..., None]
        met = (one_hot @ weighed).reshape(len(one_hot), -1)
        return np.concatenate([_by_operations(one_hot, weight * visits), met], axis=1)

    def _walk_moments(self, weight: Array) -> Array:
        """Moments of how often a backward walk meets each kind, see :class:`CellFeatures`."""
        first, second = np.zeros_like(self.kinds), np.zeros_like(self.kinds)
        halved = np.ones_like(self.kinds)
        for v in range(self.width):
            share = weight[:v, v, None]
            mean, kind = (share * first[:v]).sum(axis=0), self.kinds[v]
            first[v] = mean + kind
            second[v] = (share * second[:v]).sum(axis=0) + kind * (2 * mean + 1)
            arrived = np.where(self.in_degree[v] > 0, (share * halved[:v]).sum(axis=0), 1)
            halved[v] = arrived * (1 - kind / 2)
        sinks = (self.sinks / np.maximum(self.sinks.sum(axis=0), 1))[:, None]
        mean, square, power = ((sinks * m).sum(axis=0) for m in (first, second, halved))
        moments = [mean, np.sqrt(np.maximum(square - mean**2, 0)), power]
        return np.asarray(np.concatenate(moments).T, dtype=np.float32)

    def _reach(self) -> Array:
        """Whether a path leads from the first to the second vertex, ``[V, V, B]``."""
        reach = self.adjacency.copy()
        for v in range(self.width - 2, -1, -1):
            onward = np.where(self.joined[v, v + 1 :, None], reach[v + 1 :], 0).max(axis=0)
            np.maximum(reach[v], onward, out=reach[v])
        return np.asarray(reach, dtype=np.float32)

    def _one_hot(self) -> Array:
        """Operations of the vertices, ``[B, C, V]``."""
        columns = np.arange(self.cells.space.num_columns)
        found = (self.cells.columns[:, None] == columns[:, None]) & self.cells.mask[:, None]
        return np.asarray(found, dtype=np.float32)

    def _vertex_columns(
        self,
        before: Array,
        after: Array,
        longest: Array,
        shortest: Array,
        backward: Array,
        forward: Array,
        reach: Array,
        extra: list[Array],
    ) -> Array:
        columns = [
            self.in_degree,
            self.out_degree,
            np.log(np.maximum(before, 1)),
            np.log(np.maximum(after, 1)),
            backward,
            forward,
            reach.sum(axis=0),
            reach.sum(axis=1),
            *extra,
        ]
        ways = [
            longest,
            shortest,
            self._extreme_after(np.maximum),
            self._extreme_after(np.minimum),
        ]
        stacked = np.concatenate([np.stack(columns, axis=1), *ways], axis=1)  # [V, F, B]
        stacked *= self.mask[:, None]
        return np.ascontiguousarray(stacked.transpose(2, 0, 1), dtype=np.float32)


def _by_operations(one_hot: Array, relation: Array) -> Array:
    """Sums of a relation ``[V, V, B]`` by the operations of both vertices, ``[B, C²]``."""
    related = np.ascontiguousarray(relation.transpose(2, 0, 1), dtype=np.float32)
    found = one_hot @ related @ one_hot.transpose(0, 2, 1)
    return np.asarray(found.reshape(len(found), -1))
