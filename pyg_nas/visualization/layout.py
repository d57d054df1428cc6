"""Positions of the boxes and arrows of a graph's drawing, in layers from top to bottom, in pixels.

The method of Sugiyama, Tagawa and Toda (1981): vertices are put into layers by their longest path
from the input, every edge gets a position in each layer that it crosses, the number of crossings is
reduced, and edges are made straight where boxes permit. Since an edge has a position in each layer,
it never crosses a box. Graphviz would need a system binary, and networkx does not route edges.

The work is bounded: :func:`fits` refuses graphs with more than :data:`MOST_NODES` boxes and lanes
or :data:`MOST_EDGES` edges, and every step is a fixed number of sweeps over them.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, bisect_right, insort
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyg_nas.graphs.ragged import adjacency_lists, depths

Point = tuple[float, float]
Edges = NDArray[np.int64]

MOST_NODES, MOST_EDGES = 1_000, 1_000
BOX_HEIGHT = 26.0
_LAYER_GAP = 34.0
_BOX_GAP = 20.0
_LANE_WIDTH = 10.0
_LANE_GAP = 8.0
_MARGIN = 6.0
_PORT_GAP = 15.0
_ORDER_SWEEPS = 6
_PLACE_SWEEPS = 60
_SETTLED = 0.15
# Weights for straightening edges: bends of long edges are more visible.
_PULL_BOX, _PULL_MIXED, _PULL_LANE = 1.0, 2.0, 8.0


@dataclass(frozen=True)
class Layout:
    """A drawing's geometry; y grows downwards.

    Attributes:
        box_width: Width of every vertex's box; its height is :data:`BOX_HEIGHT`.
        centres: Centre of each vertex's box.
        routes: For each edge an even number of points: a curve from the first to the second, a
            vertical line to the third, a curve to the fourth, and so on. The last point is the
            arrow's tip.
    """

    width: float
    height: float
    box_width: float
    centres: list[Point]
    routes: dict[tuple[int, int], list[Point]]


def fits(size: int, edges: Edges) -> bool:
    """Return whether :func:`layered_layout` draws a graph of this size."""
    if size > MOST_NODES or len(edges) > MOST_EDGES:
        return False
    depth = np.array(depths(edges.tolist(), size))
    return bool(size + (depth[edges[:, 1]] - depth[edges[:, 0]] - 1).sum() <= MOST_NODES)


def layered_layout(size: int, edges: Edges, box_width: float) -> Layout:
    """Lay out a graph that :func:`fits`.

    Args:
        edges: Pairs (source, target) ``[E, 2]`` sorted by source; every edge runs to a later
            vertex.
        box_width: Width of every box in pixels.
    """
    layer = _layers(size, edges)
    # Nodes 0 to V-1 are the vertices, the others lanes: one for each layer that an edge crosses.
    chains: dict[tuple[int, int], list[int]] = {}
    node_layer = list(layer)
    for u, v in edges.tolist():
        lanes = list(range(layer[u] + 1, layer[v]))
        first = len(node_layer)
        node_layer += lanes
        chains[u, v] = [u, *range(first, first + len(lanes)), v]
    links = sorted({pair for chain in chains.values() for pair in itertools.pairwise(chain)})
    rows = _order(node_layer, links)
    widths = [box_width] * size + [_LANE_WIDTH] * (len(node_layer) - size)
    xs = _coordinates(rows, links, widths, size)
    left = min(x - width / 2 for x, width in zip(xs, widths, strict=True)) - _MARGIN
    right = max(x + width / 2 for x, width in zip(xs, widths, strict=True)) + _MARGIN
    step = BOX_HEIGHT + _LAYER_GAP
    ys = [_MARGIN + BOX_HEIGHT / 2 + row * step for row in node_layer]
    xs = [x - left for x in xs]
    return Layout(
        width=right - left,
        height=max(ys) + BOX_HEIGHT / 2 + _MARGIN,
        box_width=box_width,
        centres=list(zip(xs[:size], ys[:size], strict=True)),
        routes=_routes(chains, xs, ys, box_width),
    )


def _layers(size: int, edges: Edges) -> list[int]:
    layer = depths(edges.tolist(), size)
    successors, predecessors = adjacency_lists(edges.tolist(), size)
    for u in range(size):
        if successors[u] and not predecessors[u]:  # beside what it leads to, not far above
            layer[u] = min(layer[v] for v in successors[u]) - 1
    return layer


def _order(node_layer: list[int], links: list[tuple[int, int]]) -> list[list[int]]:
    """Order the nodes of each layer from left to right, by barycentres and swaps of neighbours."""
    rows: list[list[int]] = [[] for _ in range(max(node_layer) + 1)]
    for node, row in enumerate(node_layer):
        rows[row].append(node)
    below, above = adjacency_lists(links, len(node_layer))
    best, fewest = [list(row) for row in rows], _crossings(rows, below)
    for sweep in range(_ORDER_SWEEPS):
        if fewest == 0:
            break
        down = sweep % 2 == 0
        neighbours = above if down else below
        for i in range(1, len(rows)) if down else range(len(rows) - 2, -1, -1):
            place = {n: k for k, n in enumerate(rows[i - 1 if down else i + 1])}
            centre = {
                n: (
                    sum(place[m] for m in neighbours[n]) / len(neighbours[n])
                    if neighbours[n]
                    else float(k)
                )
                for k, n in enumerate(rows[i])
            }
            rows[i].sort(key=centre.__getitem__)
        _swap_neighbours(rows, above, below)
        count = _crossings(rows, below)
        if count < fewest:
            best, fewest = [list(row) for row in rows], count
    return best


def _swap_neighbours(rows: list[list[int]], above: list[list[int]], below: list[list[int]]) -> None:
    """Swap neighbouring nodes if that reduces the crossings of their edges."""
    for i, row in enumerate(rows):
        ends: dict[int, list[list[int]]] = {n: [] for n in row}
        for beside, neighbours in ((i - 1, above), (i + 1, below)):
            if not 0 <= beside < len(rows):
                continue
            place = {n: k for k, n in enumerate(rows[beside])}
            for n in row:
                ends[n].append(sorted(place[m] for m in neighbours[n]))
        for k in range(len(row) - 1):
            left, right = ends[row[k]], ends[row[k + 1]]
            now = sum(_pairs_above(a, b) for a, b in zip(left, right, strict=True))
            swapped = sum(_pairs_above(b, a) for a, b in zip(left, right, strict=True))
            if swapped < now:
                row[k], row[k + 1] = row[k + 1], row[k]


def _pairs_above(first: list[int], second: list[int]) -> int:
    """Count the pairs of two sorted lists whose first number is larger."""
    return sum(bisect_left(second, value) for value in first)


def _crossings(rows: list[list[int]], below: list[list[int]]) -> int:
    total = 0
    for upper, lower in itertools.pairwise(rows):
        place = {n: k for k, n in enumerate(lower)}
        ends: list[int] = []  # sorted: targets of the edges of the nodes further left
        for node in upper:
            targets = [place[m] for m in below[node]]
            total += sum(len(ends) - bisect_right(ends, target) for target in targets)
            for target in targets:
                insort(ends, target)
    return total


def _coordinates(
    rows: list[list[int]], links: list[tuple[int, int]], widths: list[float], size: int
) -> list[float]:
    """Return each node's x: near its neighbours, in the row's order, without overlaps."""
    xs = [0.0] * len(widths)
    pulls: list[list[tuple[int, float]]] = [[] for _ in widths]
    for a, b in links:
        lanes = (a >= size) + (b >= size)
        pull = (_PULL_BOX, _PULL_MIXED, _PULL_LANE)[lanes]
        pulls[a].append((b, pull))
        pulls[b].append((a, pull))
    offsets = []
    for row in rows:
        offset = [0.0]
        for a, b in itertools.pairwise(row):
            gap = _BOX_GAP if a < size and b < size else _LANE_GAP
            offset.append(offset[-1] + (widths[a] + widths[b]) / 2 + gap)
        offsets.append(offset)
        for node, place in zip(row, offset, strict=True):
            xs[node] = place - offset[-1] / 2
    for sweep in range(_PLACE_SWEEPS):
        before = list(xs)
        for i in range(len(rows)) if sweep % 2 == 0 else reversed(range(len(rows))):
            wanted, weights = [], []
            for node, place in zip(rows[i], offsets[i], strict=True):
                weight = sum(pull for _, pull in pulls[node])
                target = sum(pull * xs[m] for m, pull in pulls[node])
                wanted.append((target / weight if weight else xs[node]) - place)
                weights.append(weight or 1.0)
            for node, value, place in zip(
                rows[i], _non_decreasing(wanted, weights), offsets[i], strict=True
            ):
                xs[node] = value + place
        if max(abs(x - y) for x, y in zip(xs, before, strict=True)) < _SETTLED:
            break
    return xs


def _non_decreasing(values: list[float], weights: list[float]) -> list[float]:
    """Return the non-decreasing sequence nearest to ``values`` in weighted least squares."""
    blocks: list[list[float]] = []  # mean, weight, length
    for value, weight in zip(values, weights, strict=True):
        blocks.append([value, weight, 1])
        while len(blocks) > 1 and blocks[-2][0] > blocks[-1][0]:
            mean, heavy, length = blocks.pop()
            last = blocks[-1]
            last[0] = (last[0] * last[1] + mean * heavy) / (last[1] + heavy)
            last[1] += heavy
            last[2] += length
    return [mean for mean, _, length in blocks for _ in range(int(length))]


def _routes(
    chains: dict[tuple[int, int], list[int]], xs: list[float], ys: list[float], box_width: float
) -> dict[tuple[int, int], list[Point]]:
    half = BOX_HEIGHT / 2
    leaving = _ports({edge: (edge[0], xs[chain[1]]) for edge, chain in chains.items()}, box_width)
    coming = _ports({edge: (edge[1], xs[chain[-2]]) for edge, chain in chains.items()}, box_width)
    routes = {}
    for (u, v), chain in chains.items():
        points = [(xs[u] + leaving[u, v], ys[u] + half)]
        for lane in chain[1:-1]:
            points += [(xs[lane], ys[lane] - half), (xs[lane], ys[lane] + half)]
        routes[u, v] = [*points, (xs[v] + coming[u, v], ys[v] - half)]
    return routes


def _ports(
    ends: dict[tuple[int, int], tuple[int, float]], box_width: float
) -> dict[tuple[int, int], float]:
    """Distribute the edges of a vertex along its box, in the order of their other ends."""
    at_vertex: dict[int, list[tuple[float, tuple[int, int]]]] = {}
    for edge, (vertex, towards) in ends.items():
        at_vertex.setdefault(vertex, []).append((towards, edge))
    ports = {}
    for found in at_vertex.values():
        gap = min(_PORT_GAP, 0.8 * box_width / len(found))
        for k, (_, edge) in enumerate(sorted(found)):
            ports[edge] = (k - (len(found) - 1) / 2) * gap
    return ports
