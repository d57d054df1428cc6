"""Shapes that follow from numbers which a file computes from other shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyg_nas.errors import NetworkError
from pyg_nas.spaces.modules import graph_of_onnx
from tests.spaces.modules.onnx_models import write

onnx = pytest.importorskip("onnx")
from onnx import helper  # noqa: E402

RUNTIME = "com.microsoft"
ONE, LAST = np.array([1]), np.array([4])


def flattened(path: Path, power: str) -> Path:
    """Write ``x.reshape(batch, product of the other sizes) @ w`` as an exporter writes it."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Slice", ["shape", "one", "last"], ["rest"]),
        helper.make_node(power, ["rest"], ["size"], keepdims=0),
        helper.make_node("Reshape", ["size", "one"], ["sizes"]),
        helper.make_node("Slice", ["shape", "zero", "one"], ["batch"]),
        helper.make_node("Concat", ["batch", "sizes"], ["wanted"], axis=0),
        helper.make_node("Reshape", ["x", "wanted"], ["flat"]),
        helper.make_node("MatMul", ["flat", "w"], ["y"]),
    ]
    weights = {"one": ONE, "last": LAST, "zero": np.array([0]), "w": np.zeros((24, 5), np.float32)}
    return write(path, nodes, weights, {"x": [2, 2, 3, 4]})


def test_sizes_are_computed_from_shapes(tmp_path: Path) -> None:
    graph = graph_of_onnx(flattened(tmp_path / "n.onnx", "ReduceProd"))
    assert (graph.parameters, graph.macs) == (24 * 5, 2 * 24 * 5)
    assert [vertex.shape for vertex in graph.vertices] == [(2, 2, 3, 4), (2, 24), (2, 5), (2, 5)]


def test_a_branch_that_a_shape_chooses_is_taken(tmp_path: Path) -> None:
    def branch(operator: str) -> onnx.GraphProto:
        result = helper.make_tensor_value_info("z", onnx.TensorProto.FLOAT, None)
        return helper.make_graph([helper.make_node(operator, ["x"], ["z"])], "b", [], [result])

    nodes = [
        helper.make_node("Shape", ["x"], ["shape"]),
        helper.make_node("Gather", ["shape", "zero"], ["first"]),
        helper.make_node("Equal", ["first", "one"], ["is_one"]),
        helper.make_node(
            "If", ["is_one"], ["y"], then_branch=branch("Relu"), else_branch=branch("Tanh")
        ),
    ]
    constants = {"zero": np.array(0), "one": np.array(1)}
    for first, operation in ((1, "relu"), (2, "tanh")):
        path = write(tmp_path / "n.onnx", nodes, constants, {"x": [first, 3]})
        assert graph_of_onnx(path).operations == ("input", operation, "output")


def test_sizes_of_other_operators_stay_unknown(tmp_path: Path) -> None:
    with pytest.raises(NetworkError, match=r"MatMul .*because the shape of 'flat' is not"):
        graph_of_onnx(flattened(tmp_path / "n.onnx", "ReduceMean"))


