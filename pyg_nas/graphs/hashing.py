"""The module hash of NAS-Bench-101: one digest for all labelled copies of a cell.

Source: ``graph_util.hash_module`` of the official ``nasbench`` package, described in
arXiv:1902.09635: colour refinement on md5 digests, started from ``(out_degree, in_degree, id)``.
"""

from __future__ import annotations

import sys
from hashlib import md5
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.compute.jit import FEWEST_COMPILED, compiled_enabled
from pyg_nas.graphs.ragged import RaggedGraphs, adjacency_lists

LARGE = 127
"""Largest number of vertices for which the refinement has one round per vertex; in larger graphs it
ends when no colour splits."""

# The same as FEWEST_COMPILED where Numba is loaded, and the code is not.
_FEWEST_WITH_NUMBA = 500


def module_hash(adjacency: NDArray[Any], operation_ids: NDArray[Any]) -> str:
    """Return the 32 hex digits of one pruned cell.

    Args:
        adjacency: ``[V, V]``, nonzero where an edge runs from row to column.
        operation_ids: ``[V]``, -1 for the input and -2 for the output vertex.
    """
    return hash_graph(np.array(np.nonzero(adjacency)), operation_ids)


def module_hashes(
    adjacency: NDArray[np.int8], operations: NDArray[Any], num_vertices: NDArray[Any]
) -> NDArray[np.bytes_]:
    """Return the module hashes of many cells as ``S32 [N]``.

    Args:
        adjacency: ``[N, V, V]``, padded with zeros.
        operations: ``[N, V]`` ids.
        num_vertices: ``[N]``.
    """
    return hash_graphs(RaggedGraphs.from_padded(adjacency, operations, num_vertices))


def hash_graphs(graphs: RaggedGraphs) -> NDArray[np.bytes_]:
    """Return the :func:`hash_graph` of many graphs as ``S32 [N]``, compiled if that is faster."""
    sizes = np.diff(graphs.vertex_ptr)
    hashes = np.zeros(len(graphs), dtype="S32")
    small = sizes <= LARGE
    rows = np.arange(len(graphs))
    if small.sum() >= _fewest_compiled() and compiled_enabled():
        from pyg_nas.graphs.numba_hashing import hash_small_graphs

        chosen = graphs if small.all() else graphs.take(small)
        hashes[small] = hash_small_graphs(chosen)
        rows = rows[~small]
    v, e = graphs.vertex_ptr.tolist(), graphs.edge_ptr.tolist()
    for i in rows.tolist():
        edges = graphs.edges[:, e[i] : e[i + 1]]
        hashes[i] = hash_graph(edges, graphs.operations[v[i] : v[i + 1]]).encode()
    return hashes


def _fewest_compiled() -> int:
    """Return the number of graphs from which on compiled code is faster."""
    if "pyg_nas.graphs.numba_hashing" in sys.modules:
        return 1
    return _FEWEST_WITH_NUMBA if "numba" in sys.modules else FEWEST_COMPILED


def hash_graph(edges: NDArray[Any], operation_ids: NDArray[Any]) -> str:
    """Return the :func:`module_hash` of a graph by its edges ``[2, E]`` (source, target).

    A graph of more than :data:`LARGE` vertices, which official files do not have, starts from
    colours of all ancestors and all descendants of a vertex, and is refined until no colour splits:
    time is linear in its edges times the (few) rounds, memory linear in its edges.
    """
    total = len(operation_ids)
    successors, predecessors = adjacency_lists(edges.T.tolist(), total)
    colours = [
        _digest(str((len(successors[v]), len(predecessors[v]), operation)))
        for v, operation in enumerate(operation_ids.tolist())
    ]
    if total <= LARGE:
        for _ in range(total):
            colours = _refined(colours, predecessors, successors)
        return _digest(str(sorted(colours)))
    colours = [
        _digest(f"{before}|{after}")
        for before, after in zip(
            _accumulated(colours, predecessors, range(total)),
            _accumulated(colours, successors, range(total - 1, -1, -1)),
            strict=True,
        )
    ]
    classes = 0
    while len(set(colours)) > classes:
        classes = len(set(colours))
        colours = _refined(colours, predecessors, successors)
    return _digest(str(sorted(colours)))


def _refined(
    colours: list[str], predecessors: list[list[int]], successors: list[list[int]]
) -> list[str]:
    return [
        _digest(
            "".join(sorted([colours[u] for u in predecessors[v]]))
            + "|"
            + "".join(sorted([colours[w] for w in successors[v]]))
            + "|"
            + own
        )
        for v, own in enumerate(colours)
    ]


def _accumulated(colours: list[str], neighbours: list[list[int]], order: range) -> list[str]:
    """Return each vertex's colour combined with those of all vertices that reach it."""
    found = list(colours)
    for v in order:  # edges run to later vertices, so that neighbours come first
        found[v] = _digest("".join(sorted([found[u] for u in neighbours[v]])) + "|" + colours[v])
    return found


def _digest(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def repeated_hash(hashes: NDArray[np.bytes_]) -> bytes | None:
    """Return the smallest of ``[N]`` hashes that appears more than once, or None."""
    ordered = np.sort(hashes)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    return bytes(twice[0]) if len(twice) else None


def digest_text(digest: bytes) -> str:
    """Return a stored hash as text; a damaged one, of any content, is escaped."""
    return bytes(digest).decode("ascii", errors="replace")
