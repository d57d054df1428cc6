"""Functions on labelled graphs, by the names of ``nasbench.lib.graph_util``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyg_nas.graphs.hashing import module_hash

Graph = tuple[ArrayLike, Sequence[int]]
"""Adjacency ``[V, V]`` and ``V`` labels."""


def gen_is_edge_fn(bits: int) -> Callable[[Any, Any], Any]:
    """Return a function that computes the adjacency of an upper triangular graph from bits.

    Bit 0 is the edge (0, 1), bits 1 and 2 the edges (0, 2) and (1, 2), bits 3 to 5 the edges into
    vertex 3, and so on: column by column, for any number of vertices.

    Returns:
        A function of sources and targets, numbers or arrays, as ``np.fromfunction`` calls it.
    """

    def is_edge(source: Any, target: Any) -> int:
        u, v = int(source), int(target)
        return bits >> (u + v * (v - 1) // 2) & 1 if u < v else 0

    return np.vectorize(is_edge, otypes=[np.int64])


def is_full_dag(matrix: ArrayLike) -> bool:
    """Return whether every vertex lies on a path from the first to the last one.

    In an upper triangular graph this is true if every vertex but the last has an outgoing edge, and
    every vertex but the first has an incoming one.
    """
    edges = np.asarray(matrix) != 0
    return bool(edges[:-1].any(axis=1).all() and edges[:, 1:].any(axis=0).all())


def num_edges(matrix: ArrayLike) -> int:
    """Return the number of edges of a 0/1 adjacency."""
    return int(np.sum(np.asarray(matrix)))


def hash_module(matrix: ArrayLike, labeling: Sequence[int]) -> str:
    """Return the module hash, equal for all numberings of the same labelled graph.

    Args:
        matrix: Adjacency ``[V, V]``.
        labeling: ``V`` operation ids, -1 for the input and -2 for the output.
    """
    return module_hash(np.asarray(matrix), np.asarray(labeling))


def permute_graph(
    graph: ArrayLike, label: Sequence[Any], permutation: Sequence[int]
) -> tuple[NDArray[np.bool_], list[Any]]:
    """Return adjacency and labels after vertex ``i`` has become vertex ``permutation[i]``."""
    old = np.argsort(permutation)
    return np.asarray(graph)[np.ix_(old, old)] == 1, [label[i] for i in old.tolist()]


def is_isomorphic(graph1: Graph, graph2: Graph) -> bool:
    """Return whether two labelled graphs are equal up to a permutation of their vertices.

    Args:
        graph1: Adjacency ``[V, V]`` and ``V`` labels.
    """
    one, other = np.asarray(graph1[0]) == 1, np.asarray(graph2[0]) == 1
    if one.shape != other.shape or _signature(one, graph1[1]) != _signature(other, graph2[1]):
        return False
    return _extends(one, list(graph1[1]), other, list(graph2[1]), [])


def _signature(matrix: NDArray[np.bool_], labels: Sequence[Any]) -> list[tuple[int, int, str]]:
    degrees = zip(matrix.sum(axis=0).tolist(), matrix.sum(axis=1).tolist(), labels, strict=True)
    return sorted((inward, outward, repr(label)) for inward, outward, label in degrees)


def _extends(
    one: NDArray[np.bool_],
    one_labels: list[Any],
    other: NDArray[np.bool_],
    other_labels: list[Any],
    mapped: list[int],
) -> bool:
    """Return whether the map of the first vertices of ``one`` extends to an isomorphism."""
    vertex = len(mapped)
    if vertex == len(one):
        return True
    for image in range(len(other)):
        if image in mapped or one_labels[vertex] != other_labels[image]:
            continue
        trial = [*mapped, image]
        same_out = np.array_equal(one[vertex, : vertex + 1], other[image, trial])
        same_in = np.array_equal(one[: vertex + 1, vertex], other[trial, image])
        if same_out and same_in and _extends(one, one_labels, other, other_labels, trial):
            return True
    return False
