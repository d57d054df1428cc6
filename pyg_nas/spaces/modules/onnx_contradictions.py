"""Shapes in an ONNX file that contradict each other.

The inference of onnx prefers a shape that the file declares to the one that follows from the
operators, and leaves the result of an operator open whose inputs do not fit. Multiply-accumulates
would be counted from either.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from pyg_nas.errors import NetworkError, one_line
from pyg_nas.spaces.modules.onnx_nodes import inner_graphs, named

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto, OperatorSetIdProto, TensorProto, ValueInfoProto

Shape = Sequence[int | None]
Tensors = Mapping[str, "ValueInfoProto | TensorProto"]  # a constant as TensorProto

_MOST_NUMBERS = 1024  # of a constant from which a shape may be computed
_STANDARD = ("", "ai.onnx")
# Positions of the channels among the sizes of a weight.
_CONVOLUTIONS = {"Conv": 1, "ConvTranspose": 0}


def check_shapes(model: ModelProto) -> None:
    """Check that shapes which a file declares follow from its operators, and that inputs fit.

    Args:
        model: Without constant operators; it is not changed.

    Raises:
        NetworkError: If not; the message names the tensor or operator and both shapes.
    """
    from onnx import shape_inference

    inferred = shape_inference.infer_shapes(_without_declared(model), data_prop=True)
    graph = inferred.graph
    parts = (*graph.input, *graph.value_info, *graph.output, *graph.initializer)
    tensors: Tensors = {part.name: part for part in parts}
    makers = {name: node for node in model.graph.node for name in node.output}
    for node in model.graph.node:
        _check_inputs(node, tensors, inferred.opset_import)
    for value in (*model.graph.value_info, *model.graph.output):
        declared = _shape(value)
        found = _shape(tensors.get(value.name))
        if declared is None or found is None or value.name not in makers:
            continue
        if not _agree(declared, found):
            raise NetworkError(
                f"{value.name!r}, the result of {named(makers[value.name])}, has the shape "
                f"{_text(found)}, but the file declares {_text(declared)}"
            )


def _without_declared(model: ModelProto) -> ModelProto:
    """Return the model without declared shapes that follow, and without large constants."""
    from onnx import ModelProto, helper

    light = ModelProto(ir_version=model.ir_version)
    light.opset_import.extend(model.opset_import)
    light.graph.name = "shapes"
    light.graph.node.extend(model.graph.node)
    names = {tensor.name for tensor in model.graph.initializer}
    light.graph.input.extend(value for value in model.graph.input if value.name not in names)
    for tensor in model.graph.initializer:
        if _is_small(tensor):
            light.graph.initializer.append(tensor)
        else:
            light.graph.input.append(
                helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims)
            )
    for sparse in model.graph.sparse_initializer:
        light.graph.input.append(
            helper.make_tensor_value_info(sparse.values.name, sparse.values.data_type, sparse.dims)
        )
    inferable = {
        name
        for node in model.graph.node
        for name in node.output
        if node.domain in _STANDARD and not any(inner_graphs(node))
    }
    for value in (*model.graph.value_info, *model.graph.output):
        if value.name not in inferable:
            light.graph.value_info.append(value)
    for value in model.graph.output:
        kind = value.type.tensor_type.elem_type
        light.graph.output.append(helper.make_tensor_value_info(value.name, kind, None))
    return light


def _check_inputs(
    node: NodeProto, tensors: Tensors, versions: Iterable[OperatorSetIdProto]
) -> None:
    """Check that an operator can read its inputs together."""
    shapes = {name: _shape(tensors.get(name)) for name in node.input if name}
    if any(inner_graphs(node)) or not node.output:
        return
    result = _shape(tensors.get(node.output[0]))
    reason = _own_reason(node, [shapes.get(name) for name in node.input], result)
    if not reason and None not in shapes.values() and result is None and node.domain in _STANDARD:
        reason = _reason_of_onnx(node, tensors, versions)
    if not reason:
        return
    texts = (f"{name!r} of {_text(shape)}" for name, shape in shapes.items() if shape is not None)
    raise NetworkError(f"{named(node)} cannot read {', '.join(texts)}: {reason}")


def _reason_of_onnx(
    node: NodeProto, tensors: Tensors, versions: Iterable[OperatorSetIdProto]
) -> str:
    """Return why onnx infers no shape of an operator's result, empty if nothing is wrong."""
    from onnx import TensorProto, helper, shape_inference

    read = [tensors[name] for name in dict.fromkeys(node.input) if name]
    graph = helper.make_graph(
        [node],
        "one",
        [tensor for tensor in read if not isinstance(tensor, TensorProto)],
        [helper.make_empty_tensor_value_info(name) for name in node.output if name],
        [tensor for tensor in read if isinstance(tensor, TensorProto)],
    )
    try:
        model = helper.make_model(graph, opset_imports=versions)
        shape_inference.infer_shapes(model, strict_mode=True)
    except Exception as error:  # of a class of onnx's C++ modules
        return one_line(error).rpartition("]")[2].strip()
    return ""


def _own_reason(node: NodeProto, shapes: Sequence[Shape | None], result: Shape | None) -> str:
    """Return what onnx does not find in operators whose result has a shape, empty if nothing."""
    data, weight, bias = (*shapes[:3], None, None, None)[:3]
    if data is None or None in data:
        return ""
    if node.op_type == "Reshape" and result is not None and None not in result:
        sizes = (math.prod(size or 0 for size in shape) for shape in (data, result))
        return "" if len(set(sizes)) == 1 else f"the result has the shape {_text(result)}"
    if node.op_type == "Gemm" and bias is not None and result is not None:
        last = [*bias][::-1]
        fits = len(last) <= 2 and all(
            size in (1, None, wanted) or wanted is None
            for size, wanted in zip(last, [*result][::-1], strict=False)
        )
        return "" if fits else f"the result has the shape {_text(result)}"
    if node.op_type not in _CONVOLUTIONS or weight is None or min(len(data), len(weight)) < 3:
        return ""
    groups = next((item.i for item in node.attribute if item.name == "group"), 1)
    position = _CONVOLUTIONS[node.op_type]
    wanted, results = weight[position] or 0, weight[1 - position] or 0
    into, out = (groups, 1) if node.op_type == "Conv" else (1, groups)
    fits = data[1] == wanted * into and (bias is None or tuple(bias) == (results * out,))
    return "" if fits else "the numbers of channels differ"


def _is_small(tensor: TensorProto) -> bool:
    return bool(math.prod(tensor.dims) <= _MOST_NUMBERS and tensor.data_location != tensor.EXTERNAL)


def _shape(value: ValueInfoProto | TensorProto | None) -> tuple[int | None, ...] | None:
    """Return the sizes of a tensor, None for those that are not known."""
    from onnx import TensorProto

    if isinstance(value, TensorProto):
        return tuple(value.dims)
    if value is None or not value.type.tensor_type.HasField("shape"):
        return None
    return tuple(
        dim.dim_value if dim.HasField("dim_value") and dim.dim_value >= 0 else None
        for dim in value.type.tensor_type.shape.dim
    )


def _agree(first: Shape, second: Shape) -> bool:
    return len(first) == len(second) and all(
        a is None or b is None or a == b for a, b in zip(first, second, strict=True)
    )


def _text(shape: Shape) -> str:
    return f"({', '.join('?' if size is None else str(size) for size in shape)})"
