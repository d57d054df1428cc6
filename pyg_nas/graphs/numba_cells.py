"""Compiled check of many small cells, in less time than array calls need."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from pyg_nas.compute.jit import Integers, compiled, one_type
from pyg_nas.graphs.ragged import RaggedGraphs

if TYPE_CHECKING:
    from pyg_nas.graphs.cell_array import CellArray

_MOST_IN_BITS = 64  # vertices of a cell that one number marks


class _CellRules(NamedTuple):
    """What a search space prescribes."""

    fewest: int  # vertices
    most: int  # vertices
    most_edges: int
    operations: int
    terminals: bool
    input_id: int
    output_id: int


def comply(cells: CellArray) -> bool:
    """Whether all cells comply with the rules that all spaces have.

    A graph that is allowed only because the space has an empty cell does not.
    """
    space = cells.space
    if cells.width > _MOST_IN_BITS:
        return False
    terminals = bool(space.terminals)
    rules = _CellRules(
        2 if terminals else 1,
        min(cells.width, space.max_vertices),
        space.max_edges,
        len(space.operations),
        terminals,
        space.input_id if terminals else 0,
        space.output_id if terminals else 0,
    )
    if cells.is_padded:
        adjacency, operations, sizes = cells.adjacency, cells.operations, cells.num_vertices
        if any(array.dtype != np.int8 for array in (adjacency, operations, sizes)):
            return False
        return bool(
            _comply_padded(
                one_type(adjacency, np.int8),
                one_type(operations, np.int8),
                one_type(sizes, np.int8),
                rules,
            )
        )
    graphs = cells.ragged
    return _within(graphs) and bool(
        _comply(
            one_type(graphs.vertex_ptr),
            one_type(graphs.operations),
            one_type(graphs.edge_ptr),
            one_type(graphs.edges),
            rules,
        )
    )


def _within(graphs: RaggedGraphs) -> bool:
    """Whether pointers stay within their arrays: compiled code would read other memory."""
    lists = (graphs.vertex_ptr, graphs.operations), (graphs.edge_ptr, graphs.edges.T)
    return all(
        ptr[0] == 0 and ptr[-1] == len(values) and (np.diff(ptr) >= 0).all()
        for ptr, values in lists
    )


@compiled
def _are_vertices(
    first: int, last: int, inner: int, count: int, left: int, entered: int, rules: _CellRules
) -> bool:
    """Whether the ``count`` vertices of a graph are those of a cell.

    Args:
        first: Operation of the first vertex.
        last: Operation of the last vertex.
        inner: Vertices with an operation of the space.
        count: Vertices.
        left: Bits of those that have a successor.
        entered: Bits of those that have a predecessor.
        rules: What the space prescribes.
    """
    if not rules.terminals:
        return inner == count
    one = np.uint64(1)
    all_but_last = (one << np.uint64(count - 1)) - one
    return (
        first == rules.input_id
        and last == rules.output_id
        and inner == count - 2
        and left == all_but_last
        and entered == all_but_last << one
    )


@compiled
def _comply(
    vertex_ptr: Integers,
    operations: Integers,
    edge_ptr: Integers,
    edges: Integers,
    rules: _CellRules,
) -> bool:
    one = np.uint64(1)
    for graph in range(len(vertex_ptr) - 1):
        start, begin, end = vertex_ptr[graph], edge_ptr[graph], edge_ptr[graph + 1]
        count = vertex_ptr[graph + 1] - start
        if not rules.fewest <= count <= rules.most or end - begin > rules.most_edges:
            return False
        entered = left = np.uint64(0)  # vertices that have a predecessor, and a successor
        before = -1
        for edge in range(begin, end):
            source, target = edges[0, edge], edges[1, edge]
            number = source * count + target
            if not 0 <= source < target < count or number <= before:
                return False
            before = number
            left |= one << np.uint64(source)
            entered |= one << np.uint64(target)
        inner = 0
        for vertex in range(start, start + count):
            inner += 0 <= operations[vertex] < rules.operations
        first, last = operations[start], operations[start + count - 1]
        if not _are_vertices(first, last, inner, count, left, entered, rules):
            return False
    return True


@compiled
def _comply_padded(
    adjacency: Integers, operations: Integers, sizes: Integers, rules: _CellRules
) -> bool:
    width = adjacency.shape[1]
    for graph in range(len(sizes)):
        count = sizes[graph]
        if not rules.fewest <= count <= rules.most:
            return False
        entered = left = np.uint64(0)  # vertices that have a predecessor, and a successor
        edges = stray = 0
        for source in range(width):
            for target in range(width):
                value = adjacency[graph, source, target]
                edges += value
                stray |= value & ~np.int64((source < target) & (target < count))
                left |= np.uint64(value) << np.uint64(source)
                entered |= np.uint64(value) << np.uint64(target)
        inner = 0
        for vertex in range(width):
            operation = operations[graph, vertex]
            inner += (vertex < count) & (operation >= 0) & (operation < rules.operations)
            stray |= operation * (vertex >= count)
        if stray != 0 or edges > rules.most_edges:
            return False
        first, last = operations[graph, 0], operations[graph, count - 1]
        if not _are_vertices(first, last, inner, count, left, entered, rules):
            return False
    return True
