"""Contradictory shapes in ONNX files written by hand: errors that name the tensors."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyg_nas.errors import NetworkError
from pyg_nas.spaces.modules import graph_of_onnx
from tests.spaces.modules.onnx_models import write

onnx = pytest.importorskip("onnx")
helper, floats = onnx.helper, onnx.TensorProto.FLOAT


def _file(
    path: Path,
    operator: str,
    weights: list[tuple[int, ...]],
    sizes: dict[str, Any],
    **settings: Any,
) -> Path:
    """Write ``y = relu(h)`` and ``h``, an operator of the input and of weights."""
    if operator == "Reshape":
        arrays = {"w0": np.array(weights[0])}
    else:
        arrays = {f"w{i}": np.zeros(shape, np.float32) for i, shape in enumerate(weights)}
    nodes = [
        helper.make_node(operator, ["x", *arrays], ["h"], "first", **settings),
        helper.make_node("Relu", ["h"], ["y"]),
    ]
    model = onnx.load(write(path, nodes, arrays, sizes))
    if "h" in sizes:
        model.graph.value_info.append(helper.make_tensor_value_info("h", floats, sizes["h"]))
    onnx.save(model, path)
    return path


@pytest.mark.parametrize(
    ("operator", "weights", "sizes", "message"),
    [
        (
            "MatMul",
            [(4, 3)],
            {"x": [2, 4], "h": [2, 9]},
            r"'h', the result of operator MatMul \('first'\), has the shape \(2, 3\), but the file "
            r"declares \(2, 9\)",
        ),
        ("MatMul", [(4, 3)], {"x": ["n", 4], "h": [2, 9]}, r"\(\?, 3\), .* declares \(2, 9\)"),
        ("MatMul", [(4, 3)], {"x": [2, 4], "h": [2, 3, 1]}, r"declares \(2, 3, 1\)"),
        ("MatMul", [(4, 3)], {"x": [2, 4], "y": [7, 3]}, r"'y', .* \(2, 3\), .* \(7, 3\)"),
        (
            "MatMul",
            [(5, 3)],
            {"x": [2, 4], "y": [2, 3]},
            r"operator MatMul \('first'\) cannot read 'x' of \(2, 4\), 'w0' of \(5, 3\)",
        ),
        ("Add", [(5,)], {"x": [2, 4]}, r"'x' of \(2, 4\), 'w0' of \(5\)"),
        ("Conv", [(8, 5, 3, 3)], {"x": [1, 4, 8, 8]}, r"'w0' of \(8, 5, 3, 3\): the numbers of"),
        ("Conv", [(8, 4, 3, 3), (7,)], {"x": [1, 4, 8, 8]}, r"'w1' of \(7\): the numbers of"),
        ("ConvTranspose", [(5, 8, 3, 3)], {"x": [1, 4, 8, 8]}, "the numbers of channels differ"),
        ("BatchNormalization", [(5,)] * 4, {"x": [1, 4, 8, 8]}, "5 and 4"),
        ("Gemm", [(4, 3), (4,)], {"x": [2, 4]}, r"'w1' of \(4\): the result has .*\(2, 3\)"),
        ("Reshape", [(3, 5)], {"x": [2, 4]}, r"'x' of \(2, 4\), .* the result has .*\(3, 5\)"),
    ],
)
def test_what_does_not_fit_is_named(
    tmp_path: Path,
    operator: str,
    weights: list[tuple[int, ...]],
    sizes: dict[str, Any],
    message: str,
) -> None:
    path = _file(tmp_path / "n.onnx", operator, weights, sizes)
    with pytest.raises(NetworkError, match=rf"n\.onnx: .*{message}"):
        graph_of_onnx(path)


@pytest.mark.parametrize(
    ("operator", "weights", "sizes"),
    [
        ("MatMul", [(4, 3)], {"x": ["n", 4], "h": [2, 3], "y": ["m", 3]}),
        ("MatMul", [(4, 3)], {"x": [2, 4], "h": ["n", "k"], "y": [-1, 3]}),
        ("Conv", [(8, 4, 3, 3), (8,)], {"x": [1, 4, 8, 8]}),
        ("ConvTranspose", [(4, 8, 3, 3), (8,)], {"x": [1, 4, 8, 8]}),
        ("Gemm", [(4, 3), (2, 1)], {"x": [2, 4]}),
        ("Reshape", [(0, -1)], {"x": [2, 4]}),
        ("Add", [(4,)], {"x": ["n", 4]}),
    ],
)
def test_what_fits_is_read(
    tmp_path: Path, operator: str, weights: list[tuple[int, ...]], sizes: dict[str, Any]
) -> None:
    assert len(graph_of_onnx(_file(tmp_path / "n.onnx", operator, weights, sizes))) == 4


def test_groups_count(tmp_path: Path) -> None:
    sizes = {"x": [1, 4, 8, 8]}
    assert len(graph_of_onnx(_file(tmp_path / "a.onnx", "Conv", [(8, 2, 3, 3)], sizes, group=2)))
    transposed = _file(tmp_path / "b.onnx", "ConvTranspose", [(4, 3, 2, 2), (6,)], sizes, group=2)
    assert graph_of_onnx(transposed).vertices[1].shape == (1, 6, 9, 9)
