"""What is no part of the flow of data is left out."""

from __future__ import annotations

from pyg_nas.spaces.modules.network_graph import Vertex
from pyg_nas.spaces.modules.prune import kept_positions, selected


def test_by_hand() -> None:
    vertices = [
        Vertex("input", "x"),
        Vertex("input", "ignored"),
        Vertex("arange", "constant"),
        Vertex("sin", "constant too", (2,)),
        Vertex("exp", "of a parameter", (), weights=3),
        Vertex("add", "sum", (0, 3, 4)),
        Vertex("cos", "dead end", (5,)),
        Vertex("output", "y", (5,)),
    ]
    kept = selected(vertices, kept_positions(vertices))
    assert [vertex.name for vertex in kept] == ["x", "ignored", "of a parameter", "sum", "y"]
    assert [vertex.sources for vertex in kept] == [(), (), (), (0, 2), (3,)]
