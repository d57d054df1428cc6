"""Operations as a hash sees them: without those that change nothing, or that exporters divide.

ONNX exporters write a linear layer as a product and a sum, SiLU as a product with a sigmoid,
``c / x`` as a power and a product, and ``!=`` as the negation of ``==``. An index in several
dimensions is one selection after another there and in ``torch.export``. One shape after another is
the last one.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from pyg_nas.spaces.modules.prune import selected

if TYPE_CHECKING:
    from pyg_nas.spaces.modules.network_graph import Vertex

# Functions and settings that leave their input as it is, if shape and type stay.
_NEUTRAL = frozenset(
    {
        *(("mul", "operands=1"), ("add", "operands=0"), ("sub", "other=0")),
        *(("div", "other=1"), ("pow", "other=1"), ("reshape", ""), ("cast", "")),
    }
)
_DROPOUTS = frozenset({"dropout", "alphadropout", "featuredropout", "featurealphadropout"})
_ONE_OPERAND = "operands="
_SELECTION = re.compile(r"(dim=\d+ index=.+?)( input=#\d+)?")


def fused(vertices: Sequence[Vertex]) -> tuple[Vertex, ...]:
    """Return the vertices without neutral ones, with those that are one operation fused."""
    kept: list[Vertex] = []
    place: list[int] = []  # of the vertex that has the result of each one
    for vertex in vertices:
        moved = replace(vertex, sources=tuple(place[source] for source in vertex.sources))
        moved = _without_shapes_between(moved, kept)
        if _is_neutral(moved, kept):
            place.append(moved.sources[0])
        else:
            place.append(len(kept))
            kept.append(moved)
    readers = [0] * len(kept)
    for source in (source for vertex in kept for source in vertex.sources):
        readers[source] += 1
    gone = set()
    for position in range(len(kept) - 2, -1, -1):
        if not readers[position] and _function(kept[position]) == "reshape":
            gone.add(position)
            for source in kept[position].sources:
                readers[source] -= 1
    for position in (position for position in range(len(kept)) if position not in gone):
        second = kept[position]
        for source in second.sources:
            if readers[source] == 1 and (one := _one_of_two(kept[source], second)):
                kept[position] = one
                gone.add(source)
                break
    return selected(kept, [position for position in range(len(kept)) if position not in gone])


def _function(vertex: Vertex) -> str:
    return vertex.function or vertex.operation


def _is_neutral(vertex: Vertex, earlier: Sequence[Vertex]) -> bool:
    if len(vertex.sources) != 1:
        return False
    function, settings = _function(vertex), vertex.settings
    is_dropout = function in _DROPOUTS and "training=" not in settings and "input=" not in settings
    if not is_dropout and (function, settings) not in _NEUTRAL:
        return False
    source = earlier[vertex.sources[0]]
    return (source.shape, source.dtype) == (vertex.shape, vertex.dtype)


def _without_shapes_between(vertex: Vertex, earlier: Sequence[Vertex]) -> Vertex:
    """Return a vertex that reads what was there before it got another shape."""
    while _function(vertex) == "reshape" and not vertex.settings and len(vertex.sources) == 1:
        source = earlier[vertex.sources[0]]
        if _function(source) != "reshape" or len(source.sources) != 1:
            break
        sizes = {math.prod(one.shape) for one in (earlier[source.sources[0]], source, vertex)}
        if len(sizes) > 1 or source.dtype != vertex.dtype:  # numbers are repeated
            break
        vertex = replace(vertex, sources=source.sources, settings=source.settings)
    return vertex


def _one_of_two(first: Vertex, second: Vertex) -> Vertex | None:
    """Return the operation that two are, the second one of which alone reads the first."""
    names = _function(first), _function(second)
    alone = len(second.sources) == 1
    bias = f"{_ONE_OPERAND}parameter ({first.shape[-1] if first.shape else 0},)"
    is_bias = alone and second.settings == bias and first.shape == second.shape
    if names == ("linear", "add") and is_bias:
        return replace(
            first,
            weights=first.weights + second.weights,
            parameter_ids=first.parameter_ids + second.parameter_ids,
        )
    both_read = len(second.sources) == 2 and first.sources[:1] in (
        second.sources[:1],
        second.sources[1:],
    )
    if names == ("sigmoid", "mul") and both_read and not first.settings + second.settings:
        return replace(second, function="silu", sources=first.sources)
    factor = second.settings.removeprefix(_ONE_OPERAND)
    if names == ("pow", "mul") and alone and first.settings == "other=-1" and factor:
        return replace(second, function="div", settings=f"input={factor}", sources=first.sources)
    before, after = _selections(first), _selections(second)
    if before and after and alone:
        settings = f"{before[0]}steps={before[1]}; {after[1]}"
        return replace(second, function="slice", settings=settings, sources=first.sources)
    if names == ("eq", "not") and alone:
        return replace(second, function="ne", settings=first.settings, sources=first.sources)
    return None


def _selections(vertex: Vertex) -> tuple[str, str] | None:
    """Return which result is read, and the selections in one dimension after the other."""
    function = _function(vertex)
    if function not in ("slice", "select"):
        return None
    marks, several, steps = vertex.settings.partition("steps=")
    if several:
        return marks, steps
    one = _SELECTION.fullmatch(vertex.settings)
    return (f"{one[2] or ''} ".lstrip(), f"{function} {one[1]}") if one else None
