"""ONNX files written by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np


def write(path: Path, nodes: list, weights: dict[str, np.ndarray], shapes: dict[str, list]) -> Path:
    """Write a model with one input ``x`` and one output ``y``."""
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
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)]), path)
    return path
