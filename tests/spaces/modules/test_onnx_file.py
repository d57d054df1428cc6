"""Graphs of ONNX files against files written by hand and the graph of the exported module."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyg_nas.errors import NetworkError
from pyg_nas.spaces.modules import graph_of_onnx
from tests.spaces.modules.onnx_models import small_model, write

onnx = pytest.importorskip("onnx")
helper, floats = onnx.helper, onnx.TensorProto.FLOAT


def test_a_network_by_hand(tmp_path: Path) -> None:
    weights = {
        "w": np.zeros((8, 2, 3, 3), np.float32),
        "b": np.zeros(8, np.float32),
        "scale": np.ones(8, np.float32),
        "shift": np.ones(8, np.float32),
        "mean": np.ones(8, np.float32),
        "var": np.ones(8, np.float32),
        "dense": np.zeros((8, 5), np.float32),
        "axes": np.array([2, 3]),
        "spare": np.zeros(6, np.float32),
    }
    nodes = [
        helper.make_node(
            "Conv", ["x", "w", "b"], ["c"], "one", group=2, pads=[1] * 4, strides=[2, 2]
        ),
        helper.make_node("BatchNormalization", ["c", "scale", "shift", "mean", "var"], ["n"]),
        helper.make_node("Relu", ["n"], ["r"]),
        helper.make_node("Identity", ["r"], ["i"]),
        helper.make_node("ReduceMean", ["i", "axes"], ["m"], keepdims=0),
        helper.make_node("MatMul", ["m", "dense"], ["y"]),
    ]
    path = write(tmp_path / "net.onnx", nodes, weights, {"x": ["batch", 4, 8, 8]})
    graph = graph_of_onnx(path)
    assert graph.operations == ("input", "conv", "batch_norm", "relu", "mean", "linear", "output")
    conv, linear = graph.vertices[1], graph.vertices[5]
    assert (conv.kernel, conv.stride, conv.groups, conv.shape) == ((3, 3), (2, 2), 2, (1, 8, 4, 4))
    assert conv.parameters == 8 * 2 * 9 + 8
    assert conv.macs == 8 * 16 * 2 * 9
    assert linear.macs == 8 * 5
    assert graph.vertices[2].parameters == 16  # running statistics are none
    assert graph.unused_parameters == 6
    assert graph.parameters == 152 + 16 + 40 + 6


def test_weights_in_another_file_are_not_opened(tmp_path: Path) -> None:
    nodes = [helper.make_node("Gemm", ["x", "w"], ["y"])]
    path = write(
        tmp_path / "net.onnx",
        nodes,
        {"w": np.zeros((64, 32), np.float32)},
        {"x": [1, 64], "y": [1, 32]},
    )
    model = onnx.load(path)
    onnx.save(model, path, save_as_external_data=True, location="w.bin", size_threshold=0)
    (tmp_path / "w.bin").unlink()
    graph = graph_of_onnx(path)
    assert (graph.parameters, graph.macs) == (2048, 2048)


def test_sparse_weights_and_old_files(tmp_path: Path) -> None:
    values = helper.make_tensor("w", floats, [2], [1.0, 2.0])
    places = helper.make_tensor("places", onnx.TensorProto.INT64, [2], [0, 5])
    model = onnx.load(
        write(
            tmp_path / "net.onnx",
            [
                helper.make_node("Gemm", ["x", "v"], ["a"]),
                helper.make_node("MatMul", ["a", "w"], ["y"]),
            ],
            {"v": np.ones((5, 4), np.float32)},
            {"x": [1, 5], "y": [1, 3]},
        )
    )
    model.graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [4, 3]))
    model.ir_version = 3
    onnx.save(model, tmp_path / "net.onnx")
    graph = graph_of_onnx(tmp_path / "net.onnx")
    assert graph.parameters == 20 + 2
    assert graph.macs == 5 * 4 + 4 * 3


def test_an_unknown_shape_is_an_error_where_it_counts(tmp_path: Path) -> None:
    weights = {"w": np.zeros((4, 3), np.float32)}
    nodes = [
        helper.make_node("Mystery", ["x"], ["m"], "strange", domain="own"),
        helper.make_node("MatMul", ["m", "w"], ["y"], "product"),
    ]
    path = write(tmp_path / "net.onnx", nodes, weights, {"x": [2, 4], "y": [2, 3]})
    model = onnx.load(path)
    model.opset_import.append(helper.make_opsetid("own", 1))
    onnx.save(model, path)
    with pytest.raises(NetworkError, match=r"MatMul \('product'\): .* the shape of 'm' is not"):
        graph_of_onnx(path)
    model.graph.value_info.append(helper.make_tensor_value_info("m", floats, [2, 4]))
    onnx.save(model, path)
    assert graph_of_onnx(path).macs == 2 * 4 * 3


@pytest.mark.filterwarnings("error")
def test_an_unknown_operator_with_a_matrix_of_weights_is_a_warning(tmp_path: Path) -> None:
    def saved(operator: str, size: tuple[int, ...]) -> Path:
        path = tmp_path / f"{operator}.onnx"
        nodes = [
            helper.make_node(operator, ["x", "w"], ["h"], "own", domain="own"),
            helper.make_node("Relu", ["h"], ["y"]),
        ]
        shapes = {"x": [1, 4], "y": [1, 4]}
        model = onnx.load(write(path, nodes, {"w": np.zeros(size, np.float32)}, shapes))
        model.opset_import.append(helper.make_opsetid("own", 1))
        model.graph.value_info.append(
            helper.make_tensor_value_info("h", onnx.TensorProto.FLOAT, [1, 4])
        )
        onnx.save(model, path)
        return path

    message = (
        r"Product.onnx: no multiply-accumulates are counted of 1 operator outside the vocabulary "
        r"with weights; the first is operator Product \('own'\)"
    )
    with pytest.warns(UserWarning, match=message):
        graph = graph_of_onnx(saved("Product", (4, 4)))
    assert (graph.macs, graph.parameters) == (0, 16)
    assert graph_of_onnx(saved("Shift", (4,))).parameters == 4  # a vector has no products


@pytest.mark.filterwarnings("error")
def test_an_unknown_shape_elsewhere_is_a_warning(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Mystery", ["x"], ["b"], "strange", domain="own"),
        helper.make_node("Conv", ["x", "w", "b"], ["y"]),
    ]
    weights = {"w": np.zeros((5, 4, 1, 1), np.float32)}
    path = write(tmp_path / "net.onnx", nodes, weights, {"x": [1, 4, 3, 3]})
    model = onnx.load(path)
    model.opset_import.append(helper.make_opsetid("own", 1))
    onnx.save(model, path)
    message = r"1 result of unknown shape, .* the first is that of operator Mystery \('strange'\)"
    with pytest.warns(UserWarning, match=message):
        graph = graph_of_onnx(path)
    assert graph.macs == 5 * 4 * 9
    mystery, conv = graph.vertices[1:3]
    assert (mystery.bytes_read, mystery.bytes_written) == (0, 0)
    assert conv.bytes_read == 4 * (4 * 9 + 5 * 4)
    model.graph.value_info.append(helper.make_tensor_value_info("b", floats, [5]))
    onnx.save(model, path)
    assert graph_of_onnx(path).vertices[1].bytes_written == 4 * 5


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("settings", [{"verbose": False}, {"dynamo": False}])
def test_an_exported_module_has_the_graph_of_the_module(tmp_path: Path, settings: Any) -> None:
    pytest.importorskip("onnxscript")
    import torch
    from torch import nn

    from pyg_nas.spaces.modules import graph_of

    module = nn.Sequential(
        nn.Conv2d(3, 8, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(8, 8, 3, groups=4),
        nn.MaxPool2d(2),
        nn.ConvTranspose2d(8, 4, 2, stride=2),
        nn.AvgPool2d(3, 1),
        nn.Flatten(),
        nn.Linear(4 * 16, 5),
    ).eval()
    images = torch.zeros(1, 3, 16, 16)
    torch.onnx.export(module, (images,), tmp_path / "net.onnx", **settings)
    graph, expected = graph_of_onnx(tmp_path / "net.onnx"), graph_of(module, images)
    assert graph.hash == expected.hash
    assert (graph.parameters, graph.macs) == (expected.parameters, expected.macs)


def _set_group(model: onnx.ModelProto) -> None:
    model.graph.node[0].attribute.append(helper.make_attribute("group", "many"))


def _set_type(model: onnx.ModelProto) -> None:
    model.graph.input[0].type.tensor_type.elem_type = 99


def _convolve_nothing(model: onnx.ModelProto) -> None:
    model.graph.node[0].CopyFrom(helper.make_node("Conv", ["x"], ["y"]))


def _make_twice(model: onnx.ModelProto) -> None:
    model.graph.node.insert(0, helper.make_node("Tanh", ["x"], ["y"]))


def _claim_much(model: onnx.ModelProto) -> None:
    model.graph.initializer.append(onnx.TensorProto(name="w", data_type=floats, dims=[2**62, 4]))
    model.graph.node[0].CopyFrom(helper.make_node("Add", ["x", "w"], ["y"]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (_set_group, r"operator Relu \(''\) is malformed"),
        (_set_type, "is malformed"),
        (_convolve_nothing, "cannot be read as ONNX|is malformed"),
        (_claim_much, "impossible number"),
        (_make_twice, r"operator Relu \(''\) makes 'y', which is there already"),
    ],
)
def test_an_invalid_model_is_refused(tmp_path: Path, change: Any, message: str) -> None:
    model = small_model()
    change(model)
    onnx.save(model, tmp_path / "a.onnx")
    with pytest.raises(NetworkError, match=message):
        graph_of_onnx(tmp_path / "a.onnx")
