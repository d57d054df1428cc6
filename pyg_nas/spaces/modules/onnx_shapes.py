"""Shapes in an ONNX file, also those that follow from numbers computed from other shapes."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pyg_nas.spaces.modules.onnx_constants import without_constant_nodes

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, ValueInfoProto

_MOST_NUMBERS = 1024  # of a constant that is computed
# Operators that compute sizes.
_ELEMENT_BY_ELEMENT = {"Add", "Div", "Equal", "Max", "Min", "Mod", "Mul", "Sub", "Where"}
_COMPUTED = _ELEMENT_BY_ELEMENT | {
    *("Abs", "Cast", "Concat", "ConstantOfShape", "Gather", "Identity", "Neg", "ReduceProd"),
    *("ReduceSum", "Reshape", "Shape", "Size", "Slice", "Squeeze", "Transpose", "Unsqueeze"),
}

# Operators of ONNX Runtime for rounded numbers, which onnx does not know, with the operators of the
# same shapes and the inputs that these have.
_ROUNDED = {
    "QGemm": ("Gemm", slice(0, 4, 3)),
    "QLinearAdd": ("Add", slice(0, 4, 3)),
    "QLinearMul": ("Mul", slice(0, 4, 3)),
    "QLinearConcat": ("Concat", slice(2, None, 3)),
    "QLinearAveragePool": ("AveragePool", slice(1)),
    "QLinearGlobalAveragePool": ("GlobalAveragePool", slice(1)),
    "QLinearLeakyRelu": ("LeakyRelu", slice(1)),
    "QLinearSigmoid": ("Sigmoid", slice(1)),
    "QLinearSoftmax": ("Softmax", slice(1)),
}


def with_shapes(model: ModelProto) -> ModelProto:
    """Return the model with the shapes that can be inferred.

    The inference of onnx does not follow all computations of sizes, such as those of PyTorch's
    exporter without optimisation. Where a shape is missing, integers that follow from constants and
    known shapes are computed and replace their operators, until nothing new is known; so are
    branches that such a number chooses.
    """
    from onnx import NodeProto, shape_inference

    rounded: dict[str, NodeProto] = {}
    for node in model.graph.node:
        # Pools whose channels are last have no operator of the same shapes.
        channels_last = any(item.name == "channels_last" and item.i for item in node.attribute)
        if node.op_type in _ROUNDED and not channels_last:
            rounded[node.output[0]] = NodeProto()
            rounded[node.output[0]].CopyFrom(node)
            node.op_type, inputs = _ROUNDED[node.op_type]
            node.domain, node.input[:] = "", node.input[inputs]
    inferred = shape_inference.infer_shapes(model, data_prop=True)
    while _forget_unknown(inferred.graph) and _compute(inferred):
        without_constant_nodes(inferred.graph)  # branches that a computed condition chooses
        inferred = shape_inference.infer_shapes(inferred, data_prop=True)
    for node in inferred.graph.node:
        if len(node.output) and node.output[0] in rounded:
            node.CopyFrom(rounded[node.output[0]])
    return inferred


def known_shape(value: ValueInfoProto) -> tuple[int, ...] | None:
    """Return the shape of a tensor; None if a size of it is not known."""
    kind = value.type.tensor_type
    dims = kind.shape.dim
    if not kind.HasField("shape") or not all(dim.HasField("dim_value") for dim in dims):
        return None
    return tuple(int(dim.dim_value) for dim in dims)


def _forget_unknown(graph: GraphProto) -> bool:
    """Remove shapes with unknown sizes, which are inferred again.

    Returns:
        Whether one is missing, or a branch is not chosen.
    """
    kept = [value for value in graph.value_info if known_shape(value) is not None]
    del graph.value_info[:]
    graph.value_info.extend(kept)
    outputs = [value for value in graph.output if known_shape(value) is not None]
    known = {value.name for value in (*kept, *outputs, *graph.initializer)}
    return any(
        node.op_type == "If" or any(name and name not in known for name in node.output)
        for node in graph.node
    )


def _compute(model: ModelProto) -> bool:
    """Replace operators whose results are known integers by constants; return if one was."""
    from onnx import numpy_helper

    graph = model.graph
    shapes = {
        value.name: shape
        for value in (*graph.input, *graph.value_info)
        if (shape := known_shape(value)) is not None
    }
    numbers: dict[str, NDArray[np.generic]] = {}
    for tensor in graph.initializer:
        shapes[tensor.name] = tuple(tensor.dims)
        if math.prod(tensor.dims) <= _MOST_NUMBERS and not tensor.external_data:
            array = numpy_helper.to_array(tensor)
            if array.dtype.kind in "ib":
                numbers[tensor.name] = array
    kept = []
    for node in graph.node:
        found = _result(model, node, numbers, shapes)
        if found is None:
            kept.append(node)
        else:
            numbers[node.output[0]] = found
            graph.initializer.append(numpy_helper.from_array(found, node.output[0]))
    computed = len(kept) < len(graph.node)
    del graph.node[:]
    graph.node.extend(kept)
    return computed


def _result(
    model: ModelProto,
    node: NodeProto,
    numbers: Mapping[str, NDArray[np.generic]],
    shapes: Mapping[str, tuple[int, ...]],
) -> NDArray[np.generic] | None:
    """Return the integers that a node computes, None if they are not known or too many."""
    from onnx import helper
    from onnx.reference import ReferenceEvaluator

    if node.op_type not in _COMPUTED or node.domain or len(node.output) != 1:
        return None
    names = [name for name in node.input if name]
    of_shape = node.op_type in ("Shape", "Size")
    if not all(name in (shapes if of_shape else numbers) for name in names):
        return None
    inputs = [helper.make_empty_tensor_value_info(name) for name in dict.fromkeys(names)]
    outputs = [helper.make_empty_tensor_value_info(node.output[0])]
    graph = helper.make_graph([node], "sizes", inputs, outputs)
    try:
        given = {
            # Of a tensor whose shape is asked for one number is in memory.
            name: np.broadcast_to(np.float32(0), shapes[name]) if of_shape else numbers[name]
            for name in names
        }
        if _is_large(node, list(given.values())):
            return None
        alone = helper.make_model(graph, opset_imports=model.opset_import)
        (found,) = ReferenceEvaluator(alone).run(None, given)
    except Exception:  # an invalid node, which the reader of the file names
        return None
    array = np.asarray(found)
    return array if array.dtype.kind in "ib" and array.size <= _MOST_NUMBERS else None


def _is_large(node: NodeProto, given: list[NDArray[np.generic]]) -> bool:
    """Return whether a result would have too many numbers, before it is computed."""
    if node.op_type == "ConstantOfShape":
        return bool(math.prod(given[0].tolist()) > _MOST_NUMBERS)
    if node.op_type == "Concat":  # also of one input again and again
        return len(node.input) > _MOST_NUMBERS
    if node.op_type not in _ELEMENT_BY_ELEMENT:
        return False  # at most the product of the sizes of two inputs
    return math.prod(np.broadcast_shapes(*(array.shape for array in given))) > _MOST_NUMBERS
