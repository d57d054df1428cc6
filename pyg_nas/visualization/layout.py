"""Where the boxes and arrows of a cell's drawing go: layers from top to bottom, in pixels.

The method of Sugiyama, Tagawa and Toda (1981): vertices in layers by their longest path from the
input, a place in every layer that an edge crosses, few crossings, and straight edges where the
boxes allow it. An edge keeps its place in each layer that it crosses, so it never runs through
a box.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Point = tuple[float, float]

BOX_HEIGHT = 26.0
_LAYER_GAP = 34.0
_BOX_GAP = 20.0
_LANE_WIDTH = 10.0
_LANE_GAP = 8.0
_MARGIN = 6.0
_PORT_GAP = 15.0
# Counting crossings is quadratic in the edges between two layers.
_MOST_LANES_TO_UNTANGLE = 300
_SWEEPS = 60
_SETTLED = 0.15
# How hard an edge pulls itself straight: the longer it is, the more a bend would show.
_PULL_BOX, _PULL_MIXED, _PULL_LANE = 1.0, 2.0, 8.0


@dataclass(frozen=True)
class Layout:
    """A drawing's geometry; y grows downwards.

    Attributes:
        width: Width of the picture.
        height: Height of the picture.
        box_width: Width of every vertex's box; its height is :data:`BOX_HEIGHT`.
        centres: Centre of each vertex's box.
        routes: For each edge an even number of points: curve from the first to the second, a
            vertical line to the third, a curve to the fourth, and so on. The last is the
            arrow's tip.
    """

    width: float
    height: float
    box_width: float
    centres: list[Point]
    routes: dict[tuple[int, int], list[Point]]


def layered_layout(adjacency: NDArray[np.int8], box_width: float) -> Layout:
    """Lay out an upper triangular graph ``[V, V]`` with boxes of ``box_width`` pixels."""
    size = len(adjacency)
    edges = [(int(u), int(v)) for u, v in np.argwhere(adjacency)]
    layer = _layers(size, edges)
    # Nodes 0 to V-1 are the vertices, the others lanes: one for each layer that an edge crosses.
    chains: dict[tuple[int, int], list[int]] = {}
    node_layer = list(layer)
    for u, v in edges:
        lanes = list(range(layer[u] + 1, layer[v]))
        first = len(node_layer)
        node_layer += lanes
        chains[u, v] = [u, *range(first, first + len(lanes)), v]
    links = sorted({pair for chain in chains.values() for pair in itertools.pairwise(chain)})
    rows = _order(node_layer, links, untangle=len(node_layer) <= _MOST_LANES_TO_UNTANGLE)
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


def _layers(size: int, edges: list[tuple[int, int]]) -> list[int]:
    layer = [0] * size
    for u, v in edges:  # sorted by source, and edges run to later vertices
        layer[v] = max(layer[v], layer[u] + 1)
    entered = {v for _, v in edges}
    for u in range(size):
        followers = [layer[v] for source, v in edges if source == u]
        if u not in entered and followers:  # beside the vertex it feeds, not far above
            layer[u] = min(followers) - 1
    return layer


def _order(node_layer: list[int], links: list[tuple[int, int]], untangle: bool) -> list[list[int]]:
    """Nodes of each layer from left to right, by barycentres and swaps of neighbours."""
    rows: list[list[int]] = [[] for _ in range(max(node_layer) + 1)]
    for node, row in enumerate(node_layer):
        rows[row].append(node)
    above: list[list[int]] = [[] for _ in node_layer]
    below: list[list[int]] = [[] for _ in node_layer]
    for a, b in links:
        below[a].append(b)
        above[b].append(a)
    best, fewest = [list(row) for row in rows], _crossings(rows, below) if untangle else 0
    for sweep in range(6 if untangle else 2):
        neighbours = above if sweep % 2 == 0 else below
        ordered = range(1, len(rows)) if sweep % 2 == 0 else range(len(rows) - 2, -1, -1)
        for i in ordered:
            place = {n: k for k, n in enumerate(rows[i - 1 if sweep % 2 == 0 else i + 1])}
            centre = {
                n: (
                    sum(place[m] for m in neighbours[n]) / len(neighbours[n])
                    if neighbours[n]
                    else float(k)
                )
                for k, n in enumerate(rows[i])
            }
            rows[i].sort(key=lambda n, centre=centre: centre[n])  # type: ignore[misc]
        if not untangle:
            best = [list(row) for row in rows]
            continue
        count = _swap_neighbours(rows, below, _crossings(rows, below))
        if count < fewest:
            best, fewest = [list(row) for row in rows], count
        if fewest == 0:
            break
    return best


def _swap_neighbours(rows: list[list[int]], below: list[list[int]], count: int) -> int:
    for row in rows:
        for k in range(len(row) - 1):
            row[k], row[k + 1] = row[k + 1], row[k]
            swapped = _crossings(rows, below)
            if swapped < count:
                count = swapped
            else:
                row[k], row[k + 1] = row[k + 1], row[k]
    return count


def _crossings(rows: list[list[int]], below: list[list[int]]) -> int:
    total = 0
    for upper, lower in itertools.pairwise(rows):
        place = {n: k for k, n in enumerate(lower)}
        ends: list[int] = []
        for node in upper:
            targets = sorted(place[m] for m in below[node])
            total += sum(1 for end in ends for target in targets if end > target)
            ends += targets
    return total


def _coordinates(
    rows: list[list[int]], links: list[tuple[int, int]], widths: list[float], size: int
) -> list[float]:
    """Each node's x: near its neighbours', in the row's order, boxes and lanes kept apart."""
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
    for sweep in range(_SWEEPS):
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
    """The non-decreasing sequence nearest to ``values`` in weighted least squares."""
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
    """Spread the edges at a vertex along its box, in the order of where they go."""
    at_vertex: dict[int, list[tuple[float, tuple[int, int]]]] = {}
    for edge, (vertex, towards) in ends.items():
        at_vertex.setdefault(vertex, []).append((towards, edge))
    ports = {}
    for found in at_vertex.values():
        gap = min(_PORT_GAP, 0.8 * box_width / len(found))
        for k, (_, edge) in enumerate(sorted(found)):
            ports[edge] = (k - (len(found) - 1) / 2) * gap
    return ports
