"""What makes a graph a cell: its edges, paths, terminals and limits."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import CellError, first_true, quoted
from pyg_nas.graphs.search_space import SearchSpace


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
    outside = first_true(np.any((pairs < 0) | (pairs >= num_vertices), axis=1))
    if outside is not None:
        check_edge(pairs[outside].tolist(), num_vertices)
    codes = pairs[:, 0] * max(1, num_vertices) + pairs[:, 1]
    order = np.argsort(codes, kind="stable")
    if (twice := first_true(np.diff(codes[order]) == 0)) is not None:
        raise CellError(f"edge {pairs[order[twice]].tolist()} appears twice")
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


def check_order(edges: NDArray[np.int64]) -> None:
    """Check that edges ``[2, E]`` run to later vertices.

    Raises:
        CellError: If one does not.
    """
    if (backward := first_true(edges[0] >= edges[1])) is not None:
        u, v = edges[:, backward].tolist()
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
    if (inner := first_true(ids[1:-1] < 0)) is not None:
        vertex = inner + 1
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
