"""Features of whole networks, in time and memory linear in their vertices and edges.

All are computed from edge lists and the attributes of vertices. Up to rounding they do not depend
on the order of the vertices.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from pyg_nas.features.graph_features import CellFeatures
from pyg_nas.graphs.ragged import gathered, pointers
from pyg_nas.spaces.modules.network_array import NetworkArray
from pyg_nas.spaces.modules.network_graph import ATTRIBUTES
from pyg_nas.spaces.modules.space import NETWORKS
from pyg_nas.spaces.modules.vocabulary import FAMILIES, NUM_COLUMNS, TERMINALS, group_of_column

NETWORK_FEATURE_VERSION = 3
"""Changes when the same network gets other features."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_BLOCK_GRAPHS, _BLOCK_VERTICES = 256, 100_000
_STEPS = 3  # of walks

_COLUMN_NAMES = NETWORKS.vocabulary
# The others move data, or are in no vocabulary.
_FAMILIES = {"terminal": " ".join(TERMINALS), **FAMILIES, "other": ""}
_FAMILY = group_of_column(_FAMILIES, rest="other")  # [columns]


def network_features(networks: NetworkArray) -> CellFeatures:
    """Return the features of ``N`` networks.

    Args:
        networks: Of any size; they are processed in blocks of some 100,000 vertices.

    Returns:
        Groups float32 ``[N, columns]``, named by :func:`network_feature_names`, and no features of
        vertices. ``graph`` has totals of vertices, edges, parameters, multiply-accumulates and
        bytes, depth, width and degrees, and mean, standard deviation and largest of each attribute.
        ``walks`` has the longest path by each operation, by multiply-accumulates and by bytes, and
        how the attributes at the two ends of walks of 1 to 3 edges vary together. ``flow`` has
        edges by the families of operations that they join, and ``pooled`` vertices, parameters,
        multiply-accumulates and bytes of each operation.
    """
    groups: dict[str, list[Floats]] = {}
    # Without graphs there is one empty block, whose groups have the right columns.
    blocks = list(networks.blocks(_BLOCK_GRAPHS, _BLOCK_VERTICES)) or [np.arange(0)]
    for rows in blocks:
        for name, features in _block_features(networks.select(rows)).items():
            groups.setdefault(name, []).append(np.column_stack(list(features.values())))
    joined = {name: np.concatenate(parts).astype(np.float32) for name, parts in groups.items()}
    return CellFeatures(joined, np.zeros((len(networks), 0, 0), dtype=np.float32))


def network_feature_names() -> dict[str, tuple[str, ...]]:
    """Return the names of the columns of each group of :func:`network_features`."""
    return {
        group: tuple(features)
        for group, features in _block_features(NetworkArray.from_graphs([])).items()
    }


def _block_features(networks: NetworkArray) -> dict[str, dict[str, Floats]]:
    """Return the features ``[N]`` by group and name."""
    edges = networks.joined_edges
    by_target = _Adjacency(edges, len(networks.columns))
    totals = {
        name: np.expm1(networks.attributes[:, ATTRIBUTES.index(f"log {name}")].astype(np.float64))
        for name in ("parameters", "multiply-accumulates", "bytes read", "bytes written")
    }
    levels = list(by_target.levels())
    return {
        "graph": {
            **_totals(networks, totals),
            **_shape(networks, by_target, levels),
            **_attribute_features(networks),
        },
        "walks": {
            **_longest_paths(networks, by_target, levels, totals),
            **_walks(networks, by_target),
        },
        "flow": _pairs(networks, edges),
        "pooled": _pooled_totals(networks, totals),
    }


class _Adjacency:
    """Edges ``[2, E]`` of the vertices of a block, sorted by target.

    Attributes:
        sources: Sources of all edges ``[E]``.
        ptr: Vertex ``v`` has the incoming edges ``ptr[v]`` to ``ptr[v + 1]``, ``[V + 1]``.
        degree_in: Incoming edges of every vertex ``[V]``.
        degree_out: Outgoing edges of every vertex ``[V]``.
    """

    def __init__(self, edges: Ints, vertices: int) -> None:
        self.sources, targets = edges
        self.degree_in = np.bincount(targets, minlength=vertices)
        self.degree_out = np.bincount(self.sources, minlength=vertices)
        self.ptr = pointers(self.degree_in)
        ones = np.ones(len(targets))
        # At row v the sources of v.
        self.matrix = csr_array((ones, self.sources, self.ptr), shape=(vertices, vertices))

    def levels(self) -> Iterator[Ints]:
        """Yield the vertices whose longest path from a source has 0, 1, 2, ... edges."""
        outgoing = self.matrix.T.tocsr()
        out_ptr, targets = outgoing.indptr.astype(np.int64), outgoing.indices
        waiting = self.degree_in.copy()
        level = np.flatnonzero(waiting == 0)
        while len(level):
            yield level
            reached = targets[gathered(out_ptr, level)[0]]
            np.subtract.at(waiting, reached, 1)
            level = np.unique(reached[waiting[reached] == 0]).astype(np.int64)


