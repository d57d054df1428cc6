"""Features of many cells at once, for predictors that need numbers instead of graphs.

A feature is a name and a function of a :class:`~pyg_nas.features.graph_block.GraphBlock`, next to
each other in one of the tables below; a group of features is one function. All are defined for any
search space, which may add its own (:class:`~pyg_nas.graphs.space_support.ExtraFeatures`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import ModelError
from pyg_nas.features.graph_block import Array, GraphBlock, kinds
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.graphs.space_support import ExtraFeatures

FEATURE_BLOCK = 4_096
"""Cells of a benchmark's size to a block: its arrays stay in the processor's cache."""

_BLOCK_AREA = 64  # squared vertices of a cell up to which a block has FEATURE_BLOCK cells

FEATURE_VERSION = 4
"""Increased when a feature is added or changes; fitted models store their version."""

ZERO_COST_GROUP = "zero-cost"
TRANSFER_GROUP = "transfer"
PATH_GROUP = "paths"
"""Names of groups that a caller may add: zero-cost numbers
(:mod:`pyg_nas.predictors.zero_cost`), transfer features
(:mod:`pyg_nas.predictors.transfer.digits`), and path features (:mod:`pyg_nas.features.paths`)."""

Feature = Callable[[GraphBlock], NDArray[Any]]

_OF_GRAPHS: dict[str, Feature] = {  # [B]
    "log paths": lambda block: np.log(block.paths),
    "vertices": lambda block: block.mask.sum(axis=0),
    "edges": lambda block: block.adjacency.sum(axis=(0, 1)),
    "sinks' predecessors": lambda block: (block.in_degree * block.sinks).max(axis=0),
    "sources' successors": lambda block: (block.out_degree * block.sources).max(axis=0),
    "skip": lambda block: np.einsum(
        "ub,uvb,vb->b",
        *(block.sources.astype(np.float32), block.adjacency, block.sinks.astype(np.float32)),
        optimize=True,
    ),
}
_OF_GRAPHS_BY_KIND: dict[str, Feature] = {  # [W, B]
    "longest": lambda block: block.longest_path,
    "shortest": lambda block: block.shortest_path,
    "number of": lambda block: block.kinds.sum(axis=0),
    "path mean": lambda block: _sums(block, _share_of_paths(block)),
    "backward walk": lambda block: _sums(block, block.backward_walk),
    "forward walk": lambda block: _sums(block, block.forward_walk),
}
_OF_VERTICES: dict[str, Feature] = {  # [V, B]
    "predecessors": lambda block: block.in_degree,
    "successors": lambda block: block.out_degree,
    "log paths to it": lambda block: np.log(np.maximum(block.paths_to, 1)),
    "log paths from it": lambda block: np.log(np.maximum(block.paths_from, 1)),
    "backward walk": lambda block: block.backward_walk.astype(np.float32),
    "forward walk": lambda block: block.forward_walk.astype(np.float32),
    "ancestors": lambda block: block.reach.sum(axis=0),
    "descendants": lambda block: block.reach.sum(axis=1),
}
_OF_VERTICES_BY_KIND: dict[str, Feature] = {  # [V, W, B]
    "longest": lambda block: block.longest,
    "shortest": lambda block: block.shortest,
    "longest onward": lambda block: block.longest_onward,
    "shortest onward": lambda block: block.shortest_onward,
}


@dataclass(frozen=True)
class CellFeatures:
    """Features of ``N`` cells.

    Attributes:
        groups: float32 ``[N, features]`` by name. For ``C`` one-hot columns, ``F`` features of a
            vertex and ``W`` kinds of operations (:func:`~pyg_nas.features.graph_block.kinds`):

            - ``graph``: named by :func:`graph_feature_names`;
            - ``walks``: ``3 W``, mean, standard deviation and ``E[2^-k]`` of the number ``k`` of
              vertices of a kind that a walk against the edges meets, where a predecessor is
              chosen by its share of the channels;
            - ``flow``: ``C² + C``, how often that walk takes an edge by the operations it joins,
              and meets an operation, weighed by the logarithm of its channels;
            - ``pooled``: sums of the features of vertices by operation.
        vertex: float32 ``[N, V, F]``, named by :func:`vertex_feature_names`, zero at padding.
    """

    groups: Mapping[str, Array]
    vertex: Array

    def with_groups(self, groups: Mapping[str, Array]) -> CellFeatures:
        """Return these features and further groups of the same cells."""
        return CellFeatures({**self.groups, **groups}, self.vertex)

    def joined(self, names: Sequence[str] | None = None) -> Array:
        """Return the features of the named groups, or of all, beside each other: ``[N, d]``."""
        chosen = self.groups if names is None else names
        return np.concatenate([self.groups[name] for name in chosen], axis=1)


def graph_feature_names(space: SearchSpace) -> list[str]:
    """Return the names of the features of the group ``graph``, in their order."""
    by_kind = [f"{what} {kind}" for kind in kinds(space) for what in _OF_GRAPHS_BY_KIND]
    return [*_OF_GRAPHS, *by_kind, *_no_features(space).graph]


def vertex_feature_names(space: SearchSpace) -> list[str]:
    """Return the names of a vertex's features, in their order."""
    by_kind = [f"{what} {kind}" for what in _OF_VERTICES_BY_KIND for kind in kinds(space)]
    return [*_OF_VERTICES, *_no_features(space).vertex, *by_kind]


