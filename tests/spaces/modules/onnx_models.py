"""ONNX models and files written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np


def model_of(nodes: list, weights: dict[str, np.ndarray], shapes: dict[str, list]) -> Any:
    """Return a model with one input ``x`` and one output ``y``."""
    import onnx
    from onnx import helper

    floats = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "made by hand",
        [helper.make_tensor_value_info("x", floats, shapes["x"])],
        [helper.make_tensor_value_info("y", floats, shapes.get("y"))],
        [onnx.numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)])


def small_model() -> Any:
    """Return a model of one ReLU of 4 numbers."""
    from onnx import helper

    return model_of([helper.make_node("Relu", ["x"], ["y"])], {}, {"x": [1, 4]})


def write(path: Path, nodes: list, weights: dict[str, np.ndarray], shapes: dict[str, list]) -> Path:
    """Write the file of such a model."""
    import onnx

    onnx.save(model_of(nodes, weights, shapes), path)
    return path