def test_large_constants_are_not_computed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The choice among 1,000 x 1,000 x 1,000 numbers would have 8 GB; a Concat has no bound."""
    import onnx.reference

    class Recorded(onnx.reference.ReferenceEvaluator):
        def run(self, *arguments: object, **named: object) -> object:
            computed.extend(node.op_type for node in self.proto_.graph.node)
            return super().run(*arguments, **named)

    computed: list[str] = []
    monkeypatch.setattr(onnx.reference, "ReferenceEvaluator", Recorded)
    nodes = [
        helper.make_node("Where", ["a", "b", "c"], ["many"]),
        helper.make_node("ReduceMax", ["many"], ["most"], keepdims=0),
        helper.make_node("Concat", ["one"] * 1025, ["long"], axis=0),
        helper.make_node("Add", ["one", "one"], ["two"]),
        helper.make_node("Reshape", ["most", "one"], ["sizes"]),
        helper.make_node("Expand", ["x", "sizes"], ["y"]),
    ]
    ranges = {
        "a": np.ones((1000, 1, 1), dtype=bool),
        "b": np.ones((1, 1000, 1), dtype=np.int64),
        "c": np.ones((1, 1, 1000), dtype=np.int64),
    }
    path = write(tmp_path / "n.onnx", nodes, {**ranges, "one": ONE}, {"x": [1]})
    with pytest.warns(UserWarning, match="of unknown shape"):
        graph_of_onnx(path)
    assert computed == ["Add"]


@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_recurrent_layers_as_pytorch_exports_them(kind: str, tmp_path: Path) -> None:
    pytest.importorskip("onnxscript")
    import torch

    layers = getattr(torch.nn, kind)(6, 5, 2, bidirectional=True).eval()
    x = (torch.zeros(5, 2, 6),)
    first = tmp_path / "raw.onnx"
    torch.onnx.export(layers, x, first, optimize=False, verbose=False)
    gates = {"LSTM": 4, "GRU": 3}[kind]
    # Of both directions, for each of 10 positions: numbers of the input, and of the state.
    wanted = 10 * 2 * gates * 5 * ((6 + 5) + (10 + 5))
    graph = graph_of_onnx(first)
    assert (graph.parameters, graph.macs) == (sum(p.numel() for p in layers.parameters()), wanted)


def test_rounded_operators_of_a_runtime(tmp_path: Path) -> None:
    """As the static quantisation of ONNX Runtime writes them, without shapes of results."""
    rounded = {"scale": np.float32(0.1), "zero": np.uint8(128)}
    weights = {
        "w": np.zeros((10, 16), np.int8),
        "b": np.zeros(10, np.int32),
        **{name: np.array(number) for name, number in rounded.items()},
    }
    s, z = "scale", "zero"
    nodes = [
        helper.make_node("QuantizeLinear", ["x", s, z], ["q"]),
        helper.make_node("QLinearSigmoid", ["q", s, z, s, z], ["a"], domain=RUNTIME),
        helper.make_node("QLinearAdd", [*("q", s, z), *("a", s, z), s, z], ["sum"], domain=RUNTIME),
        helper.make_node(
            "QLinearConcat", [s, z, *("sum", s, z), *("a", s, z)], ["c"], axis=1, domain=RUNTIME
        ),
        helper.make_node("QLinearGlobalAveragePool", ["c", s, z, s, z], ["p"], domain=RUNTIME),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node(
            "QGemm", ["f", s, z, "w", s, z, "b", s, z], ["g"], transB=1, domain=RUNTIME
        ),
        helper.make_node("DequantizeLinear", ["g", s, z], ["y"]),
    ]
    path = write(tmp_path / "n.onnx", nodes, weights, {"x": [2, 8, 5, 4]})
    model = onnx.load(path)
    model.opset_import.append(helper.make_opsetid(RUNTIME, 1))
    onnx.save(model, path)
    graph = graph_of_onnx(path)
    assert [(v.operation, v.shape) for v in graph.vertices[2:-2]] == [
        ("sigmoid", (2, 8, 5, 4)),
        ("add", (2, 8, 5, 4)),
        ("concat", (2, 16, 5, 4)),
        ("avg_pool", (2, 16, 1, 1)),
        ("reshape", (2, 16)),
        ("linear", (2, 10)),
    ]
    assert (graph.parameters, graph.macs) == (170, 2 * 16 * 10)
    assert graph.vertices[3].bytes_read == 2 * 2 * 8 * 5 * 4 + 5  # a scale and a zero point


def test_a_rounded_pool_of_channels_that_are_last_has_no_shape(tmp_path: Path) -> None:
    """It would have the shape of a pool over other dimensions."""
    scale, zero = "scale", "zero"
    nodes = [
        helper.make_node("QuantizeLinear", ["x", scale, zero], ["q"]),
        helper.make_node(
            "QLinearGlobalAveragePool",
            ["q", scale, zero, scale, zero],
            ["p"],
            domain=RUNTIME,
            channels_last=1,
        ),
        helper.make_node("DequantizeLinear", ["p", scale, zero], ["y"]),
    ]
    weights = {scale: np.array(np.float32(0.1)), zero: np.array(np.uint8(128))}
    model = onnx.load(write(tmp_path / "n.onnx", nodes, weights, {"x": [2, 5, 4, 8]}))
    model.opset_import.append(helper.make_opsetid(RUNTIME, 1))
    onnx.save(model, tmp_path / "n.onnx")
    with pytest.warns(UserWarning, match="shape"):
        graph = graph_of_onnx(tmp_path / "n.onnx")
    assert graph.vertices[2].shape == ()
