"""Bytes of operations by hand: in place, views, selections; in modules and in ONNX files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from pyg_nas.spaces.modules import graph_of, graph_of_onnx
from pyg_nas.spaces.modules.moved_bytes import bytes_of, bytes_of_number, bytes_read

X = torch.zeros(4, 8, 8)
ALL = 4 * 8 * 8 * 4  # bytes of X


class Function(nn.Module):
    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def assigned(x: Tensor) -> Tensor:
    x[:, 1:] = x[:, :1]
    return x


def filled(x: Tensor) -> Tensor:
    x[:, 0] = 3.0
    return x


@pytest.mark.parametrize(
    ("function", "read", "written"),
    [
        (lambda x: functional.relu(x), ALL, ALL),
        (lambda x: functional.relu(x, inplace=True), ALL, ALL),
        (nn.SiLU(inplace=True), ALL, ALL),
        (lambda x: x.mul_(2.0), ALL, ALL),
        (lambda x: x.add_(x.sum((0, 1))), ALL + 8 * 4, ALL),
        (lambda x: torch.mul(x, 2.0, out=x), ALL, ALL),
        (lambda x: x.copy_(x.sum((0, 1))), 8 * 4, ALL),
        (assigned, ALL // 8, ALL // 8 * 7),
        (filled, 0, ALL // 8),
        (lambda x: x.view(4, 64), 0, 0),
        (lambda x: x.permute(0, 2, 1), 0, 0),
        (lambda x: x.permute(0, 2, 1).reshape(4, 64), ALL, ALL),  # is a copy
        (lambda x: x.unsqueeze_(0), 0, 0),
        (lambda x: x[:, :2], 0, 0),
        (lambda x: x.chunk(2, 1)[1], 0, 0),
        (lambda x: x.expand(3, 4, 8, 8), 0, 0),
        (lambda x: x > 0, ALL, ALL // 4),
        (lambda x: x.to(torch.float16), ALL, ALL // 2),
        (lambda x: x.index_select(1, torch.tensor([0, 3])), ALL // 4 + 2 * 8, ALL // 4),
    ],
)
def test_the_last_operation_of_a_module(
    function: Callable[[Tensor], Tensor], read: int, written: int
) -> None:
    last = graph_of(Function(function), X).vertices[-2]
    assert (last.bytes_read, last.bytes_written) == (read, written)


def test_an_embedding_reads_the_rows_that_it_returns() -> None:
    tokens = torch.zeros(5, dtype=torch.long)
    vertex = graph_of(nn.Embedding(1000, 8), tokens).vertices[1]
    assert (vertex.bytes_read, vertex.bytes_written) == (5 * 8 * 4 + 5 * 8, 5 * 8 * 4)


def test_a_view_made_before_a_change_in_place_depends_on_it() -> None:
    def changed(x: Tensor) -> Tensor:
        y = x * 2
        part = y[:, :2]
        functional.relu(y, inplace=True)
        return part.tanh()

    graph = graph_of(Function(changed), X)
    assert graph.operations == ("input", "mul", "relu", "tanh", "output")
    assert graph.vertices[3].sources == (2,)


def test_operators_of_onnx_files(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    import numpy as np

    helper, floats = onnx.helper, onnx.TensorProto.FLOAT
    weights = {"flat": np.array([4, 64]), "rows": np.array([0, 3]), "w": np.zeros((64, 2), "f4")}
    nodes = [
        helper.make_node("Reshape", ["x", "flat"], ["a"]),
        helper.make_node("Gather", ["a", "rows"], ["b"]),
        helper.make_node("Transpose", ["b"], ["c"], perm=[0, 1]),
        helper.make_node("MatMul", ["c", "w"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", floats, [4, 8, 8])],
        [helper.make_tensor_value_info("y", floats, [2, 2])],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), tmp_path / "a.onnx"
    )
    moved = [(v.bytes_read, v.bytes_written) for v in graph_of_onnx(tmp_path / "a.onnx").vertices]
    assert moved[1:-1] == [
        (0, 0),
        (ALL // 2 + 2 * 8, ALL // 2),
        (ALL // 2, ALL // 2),
        (ALL // 2 + 64 * 2 * 4, 2 * 2 * 4),
    ]


@pytest.mark.parametrize(
    ("dtype", "size"),
    [
        ("float32", 4),
        ("bfloat16", 2),
        ("float8_e4m3fn", 1),
        ("int4", 0.5),
        ("bool", 1),
        ("complex64", 8),
        ("quint8", 1),
        ("object", 4),
    ],
)
def test_numbers_have_the_bytes_of_their_type(dtype: str, size: float) -> None:
    assert bytes_of_number(dtype) == size


def test_half_a_byte_is_rounded_up() -> None:
    assert bytes_of((3, 5), "int4") == 8
    assert bytes_of((), "float32") == 4


def test_a_selection_reads_no_more_than_all() -> None:
    assert bytes_read("slice", [10, 3], 100) == 13
    assert bytes_read("slice", [10, 3], 4) == 7
    assert bytes_read("slice", [], 4) == 0
