"""Removal of vertices that do not contribute to a network's output."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pyg_nas.errors import NetworkError

if TYPE_CHECKING:
    from pyg_nas.spaces.modules.network_graph import Vertex


def kept_positions(vertices: Sequence[Vertex]) -> list[int]:
    """Return which vertices lead to the output and depend on an input or a parameter.

    Inputs are always kept.

    Args:
        vertices: In topological order; the last one is the output.

    Raises:
        NetworkError: If the output depends on neither.
    """
    depends = [False] * len(vertices)
    for position, vertex in enumerate(vertices):
        depends[position] = (
            vertex.operation == "input"
            or vertex.weights > 0
            or any(depends[source] for source in vertex.sources)
        )
    if not depends[-1]:
        raise NetworkError("the output depends on no input and no parameter")
    leads = [False] * len(vertices)
    leads[-1] = True
    for position in range(len(vertices) - 1, -1, -1):
        if leads[position]:
            for source in vertices[position].sources:
                leads[source] = True
    return [
        position
        for position, vertex in enumerate(vertices)
        if vertex.operation == "input" or (depends[position] and leads[position])
    ]


def selected(vertices: Sequence[Vertex], kept: Sequence[int]) -> tuple[Vertex, ...]:
    """Return the vertices at some positions, and the edges between them."""
    renamed = {old: new for new, old in enumerate(kept)}
    return tuple(
        replace(
            vertices[position],
            sources=tuple(renamed[s] for s in vertices[position].sources if s in renamed),
        )
        for position in kept
    )
