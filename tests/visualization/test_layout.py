from __future__ import annotations

import itertools

import numpy as np
import pytest
from numpy.typing import NDArray

from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.visualization.layout import (
    BOX_HEIGHT,
    MOST_EDGES,
    MOST_NODES,
    Layout,
    Point,
    fits,
    layered_layout,
)

WIDTH = 100.0


def _random_graphs() -> list[NDArray[np.int8]]:
    rng = np.random.default_rng(5)
    graphs = [cell.adjacency for cell in sample_cells(150, seed=5)]
    for size in (1, 2, 5, 9, 9, 14, 20):
        for density in (0.0, 0.2, 0.6):
            upper = np.triu(rng.random((size, size)) < density, 1)
            graphs.append(upper.astype(np.int8))
    return graphs


def _layout(adjacency: NDArray[np.int8]) -> Layout:
    return layered_layout(len(adjacency), np.argwhere(adjacency), WIDTH)


def _samples(route: list[Point]) -> list[Point]:
    """Points along a route, from the definition of its curves."""
    found: list[Point] = []
    for k, ((x0, y0), (x1, y1)) in enumerate(itertools.pairwise(route)):
        middle = (y0 + y1) / 2
        for t in np.linspace(0.02, 0.98, 25).tolist():
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t**2 * (1 - t), t**3)
            if k % 2:
                found.append((x0, y0 + t * (y1 - y0)))
                continue
            xs, ys = (x0, x0, x1, x1), (y0, middle, middle, y1)
            found.append(
                (
                    sum(w * x for w, x in zip(weights, xs, strict=True)),
                    sum(w * y for w, y in zip(weights, ys, strict=True)),
                )
            )
    return found


def _inside(layout: Layout, point: Point) -> list[int]:
    x, y = point
    return [
        v
        for v, (cx, cy) in enumerate(layout.centres)
        if abs(x - cx) < WIDTH / 2 - 0.01 and abs(y - cy) < BOX_HEIGHT / 2 - 0.01
    ]


def test_no_edge_runs_through_a_box_and_none_leaves_the_picture() -> None:
    for adjacency in _random_graphs():
        layout = _layout(adjacency)
        assert set(layout.routes) == {(int(u), int(v)) for u, v in np.argwhere(adjacency)}
        for route in layout.routes.values():
            for point in _samples(route):
                assert not _inside(layout, point)
                assert 0 <= point[0] <= layout.width
                assert 0 <= point[1] <= layout.height


def test_boxes_keep_apart_and_edges_run_down_from_box_to_box() -> None:
    for adjacency in _random_graphs():
        layout = _layout(adjacency)
        for (x1, y1), (x2, y2) in itertools.combinations(layout.centres, 2):
            assert abs(x1 - x2) >= WIDTH or abs(y1 - y2) >= 2 * BOX_HEIGHT
        for (u, v), route in layout.routes.items():
            (x, y), (tip_x, tip_y) = route[0], route[-1]
            assert y == layout.centres[u][1] + BOX_HEIGHT / 2
            assert tip_y == layout.centres[v][1] - BOX_HEIGHT / 2
            assert abs(x - layout.centres[u][0]) < WIDTH / 2
            assert abs(tip_x - layout.centres[v][0]) < WIDTH / 2
            assert [point[1] for point in route] == sorted(point[1] for point in route)
            assert len(route) % 2 == 0


def test_two_edges_never_share_a_port() -> None:
    for adjacency in _random_graphs():
        layout = _layout(adjacency)
        ends = [end for route in layout.routes.values() for end in (route[0], route[-1])]
        assert len(set(ends)) == len(ends)


def test_a_chain_is_straight() -> None:
    layout = _layout(np.eye(5, k=1, dtype=np.int8))
    assert len({x for x, _ in layout.centres}) == 1
    assert all(len(route) == 2 for route in layout.routes.values())


@pytest.mark.parametrize("inner", [2, 3, 4])
def test_a_planar_fan_is_drawn_without_crossings(inner: int) -> None:
    adjacency = np.zeros((inner + 2, inner + 2), dtype=np.int8)
    adjacency[0, 1:-1] = adjacency[1:-1, -1] = 1
    layout = _layout(adjacency)
    places = [layout.centres[v][0] for v in range(1, inner + 1)]
    order = np.argsort(places)
    leaving = [layout.routes[0, int(v) + 1][0][0] for v in order]
    coming = [layout.routes[int(v) + 1, inner + 1][-1][0] for v in order]
    assert leaving == sorted(leaving)
    assert coming == sorted(coming)


def test_what_is_too_large_is_refused_before_anything_is_laid_out() -> None:
    chain = np.stack([np.arange(MOST_NODES - 1), np.arange(1, MOST_NODES)], axis=1)
    assert fits(MOST_NODES, chain)
    assert not fits(MOST_NODES + 1, chain)
    # One edge past the whole chain needs a lane in every layer.
    assert not fits(MOST_NODES, np.insert(chain, 1, [0, MOST_NODES - 1], axis=0))
    dense = np.argwhere(np.triu(np.ones((60, 60)), 1))
    assert len(dense) > MOST_EDGES
    assert not fits(60, dense)
