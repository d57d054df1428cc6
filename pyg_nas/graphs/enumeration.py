"""Every cell of a search space once, as arrays, and uniform samples of them."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from pyg_nas.compute.splitmix import GOLDEN, mix
from pyg_nas.errors import SettingsError, SpaceError, check_count, quoted
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.ragged import Ids
from pyg_nas.graphs.registry import default_space
from pyg_nas.graphs.search_space import SearchSpace, given_space

CACHE_VERSION = 1
"""Part of the names of cached files that depend on the order of the enumerated cells."""

_MOST_VERTICES = 7  # 2^21 graphs before labelling; the next size has 2^28
# Of one number of vertices, in about 3 GB; NAS-Bench-101 has 1.3 million.
_MOST_DRAWINGS = 5_000_000


def enumerate_cells(space: SearchSpace | None = None) -> CellArray:
    """Return all cells of a space up to isomorphism, in a fixed order.

    Args:
        space: By default the default one.

    Raises:
        SpaceError: If its cells cannot be enumerated, see :func:`enumerate_graphs`.
    """
    return given_space(space).support.cells()


def enumerate_graphs(space: SearchSpace) -> CellArray:
    """Enumerate all graphs within the limits of ``space`` up to isomorphism.

    These are the cells of a space whose support lists no others.

    Order: by number of vertices, then by the edge bits and operations of the first labelled
    graph of each class. Isomorphic copies are recognised by colour refinement, the criterion
    of the module hash, run on 64-bit colours for all graphs at once.

    Raises:
        SpaceError: If the space has no terminals, more than 7 vertices, or more than 5 million
            drawings of one number of vertices.
    """
    if not space.terminals or space.max_vertices > _MOST_VERTICES:
        raise SpaceError(
            f"space {space.name!r} cannot be enumerated: it needs terminals and at most "
            f"{_MOST_VERTICES} vertices"
        )
    return CellArray.concatenate(
        [_cells_of_size(v, space) for v in range(2, space.max_vertices + 1)]
    )


def sample_cells(n: int, seed: int, cells: CellArray | None = None) -> CellArray:
    """Draw ``n`` different cells uniformly, by default from all of the default space.

    The draw is uniform over isomorphism classes, not over labelled graphs. Draws with one seed
    are nested: the first ``k`` of ``n`` cells are the draw of ``k``.

    Raises:
        SettingsError: If ``n`` or ``seed`` is no whole number or negative, ``n`` is more than there
            are, or ``cells`` are no cells.
    """
    check_count("n", n, least=0)
    check_count("seed", seed, least=0)
    population = default_space().support.cells() if cells is None else cells
    if not isinstance(population, CellArray):
        raise SettingsError(
            f"cells must be a CellArray, got {quoted(population)}; enumerate_cells(space) returns "
            f"those of a space"
        )
    if n > len(population):
        raise SettingsError(f"cannot draw {n} different cells from {len(population)}")
    return population[np.random.default_rng(seed).permutation(len(population))[:n]]


def _cells_of_size(v: int, space: SearchSpace) -> CellArray:
    graphs = _full_graphs(v, space.max_edges)
    drawings = len(graphs) * len(space.operations) ** (v - 2)
    if drawings > _MOST_DRAWINGS:
        raise SpaceError(
            f"space {space.name!r} cannot be enumerated: {drawings:,} drawings have {v} vertices, "
            f"at most {_MOST_DRAWINGS:,} may; lower max_vertices, max_edges or the number of "
            f"operations"
        )
    inner = np.array(
        list(itertools.product(range(len(space.operations)), repeat=v - 2)), dtype=space.id_type
    )
    labels = np.empty((len(inner), v), dtype=space.id_type)
    labels[:, 0], labels[:, -1] = space.input_id, space.output_id
    labels[:, 1:-1] = inner
    graph = np.repeat(np.arange(len(graphs)), len(labels))
    label = np.tile(np.arange(len(labels)), len(graphs))
    fingerprint = _fingerprints(graphs, labels, graph, label)
    first = np.sort(np.unique(fingerprint, return_index=True)[1])
    width = space.max_vertices
    adjacency = np.zeros((len(first), width, width), dtype=np.int8)
    operations = np.zeros((len(first), width), dtype=space.id_type)
    adjacency[:, :v, :v] = graphs[graph[first]]
    operations[:, :v] = labels[label[first]]
    return CellArray(adjacency, operations, np.full(len(first), v, dtype=np.int8), space)


def _full_graphs(v: int, max_edges: int) -> NDArray[np.int8]:
    """Return all upper triangular graphs whose ``v`` vertices lie on paths from first to last."""
    upper = np.triu_indices(v, 1)
    pairs = len(upper[0])
    codes = np.arange(2**pairs, dtype=np.int64)
    edges = np.zeros(len(codes), dtype=np.int8)
    for bit in range(pairs):
        edges += ((codes >> bit) & 1).astype(np.int8)
    codes = codes[edges <= max_edges]
    graphs = np.zeros((len(codes), v, v), dtype=np.int8)
    for bit, (row, column) in enumerate(zip(*upper, strict=True)):
        graphs[:, row, column] = (codes >> bit) & 1
    leaves = np.asarray(graphs.any(axis=2))[:, :-1]
    entered = np.asarray(graphs.any(axis=1))[:, 1:]
    full = np.all(leaves, axis=1) & np.all(entered, axis=1)
    return np.asarray(graphs[full])


def _fingerprints(
    graphs: NDArray[np.int8], labels: Ids, graph: NDArray[np.int64], label: NDArray[np.int64]
) -> NDArray[np.uint64]:
    """64-bit colour-refinement fingerprints of the labelled graphs (graph[i], label[i])."""
    v = graphs.shape[1]
    degrees = graphs.sum(axis=2, dtype=np.uint64) * np.uint64(16) + graphs.sum(
        axis=1, dtype=np.uint64
    )
    start = labels.astype(np.uint32).astype(np.uint64)
    colours = [mix(degrees[graph, u] * np.uint64(2**32) + start[label, u]) for u in range(v)]
    present = {
        (a, b): graphs[graph, a, b].astype(np.uint64) for a in range(v) for b in range(a + 1, v)
    }
    for _ in range(v):
        incoming = [np.zeros(len(graph), dtype=np.uint64) for _ in range(v)]
        outgoing = [np.zeros(len(graph), dtype=np.uint64) for _ in range(v)]
        # The sum of mixed colours represents their multiset.
        for (a, b), edge in present.items():
            incoming[b] += edge * colours[a]
            outgoing[a] += edge * colours[b]
        colours = [
            mix(
                colours[u]
                + mix(incoming[u] + GOLDEN)
                + np.uint64(3) * mix(outgoing[u] + np.uint64(0xD1B54A32D192ED03))
            )
            for u in range(v)
        ]
    total = np.zeros(len(graph), dtype=np.uint64)
    for colour in colours:
        total += colour
    return total
