"""The module hash of NAS-Bench-101: one digest for all labelled copies of a cell.

Source: ``graph_util.hash_module`` of the official ``nasbench`` package, described in
arXiv:1902.09635: colour refinement on md5 digests, started from ``(out_degree, in_degree, id)``.
"""

from __future__ import annotations

import itertools
from hashlib import md5
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BLOCK = 10_000  # cells that a process hashes at a time
_FEWEST_BLOCKS = 5  # from here on the work outlasts the start of the processes


def module_hash(adjacency: NDArray[Any], operation_ids: NDArray[Any]) -> str:
    """Return the 32 hex digits of one pruned cell.

    Args:
        adjacency: ``[V, V]``, nonzero where an edge runs from row to column.
        operation_ids: ``[V]``, -1 for the input and -2 for the output vertex.
    """
    return hash_graph(np.array(np.nonzero(adjacency)), operation_ids)


def hash_graph(edges: NDArray[Any], operation_ids: NDArray[Any]) -> str:
    """Return the :func:`module_hash` of a graph by its edges ``[2, E]`` (source, target)."""
    successors: list[list[int]] = [[] for _ in range(len(operation_ids))]
    predecessors: list[list[int]] = [[] for _ in range(len(operation_ids))]
    for source, target in edges.T.tolist():
        successors[source].append(target)
        predecessors[target].append(source)
    vertices = range(len(operation_ids))
    colours = [
        _digest(str((len(successors[v]), len(predecessors[v]), int(operation_ids[v]))))
        for v in vertices
    ]
    for _ in vertices:
        colours = [
            _digest(
                "".join(sorted([colours[u] for u in predecessors[v]]))
                + "|"
                + "".join(sorted([colours[w] for w in successors[v]]))
                + "|"
                + colours[v]
            )
            for v in vertices
        ]
    return _digest(str(sorted(colours)))


def module_hashes(
    adjacency: NDArray[np.int8],
    operations: NDArray[np.int8],
    num_vertices: NDArray[np.int8],
) -> NDArray[np.bytes_]:
    """Return the module hashes of many cells as ``S32 [N]``, on all cores where that is faster.

    Args:
        adjacency: ``[N, V, V]``, padded with zeros.
        operations: ``[N, V]`` ids.
        num_vertices: ``[N]``.
    """
    total = len(num_vertices)
    if total < _FEWEST_BLOCKS * _BLOCK:
        return _hash_block(adjacency, operations, num_vertices)
    from joblib import Parallel, delayed

    bounds = np.linspace(0, total, num=total // _BLOCK + 1, dtype=int)
    blocks = Parallel(n_jobs=-1)(
        delayed(_hash_block)(adjacency[a:b], operations[a:b], num_vertices[a:b])
        for a, b in itertools.pairwise(bounds)
    )
    return np.concatenate(blocks)


def _hash_block(
    adjacency: NDArray[np.int8], operations: NDArray[np.int8], num_vertices: NDArray[np.int8]
) -> NDArray[np.bytes_]:
    hashes = np.empty(len(num_vertices), dtype="S32")
    for i, v in enumerate(num_vertices.tolist()):
        hashes[i] = module_hash(adjacency[i, :v, :v], operations[i, :v]).encode()
    return hashes


def _digest(text: str) -> str:
    return md5(text.encode(), usedforsecurity=False).hexdigest()


def repeated_hash(hashes: NDArray[np.bytes_]) -> bytes | None:
    """Return the smallest of ``[N]`` hashes that is there more than once, or None."""
    ordered = np.sort(hashes)
    twice = ordered[1:][ordered[1:] == ordered[:-1]]
    return bytes(twice[0]) if len(twice) else None


def digest_text(digest: bytes) -> str:
    """Return a stored hash as text, whatever a damaged file has in its place."""
    return bytes(digest).decode("ascii", errors="replace")
