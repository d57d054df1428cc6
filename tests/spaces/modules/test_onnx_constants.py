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


def _permutation(path: Path, numbers: np.ndarray) -> Path:
    node = helper.make_node("Gather", ["x", "order"], ["y"], axis=1)
    return write(path, [node], {"order": numbers}, {"x": [1, 128]})


def test_all_numbers_of_an_index_are_in_the_hash(tmp_path: Path) -> None:
    order = np.arange(128)
    swapped = order.copy()
    swapped[126:] = 127, 126
    first = graph_of_onnx(_permutation(tmp_path / "a.onnx", order)).hash
    assert graph_of_onnx(_permutation(tmp_path / "b.onnx", swapped)).hash != first
    assert graph_of_onnx(_permutation(tmp_path / "c.onnx", order.astype(np.int32))).hash == first


def test_an_index_in_another_file_is_read_from_beside_the_network_alone(tmp_path: Path) -> None:
    hashes = []
    order = np.arange(128)
    inside = graph_of_onnx(_permutation(tmp_path / "inside.onnx", order)).hash
    for number, numbers in enumerate((order, order[::-1])):
        path = _permutation(tmp_path / f"{number}.onnx", numbers)
        file = f"{number}.data"
        onnx.save(
            onnx.load(path), path, save_as_external_data=True, location=file, size_threshold=0
        )
        hashes.append(graph_of_onnx(path).hash)
    assert hashes[0] == inside
    assert hashes[1] != inside
    unknown = []
    for location in ("missing", "../outside", "short", str(tmp_path / "0.data"), ".."):
        model = onnx.load(tmp_path / "0.onnx", load_external_data=False)
        model.graph.initializer[0].external_data[0].value = location
        (tmp_path / "folder").mkdir(exist_ok=True)
        (tmp_path / "outside").write_bytes((tmp_path / "0.data").read_bytes())
        onnx.save(model, tmp_path / "folder" / "n.onnx")
        (tmp_path / "folder" / "short").write_bytes(b"1234")
        unknown.append(graph_of_onnx(tmp_path / "folder" / "n.onnx").hash)
    assert len(set(unknown)) == 1
    assert unknown[0] not in hashes


def test_rounded_weights_are_not_in_the_hash(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("DequantizeLinear", ["w", "scale"], ["d"]),
        helper.make_node("MatMul", ["x", "d"], ["y"]),
    ]
    hashes = {
        graph_of_onnx(
            write(
                tmp_path / "n.onnx",
                nodes,
                {"w": np.full((4, 40), value, np.int8), "scale": np.array(0.5, np.float32)},
                {"x": [2, 4]},
            )
        ).hash
        for value in (1, 2)
    }
    assert len(hashes) == 1
