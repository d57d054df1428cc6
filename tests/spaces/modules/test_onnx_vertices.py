"""Vertices of operators that are more than their name, against files written by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyg_nas.errors import NetworkError
from pyg_nas.spaces.modules import graph_of_onnx
from tests.spaces.modules.onnx_models import write

onnx = pytest.importorskip("onnx")
helper, floats = onnx.helper, onnx.TensorProto.FLOAT


def test_an_embedding_is_a_selection_from_a_weight(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Cast", ["x"], ["i"], to=onnx.TensorProto.INT64),
        helper.make_node("Gather", ["w", "i"], ["y"]),
    ]
    weights = {"w": np.zeros((9, 4), np.float32)}
    graph = graph_of_onnx(write(tmp_path / "net.onnx", nodes, weights, {"x": [2], "y": [2, 4]}))
    assert graph.operations == ("input", "cast", "embedding", "output")


def test_control_flow_is_named(tmp_path: Path) -> None:
    body = helper.make_graph(
        [helper.make_node("Relu", ["x"], ["z"])],
        "b",
        [],
        [helper.make_tensor_value_info("z", floats, [1])],
    )
    nodes = [
        helper.make_node("Cast", ["x"], ["c"], to=onnx.TensorProto.BOOL),
        helper.make_node("If", ["c"], ["y"], "choice", then_branch=body, else_branch=body),
    ]
    path = write(tmp_path / "net.onnx", nodes, {}, {"x": [1], "y": [1]})
    with pytest.raises(NetworkError, match=r"operator If \('choice'\): control flow"):
        graph_of_onnx(path)


def _loop(operator: str, *read: str) -> list[onnx.NodeProto]:
    """Three passes over a tensor, each of which reads the outer tensor ``a`` and others."""
    value = helper.make_tensor_value_info
    inputs = [value("i", onnx.TensorProto.INT64, []), value("go", onnx.TensorProto.BOOL, [])]
    nodes = [helper.make_node("Add", ["s", "a"], ["t"]), helper.make_node(operator, read, ["u"])]
    nodes.append(helper.make_node("Identity", ["go"], ["on"]))
    outputs = [value("on", onnx.TensorProto.BOOL, []), value("u", floats, [4])]
    body = helper.make_graph(nodes, "body", [*inputs, value("s", floats, [4])], outputs)
    return [
        helper.make_node("Tanh", ["x"], ["a"]),
        helper.make_node("Loop", ["three", "", "x"], ["y"], "passes", body=body),
    ]


def test_a_loop_without_products_and_weights_is_one_operation(tmp_path: Path) -> None:
    weights = {"three": np.array(3), "w": np.zeros((4, 4), np.float32)}
    shapes = {"x": [4], "y": [4]}
    path = write(tmp_path / "net.onnx", _loop("Relu", "t"), weights, shapes)
    graph = graph_of_onnx(path)
    assert graph.operations == ("input", "tanh", "Loop", "output")
    assert set(graph.vertices[2].sources) == {0, 1}
    # The number of passes, the tensor and the outer one.
    assert (graph.vertices[2].bytes_read, graph.vertices[2].bytes_written) == (8 + 16 + 16, 16)
    inner = onnx.numpy_helper.from_array(np.zeros(4, np.float32), "inner")
    stored, constant = _loop("Add", "t", "inner"), _loop("Add", "t", "inner")
    stored[1].attribute[0].g.initializer.append(inner)
    constant[1].attribute[0].g.node.insert(
        0, helper.make_node("Constant", [], ["inner"], value=inner)
    )
    for nodes in (_loop("MatMul", "t", "a"), _loop("Add", "t", "w"), stored, constant):
        write(path, nodes, weights, shapes)
        with pytest.raises(NetworkError, match=r"operator Loop \('passes'\): control flow"):
            graph_of_onnx(path)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("optimize", [True, False])
def test_bags_of_an_embedding(tmp_path: Path, optimize: bool) -> None:
    pytest.importorskip("onnxscript")
    import torch
    from torch import nn

    network = nn.Sequential(nn.EmbeddingBag(20, 8, mode="mean"), nn.Linear(8, 3)).eval()
    words = torch.zeros(2, 5, dtype=torch.long)
    torch.onnx.export(network, (words,), tmp_path / "n.onnx", optimize=optimize, verbose=False)
    graph = graph_of_onnx(tmp_path / "n.onnx")
    assert graph.macs == 2 * 8 * 3
    parameters = [(v.operation, v.parameters) for v in graph.vertices if v.parameters]
    assert parameters == [("embedding", 20 * 8), ("linear", 8 * 3 + 3)]
    assert "Loop" in graph.operations
