"""Constants of ONNX files written by hand, and the branches that they choose."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyg_nas.spaces.modules import graph_of_onnx
from tests.spaces.modules.onnx_models import write

onnx = pytest.importorskip("onnx")
helper, floats = onnx.helper, onnx.TensorProto.FLOAT


def test_constant_operators_are_weights_and_single_numbers_are_none(tmp_path: Path) -> None:
    weight = onnx.numpy_helper.from_array(np.zeros((4, 3), np.float32), "any")
    nodes = [
        helper.make_node("Constant", [], ["w"], value=weight),
        helper.make_node("Constant", [], ["b"], value_floats=[1.0, 2.0, 3.0]),
        helper.make_node("Constant", [], ["two"], value_float=2.0),
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("Add", ["m", "b"], ["a"]),
        helper.make_node("Mul", ["a", "two"], ["s"]),
        helper.make_node("Mul", ["s", "half"], ["y"]),
    ]
    path = write(
        tmp_path / "net.onnx",
        nodes,
        {"half": np.array(0.5, np.float32)},
        {"x": [2, 4], "y": [2, 3]},
    )
    graph = graph_of_onnx(path)
    assert graph.operations == ("input", "linear", "add", "mul", "mul", "output")
    assert [v.parameters for v in graph.vertices] == [0, 12, 3, 0, 0, 0]
    assert (graph.parameters, graph.macs) == (15, 2 * 4 * 3)


def test_a_constant_has_its_own_shape_where_the_file_has_only_its_type(tmp_path: Path) -> None:
    weight = onnx.numpy_helper.from_array(np.zeros((4, 3), np.float32), "any")
    nodes = [
        helper.make_node("Constant", [], ["w"], value=weight),
        helper.make_node("MatMul", ["x", "w"], ["m"]),
        helper.make_node("MatMul", ["m", "v"], ["y"]),
    ]
    path = write(tmp_path / "net.onnx", nodes, {"v": np.zeros((3, 2), np.float32)}, {"x": [2, 4]})
    model = onnx.load(path)
    model.graph.value_info.append(helper.make_tensor_value_info("w", floats, None))
    onnx.save(model, path)
    assert graph_of_onnx(path).macs == 2 * 4 * 3 + 2 * 3 * 2


def _choice(tmp_path: Path, nodes: list, weights: dict[str, np.ndarray]) -> Path:
    """An ``If`` on ``c`` of a product with an own weight, or the sigmoid of an outer result."""
    result = [helper.make_tensor_value_info("z", floats, [2, 3])]
    weight = onnx.numpy_helper.from_array(np.zeros((4, 3), np.float32), "w")
    product = helper.make_graph(
        [helper.make_node("Relu", ["t"], ["r"]), helper.make_node("MatMul", ["r", "w"], ["z"])],
        "product",
        [],
        result,
        [weight],
    )
    other = helper.make_graph([helper.make_node("Sigmoid", ["t"], ["z"])], "other", [], result)
    listed = [
        helper.make_node("Tanh", ["x"], ["t"]),
        *nodes,
        helper.make_node("If", ["c"], ["y"], "choice", then_branch=product, else_branch=other),
    ]
    return write(tmp_path / "net.onnx", listed, weights, {"x": [2, 4], "y": [2, "k"]})


def test_the_branch_that_a_constant_chooses_is_taken(tmp_path: Path) -> None:
    path = _choice(tmp_path, [], {"c": np.array(True)})
    graph = graph_of_onnx(path)
    assert graph.operations == ("input", "tanh", "relu", "linear", "output")
    assert graph.edge_index.T.tolist() == [[0, 1], [1, 2], [2, 3], [3, 4]]
    assert (graph.parameters, graph.macs) == (12, 2 * 4 * 3)
    turned = [helper.make_node("Not", ["d"], ["c"])]
    graph = graph_of_onnx(_choice(tmp_path, turned, {"d": np.array([True])}))
    assert graph.operations == ("input", "tanh", "sigmoid", "output")
    assert graph.parameters == 0


def test_branches_with_the_same_names_are_kept_apart(tmp_path: Path) -> None:
    def branch(operator: str, read: str) -> onnx.GraphProto:
        nodes = [helper.make_node(operator, [read], ["r"]), helper.make_node("Relu", ["r"], ["z"])]
        made = helper.make_tensor_value_info("z", floats, [2])
        return helper.make_graph(nodes, "b", [], [made])

    first, second = branch("Tanh", "x"), branch("Sigmoid", "a")
    nodes = [
        helper.make_node("Constant", [], ["c"], value_int=1),
        helper.make_node("If", ["c"], ["a"], then_branch=first, else_branch=first),
        helper.make_node("If", ["c"], ["b"], then_branch=second, else_branch=second),
        helper.make_node("Add", ["a", "b"], ["y"]),
    ]
    graph = graph_of_onnx(write(tmp_path / "net.onnx", nodes, {}, {"x": [2], "y": [2]}))
    assert graph.operations == ("input", "tanh", "relu", "sigmoid", "relu", "add", "output")
    assert graph.vertices[5].sources == (2, 4)
