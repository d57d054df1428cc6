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
    three = _vertex("add", bias, 1, 0)  # as Sum of ONNX
    assert len(fused([INPUT, linear, three, output])) == 4


def test_functions_of_two_operations() -> None:
    output = _vertex("output", "", 2)
    for first, second, expected in (
        (_vertex("sigmoid", "", 0), _vertex("mul", "", 0, 1), ("silu", "", (0,))),
        (_vertex("sigmoid", "", 0), _vertex("mul", "", 1, 0), ("silu", "", (0,))),
        (_vertex("pow", "other=-1", 0), _vertex("mul", "operands=2", 1), ("div", "input=2", (0,))),
        (_vertex("eq", "operands=1", 0), _vertex("not", "", 1), ("ne", "operands=1", (0,))),
    ):
        assert _described([INPUT, first, second, output])[1:-1] == [expected]


def test_selections_one_after_the_other_are_one() -> None:
    first = _vertex("slice", "dim=0 index=range(0, 2) input=#1", 0)
    second = _vertex("select", "dim=1 index=3", 1)
    third = _vertex("slice", "steps=slice dim=0 index=range(1, 2); select dim=0 index=0", 2)
    output = _vertex("output", "", 3)
    settings = (
        "input=#1 steps=slice dim=0 index=range(0, 2); select dim=1 index=3; "
        "slice dim=0 index=range(1, 2); select dim=0 index=0"
    )
    assert _described([INPUT, first, second, third, output])[1:-1] == [("slice", settings, (0,))]
    unknown = _vertex("slice", "dim=0 starts=constant", 1)
    assert len(fused([INPUT, first, unknown, _vertex("output", "", 2)])) == 4


def test_of_shapes_one_after_the_other_the_last_one_counts() -> None:
    def shaped(shape: tuple[int, ...], source: int, settings: str = "") -> Vertex:
        return Vertex("reshape", sources=(source,), shape=shape, settings=settings)

    flat = [INPUT, shaped((6,), 0, "input=#1"), shaped((3, 2), 1)]
    output = Vertex("output", sources=(2,), shape=(3, 2))
    assert _described([*flat, output])[1:-1] == [("reshape", "input=#1", (0,))]
    # Another operation reads the first one, too.
    both = [*flat, Vertex("relu", sources=(1,)), Vertex("output", sources=(2, 3))]
    assert [name for name, _, _ in _described(both)] == [
        *("input", "reshape", "reshape", "relu", "output")
    ]
    back = [INPUT, shaped((6,), 0), shaped(SHAPE, 1), Vertex("output", sources=(2,))]
    assert _described(back) == [("input", "", ()), ("output", "", (0,))]
    repeated = [INPUT, shaped((4, 2, 3), 0), shaped((24,), 1), Vertex("output", sources=(2,))]
    assert len(fused(repeated)) == 4