def _no_features(space: SearchSpace) -> ExtraFeatures:
    """The space's own features of no cell: their names."""
    none, width = CellArray.from_cells([], space), space.max_vertices
    return space.support.extra_features(none, np.empty((width, width, 0), dtype=np.float32))


def check_feature_version(version: object, *, current: int = FEATURE_VERSION) -> object:
    """Return the version of a model's features, which must be ``current``.

    Raises:
        ModelError: If ``version`` is another one.
    """
    if version != current:
        raise ModelError(
            f"this model was fitted to version {version!r} of the features, this package "
            f"has version {current}: fit it again"
        )
    return version


def select_columns(features: NDArray[Any], columns: NDArray[np.int64]) -> NDArray[Any]:
    """Return the ``columns`` ``[d]`` that a model was fitted on, of ``features`` ``[N, D]``.

    Raises:
        ModelError: If there is no such column: the model is damaged.
    """
    check_columns(columns, features.shape[1])
    return features[:, columns]


def check_columns(columns: NDArray[Any], total: int) -> None:
    """Check that a model's ``columns`` ``[d]`` are some of ``total``.

    Raises:
        ModelError: If they are not: the model is damaged.
    """
    if columns.dtype.kind != "i" or ((columns < 0) | (columns >= total)).any():
        raise ModelError(f"a model's columns must be whole numbers from 0 to {total - 1}")


