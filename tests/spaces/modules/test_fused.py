"""Vertices that are one operation, by hand."""

from __future__ import annotations

from pyg_nas.spaces.modules.fused import fused
from pyg_nas.spaces.modules.network_graph import Vertex

SHAPE = (2, 3)
INPUT = Vertex("input", shape=SHAPE)


def _vertex(operation: str, settings: str = "", *sources: int, weights: int = 0) -> Vertex:
    return Vertex(operation, sources=sources, shape=SHAPE, settings=settings, weights=weights)


def _described(vertices: list[Vertex]) -> list[tuple[str, str, tuple[int, ...]]]:
    return [(v.function or v.operation, v.settings, v.sources) for v in fused(vertices)]


def test_neutral_operations_are_left_out() -> None:
    output = _vertex("output", "", 3)
    chain = [INPUT, _vertex("mul", "operands=1", 0), _vertex("cast", "", 1), _vertex("relu", "", 2)]
    assert _described([*chain, output]) == [
        ("input", "", ()),
        ("relu", "", (0,)),
        ("output", "", (1,)),
    ]
    reshaped = Vertex("reshape", sources=(0,), shape=(6,))
    assert len(fused([INPUT, reshaped, Vertex("output", sources=(1,), shape=(6,))])) == 3


def test_a_linear_layer_of_two_operations() -> None:
    bias = "operands=parameter (3,)"
    linear = _vertex("linear", "", 0, weights=6)
    output = _vertex("output", "", 2)
    one = fused([INPUT, linear, _vertex("add", bias, 1, weights=3), output])
    assert [(v.operation, v.weights) for v in one] == [("input", 0), ("linear", 9), ("output", 0)]
    # Not if another operation reads the product, or the parameter is no bias.
    both = _vertex("output", "", 1, 2)
    assert len(fused([INPUT, linear, _vertex("add", bias, 1), both])) == 4
    other = _vertex("add", "operands=parameter (2, 3)", 1)
    assert len(fused([INPUT, linear, other, output])) == 4


def test_functions_of_two_operations() -> None:
    output = _vertex("output", "", 2)
    for first, second, expected in (
        (_vertex("sigmoid", "", 0), _vertex("mul", "", 0, 1), ("silu", "", (0,))),
        (_vertex("sigmoid", "", 0), _vertex("mul", "", 1, 0), ("silu", "", (0,))),
        (_vertex("pow", "other=-1", 0), _vertex("mul", "operands=2", 1), ("div", "input=2", (0,))),
        (_vertex("eq", "operands=1", 0), _vertex("not", "", 1), ("ne", "operands=1", (0,))),
    ):
        assert _described([INPUT, first, second, output])[1:-1] == [expected]
