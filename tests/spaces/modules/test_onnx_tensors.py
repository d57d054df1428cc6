"""Shapes and types of tensors against a graph written by hand."""

from __future__ import annotations

import pytest

from pyg_nas.spaces.modules.onnx_tensors import KnownTensors

onnx = pytest.importorskip("onnx")
helper, types = onnx.helper, onnx.TensorProto


def test_tensors_by_hand() -> None:
    inputs = [
        helper.make_tensor_value_info("x", types.DOUBLE, [2, 3]),
        helper.make_tensor_value_info("free", types.FLOAT, ["batch", 3]),
        helper.make_tensor_value_info("w", types.FLOAT, [9]),  # the tensor itself is of 4 numbers
    ]
    weights = [helper.make_tensor("w", types.INT64, [4], [1, 2, 3, 4])]
    graph = helper.make_graph([], "by hand", inputs, [], weights)
    values = helper.make_tensor("s", types.FLOAT, [1], [1.0])
    places = helper.make_tensor("places", types.INT64, [1], [5])
    graph.sparse_initializer.append(helper.make_sparse_tensor(values, places, [4, 3]))
    known = KnownTensors(graph)
    expected = {"x": ((2, 3), "float64"), "w": ((4,), "int64"), "s": ((4, 3), "float32")}
    assert {name: known.shape_and_dtype(name) for name in known.shapes} == expected
    assert [known.bytes(name) for name in ("x", "w", "s", "free")] == [48, 32, 48, 0]
    assert known.shape_and_dtype("free") == ((), "float32")
