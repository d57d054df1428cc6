"""Compiled search for the different terms of many graphs (:mod:`pyg_nas.engine.shared_terms`).

Terms are numbered in the order of their first appearance. Keys of 64 bits locate them in an
open-addressed table, which compares the values themselves, so that the numbers are exact.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.compute.jit import Integers, compiled
from pyg_nas.compute.splitmix import FIRST, GOLDEN, SECOND

_LongIntegers = NDArray[np.int64]
_ShortIntegers = NDArray[np.int32]


@compiled
def _mixed(key: Any, value: int) -> Any:
    """Return a key that depends on an earlier one and on a value (SplitMix64)."""
    key = key * GOLDEN + np.uint64(value)
    key = (key ^ (key >> np.uint64(30))) * FIRST
    key = (key ^ (key >> np.uint64(27))) * SECOND
    return key ^ (key >> np.uint64(31))


@compiled
def _empty_table(most: int) -> _ShortIntegers:
    """Return a table for ``most`` numbers, a power of two at most half full; -1 is free."""
    size = 16
    while size < 2 * most:
        size *= 2
    return np.full(size, -1, dtype=np.int32)


@compiled
def neighbours(
    vertex_ptr: Integers, edge_ptr: Integers, edges: Integers
) -> tuple[_LongIntegers, _LongIntegers, _LongIntegers, _LongIntegers]:
    """Return successors and predecessors of all vertices.

    Args:
        vertex_ptr: ``[N + 1]``.
        edge_ptr: ``[N + 1]``.
        edges: ``[2, E]`` (source, target), numbered within the graph.

    Returns:
        Where each vertex's successors begin, ``[V + 1]``, the successors ``[E]``, numbered through
        all graphs; the same of the predecessors.
    """
    total = vertex_ptr[-1]
    ptr = np.zeros((2, total + 1), dtype=np.int64)
    for graph in range(len(vertex_ptr) - 1):
        start = vertex_ptr[graph]
        for edge in range(edge_ptr[graph], edge_ptr[graph + 1]):
            ptr[0, start + edges[0, edge] + 1] += 1
            ptr[1, start + edges[1, edge] + 1] += 1
    for vertex in range(total):
        ptr[0, vertex + 1] += ptr[0, vertex]
        ptr[1, vertex + 1] += ptr[1, vertex]
    following = ptr[:, :total].copy()
    found = np.empty((2, edges.shape[1]), dtype=np.int64)
    for graph in range(len(vertex_ptr) - 1):
        start = vertex_ptr[graph]
        for edge in range(edge_ptr[graph], edge_ptr[graph + 1]):
            source, target = start + edges[0, edge], start + edges[1, edge]
            found[0, following[0, source]] = target
            following[0, source] += 1
            found[1, following[1, target]] = source
            following[1, target] += 1
    return ptr[0], found[0], ptr[1], found[1]


@compiled
def number_pairs(first: Integers, second: Integers) -> tuple[_LongIntegers, _LongIntegers]:
    """Return the first index of each different pair, and the number of every pair ``[n]``."""
    table = _empty_table(len(first))
    last = np.uint64(len(table) - 1)
    index = np.empty(len(first), dtype=np.int64)
    numbers = np.empty(len(first), dtype=np.int64)
    count = 0
    for row in range(len(first)):
        place = _mixed(_mixed(np.uint64(1), first[row]), second[row]) & last
        while True:
            number = table[place]
            if number < 0:
                table[place] = number = count
                index[count] = row
                count += 1
                break
            known = index[number]
            if first[known] == first[row] and second[known] == second[row]:
                break
            place = (place + np.uint64(1)) & last
        numbers[row] = number
    return index[:count].copy(), numbers


@compiled
def number_bags(
    state: Integers, ptr: Integers, gathered: Integers
) -> tuple[_ShortIntegers, _ShortIntegers, _LongIntegers]:
    """Number the bags of a vertex's own state and its neighbours' states in any order.

    Args:
        state: State of each vertex, ``[V]``.
        ptr: Where each vertex's neighbours begin, ``[V + 1]``.
        gathered: The neighbours, ``[E]``.

    Returns:
        The concatenated states of the different bags, each vertex's own state first; where each
        bag begins, and where the last one ends; the bag of each vertex, int64 ``[V]``.
    """
    total = len(state)
    most = 0
    for vertex in range(total):
        most = max(most, ptr[vertex + 1] - ptr[vertex])
    bag = np.empty(most + 1, dtype=np.int32)
    table = _empty_table(total)
    last = np.uint64(len(table) - 1)
    members = np.empty(total + len(gathered), dtype=np.int32)
    offsets = np.zeros(total + 1, dtype=np.int32)
    numbers = np.empty(total, dtype=np.int64)
    count = 0
    for vertex in range(total):
        bag[0] = state[vertex]
        size = 1
        for position in range(ptr[vertex], ptr[vertex + 1]):  # insertion: a bag is small
            value = state[gathered[position]]
            place = size
            while place > 1 and bag[place - 1] > value:
                bag[place] = bag[place - 1]
                place -= 1
            bag[place] = value
            size += 1
        key = np.uint64(size)
        for k in range(size):
            key = _mixed(key, bag[k])
        slot = key & last
        while True:
            number = table[slot]
            if number < 0:
                table[slot] = number = count
                begin = offsets[count]
                for k in range(size):
                    members[begin + k] = bag[k]
                offsets[count + 1] = begin + size
                count += 1
                break
            begin = offsets[number]
            same = offsets[number + 1] - begin == size
            k = 0
            while same and k < size:
                same = members[begin + k] == bag[k]
                k += 1
            if same:
                break
            slot = (slot + np.uint64(1)) & last
        numbers[vertex] = number
    return members[: offsets[count]].copy(), offsets[: count + 1].copy(), numbers
