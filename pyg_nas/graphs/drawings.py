"""Canonical graphs of drawings: vertices in any numbering, unused ones among them."""

from __future__ import annotations

from dataclasses import replace
from heapq import heappop, heappush

import numpy as np

from pyg_nas.errors import CellError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.cell_rules import check_limits
from pyg_nas.graphs.ragged import Ids, Ints, RaggedGraphs, adjacency_lists, pointers
from pyg_nas.graphs.search_space import SearchSpace

Edges = list[tuple[int, int]]
"""(source, target) of each edge."""

_MOST_NAMED = 20  # vertices of a cycle in a message


def canonical_graphs(
    sizes: Ints, ids: Ids, edge_counts: Ints, edges: Ints, space: SearchSpace
) -> CellArray | None:
    """Return concatenated graphs, or None if one is not the canonical graph of its drawing.

    Checking all graphs by array operations takes much less time than ordering and pruning them one
    by one.

    Args:
        sizes: Vertices of each graph, ``[N]``.
        ids: Operation ids of all vertices.
        edge_counts: Edges of each graph, ``[N]``.
        edges: ``[2, E]`` (source, target), numbered within the graph, in any order.
        space: The space, whose limits follow plain graphs of any size.
    """
    if not len(sizes):
        return None
    space = with_limits(space, int(sizes.max()), int(edge_counts.max()))
    order = np.lexsort((edges[1], edges[0], np.repeat(np.arange(len(sizes)), edge_counts)))
    graphs = RaggedGraphs(
        pointers(sizes), ids.astype(space.id_type), pointers(edge_counts), edges[:, order]
    )
    cells = CellArray.from_ragged(graphs, space)
    return cells if cells.first_invalid() is None else None


def canonical_graph(operations: list[int], edges: Edges, space: SearchSpace) -> tuple[Ints, Ids]:
    """Return edges ``[2, E]`` and operation ids ``[V]`` of the canonical graph of a drawing.

    In a space with an input and an output these may be at any position, and vertices on no path
    between them are dropped; plain graphs keep all vertices.

    Args:
        operations: Operation id of each vertex.
        edges: Pairs (source, target) of vertex numbers, each once.
        space: The space, with an input and an output or of plain graphs.

    Raises:
        CellError: If there is a cycle, no path from input to output or more than one of either, or
            the graph is beyond the limits of the space.
    """
    order = _order(operations, edges, space)
    place = {vertex: position for position, vertex in enumerate(order)}
    kept = sorted((place[u], place[v]) for u, v in edges if u in place and v in place)
    array = np.array(kept, dtype=np.int64).reshape(-1, 2).T
    ids: Ids = np.array([operations[vertex] for vertex in order], dtype=space.id_type)
    array, ids = space.support.canonical(array, ids)
    check_limits(len(ids), array.shape[1], space)
    return array, ids


def with_limits(space: SearchSpace, vertices: int, edges: int) -> SearchSpace:
    """Return a space of plain graphs with these limits; a space of cells keeps its own."""
    return space if space.terminals else replace(space, max_vertices=vertices, max_edges=edges)


def _order(operations: list[int], edges: Edges, space: SearchSpace) -> list[int]:
    """Return the vertices that belong to the graph, in topological order.

    Raises:
        CellError: If there is a cycle, no path from input to output, or more than one of either.
    """
    successors, predecessors = adjacency_lists(edges, len(operations))
    order = _topological_order(successors, predecessors)
    if not space.terminals:
        return order
    output_name, input_name = space.terminals
    source = _single_vertex(operations, space.input_id, input_name, space)
    sink = _single_vertex(operations, space.output_id, output_name, space)
    kept = _reached(source, successors) & _reached(sink, predecessors)
    if sink not in kept:
        if space.support.has_empty_cell:
            return [source, sink]
        raise CellError(f"no path leads from the {input_name!r} to the {output_name!r} vertex")
    # Among the vertices on paths between them, the input is the first and the output the last.
    return [vertex for vertex in order if vertex in kept]


def _single_vertex(operations: list[int], wanted: int, name: str, space: SearchSpace) -> int:
    if operations.count(wanted) != 1:
        raise CellError(
            f"a cell of {space.name!r} has one {name!r} vertex, got {operations.count(wanted)}"
        )
    return operations.index(wanted)


def _reached(start: int, neighbours: list[list[int]]) -> set[int]:
    reached, waiting = {start}, [start]
    while waiting:
        for vertex in neighbours[waiting.pop()]:
            if vertex not in reached:
                reached.add(vertex)
                waiting.append(vertex)
    return reached


def _topological_order(successors: list[list[int]], predecessors: list[list[int]]) -> list[int]:
    """Return a topological order, in which the smallest of the possible numbers is next."""
    waiting = [len(sources) for sources in predecessors]
    free = [vertex for vertex, count in enumerate(waiting) if count == 0]
    order: list[int] = []
    while free:  # a heap
        vertex = heappop(free)
        order.append(vertex)
        for target in successors[vertex]:
            waiting[target] -= 1
            if waiting[target] == 0:
                heappush(free, target)
    if len(order) < len(waiting):
        stuck = sorted(set(range(len(waiting))) - set(order))
        more = f" and {len(stuck) - _MOST_NAMED} others" if len(stuck) > _MOST_NAMED else ""
        raise CellError(f"the graph has a cycle through vertices {stuck[:_MOST_NAMED]}{more}")
    return order
