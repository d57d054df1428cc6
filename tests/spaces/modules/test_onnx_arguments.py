"""Arguments of ONNX operators, and the hashes that depend on them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyg_nas.spaces.modules import graph_of_onnx
from tests.spaces.modules.onnx_models import write

onnx = pytest.importorskip("onnx")
SHAPE = [1, 4, 6, 6]


def _hash(
    folder: Path, operator: str, weights: dict[str, Any] | None = None, **settings: Any
) -> str:
    arrays = {name: np.array(value) for name, value in (weights or {}).items()}
    node = onnx.helper.make_node(operator, ["x", *arrays], ["y"], **settings)
    return graph_of_onnx(write(folder / "net.onnx", [node], arrays, {"x": SHAPE})).hash


@pytest.mark.parametrize(
    ("operator", "settings"),
    [
        ("Elu", [{}, {"alpha": 0.5}]),
        ("Softmax", [{"axis": 1}, {"axis": 2}]),
        ("Transpose", [{"perm": [0, 1, 3, 2]}, {"perm": [0, 1, 2, 3]}]),
        (
            "AveragePool",
            [
                {"kernel_shape": [3, 3], "pads": [1] * 4},
                {"kernel_shape": [3, 3], "pads": [1] * 4, "count_include_pad": 1},
            ],
        ),
    ],
)
def test_attributes_distinguish_operators(
    tmp_path: Path, operator: str, settings: list[dict[str, Any]]
) -> None:
    hashes = [_hash(tmp_path, operator, **one) for one in settings]
    assert len(set(hashes)) == len(settings)


def test_defaults_are_equal_whether_given_or_not(tmp_path: Path) -> None:
    assert _hash(tmp_path, "Elu") == _hash(tmp_path, "Elu", alpha=1.0)
    assert _hash(tmp_path, "Transpose") == _hash(tmp_path, "Transpose", perm=[3, 2, 1, 0])
    assert _hash(tmp_path, "Softmax") == _hash(tmp_path, "Softmax", axis=3)


def test_small_constants_distinguish_networks_and_weights_do_not(tmp_path: Path) -> None:
    halves = [
        _hash(tmp_path, "Slice", {"a": [start], "b": [start + 2], "c": [1]}) for start in (0, 2)
    ]
    assert halves[0] != halves[1]
    scales = [_hash(tmp_path, "Mul", {"a": np.float32(scale)}) for scale in (2, 3, 3)]
    assert scales[0] != scales[1] == scales[2]
    weights = [_hash(tmp_path, "Mul", {"a": np.full(6, w, np.float32)}) for w in (2, 3)]
    assert weights[0] == weights[1]


@pytest.mark.parametrize("version", [9, 18])
def test_vectors_of_equal_numbers_are_not_shared(tmp_path: Path, version: int) -> None:
    """PyTorch's exporter writes a factor and a variance of ones as one tensor."""
    hashes = []
    for names in (["a", "b", "b", "a"], ["a", "b", "c", "d"]):
        node = onnx.helper.make_node("BatchNormalization", ["x", *names], ["y"])
        arrays = {name: np.ones(4, np.float32) for name in sorted(set(names))}
        write(tmp_path / "n.onnx", [node], arrays, {"x": SHAPE})
        model = onnx.load(tmp_path / "n.onnx")
        model.opset_import[0].version = version
        onnx.save(model, tmp_path / "n.onnx")
        hashes.append(graph_of_onnx(tmp_path / "n.onnx").hash)
    assert hashes[0] == hashes[1]


def test_a_shared_matrix_is_not_two(tmp_path: Path) -> None:
    hashes = []
    for second in ("a", "b"):
        nodes = [
            onnx.helper.make_node("MatMul", ["x", "a"], ["h"]),
            onnx.helper.make_node("MatMul", ["h", second], ["y"]),
        ]
        arrays = {name: np.ones((6, 6), np.float32) for name in {"a", second}}
        hashes.append(graph_of_onnx(write(tmp_path / "n.onnx", nodes, arrays, {"x": SHAPE})).hash)
    assert hashes[0] != hashes[1]