def _totals(networks: NetworkArray, totals: dict[str, Floats]) -> dict[str, Floats]:
    read, written = (networks.sums(totals[name]) for name in ("bytes read", "bytes written"))
    peak = _largest(networks, totals["bytes read"] + totals["bytes written"])
    return {
        "log vertices": np.log1p(np.diff(networks.vertex_ptr)),
        "log edges": np.log1p(np.diff(networks.edge_ptr)),
        "log parameters": np.log1p(networks.parameters),
        "log multiply-accumulates": np.log1p(networks.macs),
        "log bytes read": np.log1p(read),
        "log bytes written": np.log1p(written),
        "log largest bytes of a vertex": np.log1p(peak),
        "log multiply-accumulates by bytes": np.log1p(networks.macs) - np.log1p(read + written),
    }


def _shape(networks: NetworkArray, adjacency: _Adjacency, levels: list[Ints]) -> dict[str, Floats]:
    level = np.zeros(len(networks.columns), dtype=np.int64)
    for number, vertices in enumerate(levels):
        level[vertices] = number
    total = len(networks)
    cells = networks.graph * len(levels) + level
    widths = np.bincount(cells, minlength=total * len(levels)).reshape(total, len(levels))
    depth = _largest(networks, level)
    found = {
        "log depth": np.log1p(depth),
        "log width": np.log1p(widths.max(axis=1, initial=0)),
        "log mean width": np.log(np.maximum(np.diff(networks.vertex_ptr), 1) / (depth + 1)),
    }
    for name, degree in (("in", adjacency.degree_in), ("out", adjacency.degree_out)):
        found[f"log largest {name}-degree"] = np.log1p(_largest(networks, degree))
        found[f"share of vertices with {name}-degree above 1"] = _means(networks, degree > 1)
    return found


def _attribute_features(networks: NetworkArray) -> dict[str, Floats]:
    attributes = networks.attributes.astype(np.float64)
    mean = _means(networks, attributes)
    std = np.sqrt(_means(networks, (attributes - mean[networks.graph]) ** 2))
    largest = _largest(networks, attributes)
    return {
        f"{which} {name}": values[:, i]
        for which, values in (("mean", mean), ("std", std), ("largest", largest))
        for i, name in enumerate(ATTRIBUTES)
    }


def _longest_paths(
    networks: NetworkArray, adjacency: _Adjacency, levels: list[Ints], totals: dict[str, Floats]
) -> dict[str, Floats]:
    """The largest sum along a path: vertices of each operation, and two totals."""
    weighted = {
        "multiply-accumulates": totals["multiply-accumulates"],
        "bytes": totals["bytes read"] + totals["bytes written"],
    }
    names = (*_COLUMN_NAMES, *weighted)
    longest = np.zeros((len(networks.columns), len(names)))  # [V, names], of paths that end there
    longest[np.arange(len(longest)), networks.columns] = 1
    longest[:, NUM_COLUMNS:] = np.column_stack(list(weighted.values()))
    for vertices in levels[1:]:
        incoming, ptr = gathered(adjacency.ptr, vertices)
        before = longest[adjacency.sources[incoming]]
        longest[vertices] += np.maximum.reduceat(before, ptr[:-1], axis=0)
    found = np.log1p(_largest(networks, longest))
    return {f"log longest path by {name}": found[:, i] for i, name in enumerate(names)}


def _walks(networks: NetworkArray, adjacency: _Adjacency) -> dict[str, Floats]:
    found = {}
    walks = np.ones(len(networks.columns))
    attributes = networks.attributes.astype(np.float64)
    centred = attributes - _means(networks, attributes)[networks.graph]
    moved = centred
    for step in range(1, _STEPS + 1):
        walks = adjacency.matrix @ walks
        found[f"log walks of {step} edges"] = np.log1p(networks.sums(walks))
        # Mean over the sources of a vertex: a random walk against the edges.
        moved = (adjacency.matrix @ moved) / np.maximum(adjacency.degree_in, 1)[:, None]
        together = _means(networks, centred * moved)
        for i, name in enumerate(ATTRIBUTES):
            found[f"covariance of {name} over {step} edges"] = together[:, i]
    return found


def _pairs(networks: NetworkArray, edges: Ints) -> dict[str, Floats]:
    kinds = len(_FAMILIES)
    source, target = _FAMILY[networks.columns[edges]]
    cells = (networks.graph[edges[0]] * kinds + source) * kinds + target
    counts = np.bincount(cells, minlength=len(networks) * kinds**2).reshape(-1, kinds**2)
    logs = np.log1p(counts)
    names = [f"log edges from {one} to {two}" for one in _FAMILIES for two in _FAMILIES]
    return {name: logs[:, i] for i, name in enumerate(names)}


def _pooled_totals(networks: NetworkArray, totals: dict[str, Floats]) -> dict[str, Floats]:
    cells = networks.graph * NUM_COLUMNS + networks.columns
    found = {}
    for what, values in {"vertices": np.ones(len(cells)), **totals}.items():
        sums = np.bincount(cells, values, minlength=len(networks) * NUM_COLUMNS)
        logs = np.log1p(sums).reshape(-1, NUM_COLUMNS)
        for i, name in enumerate(_COLUMN_NAMES):
            found[f"log {what} of {name}"] = logs[:, i]
    return found


def _means(networks: NetworkArray, values: NDArray[np.generic]) -> Floats:
    sizes = np.diff(networks.vertex_ptr).reshape(-1, *[1] * (values.ndim - 1))
    return networks.sums(values) / sizes


def _largest(networks: NetworkArray, values: NDArray[np.generic]) -> Floats:
    start = networks.vertex_ptr[:-1]
    return np.asarray(np.maximum.reduceat(values.astype(np.float64), start, axis=0))