def cells_per_block(cells: CellArray, most: int = FEATURE_BLOCK) -> int:
    """Return how many of ``cells`` go into a block: ``most`` small ones, fewer of large graphs,
    whose padded arrays grow with the square of their vertices.
    """
    return max(1, most * _BLOCK_AREA // max(_BLOCK_AREA, cells.width**2))


def cell_features(cells: CellArray) -> CellFeatures:
    """Return the features of all cells.

    Args:
        cells: ``N`` cells of any space, vertices in topological order.
    """
    step = cells_per_block(cells)
    parts = [
        _block_features(GraphBlock(cells[start : start + step]))
        for start in range(0, max(len(cells), 1), step)
    ]
    return CellFeatures(
        {name: np.concatenate([part.groups[name] for part in parts]) for name in parts[0].groups},
        np.concatenate([part.vertex for part in parts]),
    )


def _block_features(block: GraphBlock) -> CellFeatures:
    vertex = _vertex_features(block)
    groups = {
        "graph": _graph_group(block),
        "walks": _walks_group(block),
        "flow": _flow_group(block),
        "pooled": _pooled_group(block, vertex),
    }
    return CellFeatures(groups, vertex)


def _vertex_features(block: GraphBlock) -> Array:
    features = [feature(block) for feature in _OF_VERTICES.values()]
    features += block.extra.vertex.values()
    by_kind = [feature(block) for feature in _OF_VERTICES_BY_KIND.values()]
    stacked = np.concatenate([np.stack(features, axis=1), *by_kind], axis=1)  # [V, F, B]
    stacked *= block.mask[:, None]
    return np.ascontiguousarray(stacked.transpose(2, 0, 1), dtype=np.float32)


def _graph_group(block: GraphBlock) -> Array:
    features = [feature(block) for feature in _OF_GRAPHS.values()]
    by_kind = np.stack([feature(block) for feature in _OF_GRAPHS_BY_KIND.values()], axis=1)
    features += [feature for kind in by_kind for feature in kind]  # by_kind: [W, features, B]
    features += block.extra.graph.values()
    return np.asarray(np.stack(features).T, dtype=np.float32)


def _walks_group(block: GraphBlock) -> Array:
    """Moments of how often a backward walk meets each kind, see :class:`CellFeatures`."""
    first, second = np.zeros(block.kinds.shape), np.zeros(block.kinds.shape)
    halved = np.ones(block.kinds.shape)
    for v, kind in enumerate(block.kinds):
        share = block.walk[:v, v, None]
        mean = (share * first[:v]).sum(axis=0)
        first[v] = mean + kind
        second[v] = (share * second[:v]).sum(axis=0) + kind * (2 * mean + 1)
        arrived = np.where(block.in_degree[v] > 0, (share * halved[:v]).sum(axis=0), 1)
        halved[v] = arrived * (1 - kind / 2)
    sinks = (block.sinks / np.maximum(block.sinks.sum(axis=0), 1))[:, None]
    mean, square, power = ((sinks * m).sum(axis=0) for m in (first, second, halved))
    moments = [mean, np.sqrt(np.maximum(square - mean**2, 0)), power]
    return np.asarray(np.concatenate(moments).T, dtype=np.float32)


def _flow_group(block: GraphBlock) -> Array:
    visits = block.first_visits()
    for v in range(len(visits) - 2, -1, -1):
        visits[v] += (block.walk[v, v + 1 :] * visits[v + 1 :]).sum(axis=0)
    channels, one_hot = block.extra.channels, block.one_hot
    size = 1.0 if channels is None else np.log2(1 + channels)
    weighed = np.ascontiguousarray((visits * size).T)[..., None]
    met = (one_hot @ weighed)[..., 0]
    taken = np.ascontiguousarray((block.walk * visits).transpose(2, 0, 1))
    joined = one_hot @ taken @ one_hot.transpose(0, 2, 1)  # [B, C, C]
    found = np.concatenate([joined.reshape(len(met), met.shape[1] ** 2), met], axis=1)
    return np.asarray(found, dtype=np.float32)


def _pooled_group(block: GraphBlock, vertex: Array) -> Array:
    inner = block.one_hot[:, len(block.cells.space.terminals) :]
    pooled = (inner @ vertex).astype(np.float32)
    return pooled.reshape(len(pooled), pooled.shape[1] * pooled.shape[2])


def _share_of_paths(block: GraphBlock) -> NDArray[np.float64]:
    """Share of the paths that each vertex is on, ``[V, B]``."""
    return np.asarray(block.paths_to.astype(np.float64) * block.paths_from / block.paths)


def _sums(block: GraphBlock, weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Sums of the weights ``[V, B]`` of the vertices of each kind, ``[W, B]``."""
    return np.asarray((block.kinds * weights[:, None]).sum(axis=0))
