"""Constants of an ONNX file: nodes that are constants, and branches that constants choose."""

from __future__ import annotations

import math
from collections import deque
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.spaces.modules.known_numbers import are_weights, known_numbers
from pyg_nas.spaces.modules.onnx_nodes import inner_graphs, inner_nodes

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto, TensorProto

_MOST_BYTES_OF_NUMBER = 16
_RESIZED = frozenset({"Resize", "Upsample"})  # by floating-point numbers that are no weights
_MOST_SCALES = 16
# Conditions are followed through these alone.
_SAME_CONDITION = frozenset({"Identity", "Cast"})


def without_constant_nodes(graph: GraphProto) -> set[str]:
    """Replace nodes that are constants by initializers, and choices by the branch that is taken.

    An ``If`` is replaced if its condition is a number in the file.

    Returns:
        Names of the initializers that were no nodes, also of branches that are taken.
    """
    numbers = {tensor.name: single_number(tensor) for tensor in graph.initializer}
    stored = set(numbers)
    others = len(graph.initializer)
    kept: list[NodeProto] = []
    waiting = deque(graph.node)
    while waiting:
        node = waiting.popleft()
        condition = numbers.get(node.input[0]) if node.input else None
        if node.op_type == "Constant" and (tensor := constant_of(node)) is not None:
            graph.initializer.append(tensor)
            numbers[tensor.name] = single_number(tensor)
        elif node.op_type == "If" and condition is not None:
            nodes, tensors = _branch(node, taken=bool(condition))
            waiting.extendleft(reversed(nodes))
            graph.initializer.extend(tensors)
            numbers.update((tensor.name, single_number(tensor)) for tensor in tensors)
            stored.update(tensor.name for tensor in tensors)
        else:
            if condition is not None and node.op_type in _SAME_CONDITION:
                numbers[node.output[0]] = condition
            elif condition is not None and node.op_type == "Not":
                numbers[node.output[0]] = float(not condition)
            kept.append(node)
    del graph.node[:]
    graph.node.extend(kept)
    _forget_types(graph, {tensor.name for tensor in graph.initializer[others:]})
    return stored


def _forget_types(graph: GraphProto, names: set[str]) -> None:
    """Remove what the file says about the types of constants, because the tensors say it.

    Shape inference of onnx does not trust a constant with a type that has no shape.
    """
    others = [value for value in graph.value_info if value.name not in names]
    del graph.value_info[:]
    graph.value_info.extend(others)


def single_number(tensor: TensorProto) -> float | None:
    """Return the number of a tensor, None if it has another size or is in another file."""
    from onnx import TensorProto, numpy_helper

    external = tensor.data_location == TensorProto.EXTERNAL
    if external or math.prod(tensor.dims) != 1 or len(tensor.raw_data) > _MOST_BYTES_OF_NUMBER:
        return None
    try:
        return float(numpy_helper.to_array(tensor).item())
    except (TypeError, ValueError):  # a text
        return None


def known_constants(graph: GraphProto, folder: Path) -> dict[str, Any]:
    """Return what is known of the numbers of constants that are no weights.

    Args:
        graph: With the constants.
        folder: Of the file, in which whole numbers may be in another file.
    """
    from onnx import helper, numpy_helper

    found = {}
    resized = (node for node in graph.node if node.op_type in _RESIZED)
    scales = {name for node in resized for name in node.input[1:]}
    for tensor in graph.initializer:
        dtype, size = helper.tensor_dtype_to_np_dtype(tensor.data_type), math.prod(tensor.dims)
        is_scale = tensor.name in scales and size <= _MOST_SCALES
        if are_weights(dtype.kind, dtype.itemsize, size) and not is_scale:
            continue
        try:
            external = tensor.data_location == tensor.EXTERNAL
            array = _external(tensor, folder) if external else numpy_helper.to_array(tensor)
        except (OSError, TypeError, ValueError):
            continue
        if array is not None:
            found[tensor.name] = array.tolist() if is_scale else known_numbers(array)
    return found


def _external(tensor: TensorProto, folder: Path) -> NDArray[Any] | None:
    """Return the numbers of a tensor in a file beside that of the network, None without it."""
    from onnx import helper

    place = {item.key: item.value for item in tensor.external_data}
    path = folder / place.get("location", "")
    dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type).newbyteorder("<")
    size = math.prod(tensor.dims)
    if path.parent != folder or path.is_symlink() or not path.is_file():
        return None
    offset = int(place.get("offset", 0))
    if offset < 0 or offset + size * dtype.itemsize > path.stat().st_size:
        return None
    return np.fromfile(path, dtype, size, offset=offset).reshape(tuple(tensor.dims))


def constant_of(node: NodeProto) -> TensorProto | None:
    """Return the tensor of a node ``Constant``; None if it is sparse or a text."""
    from onnx import TensorProto, helper

    values = {item.name: helper.get_attribute_value(item) for item in node.attribute}
    if isinstance(values.get("value"), TensorProto):
        tensor = TensorProto()
        tensor.CopyFrom(values["value"])
        tensor.name = node.output[0]
        return tensor
    for name, dtype in (("value_float", TensorProto.FLOAT), ("value_int", TensorProto.INT64)):
        if name in values:
            return helper.make_tensor(node.output[0], dtype, [], [values[name]])
        if (listed := values.get(f"{name}s")) is not None:
            return helper.make_tensor(node.output[0], dtype, [len(listed)], listed)
    return None


def _branch(node: NodeProto, *, taken: bool) -> tuple[list[NodeProto], list[TensorProto]]:
    """Return nodes and tensors of a branch of ``If``, whose results have the names of its outputs.

    Other names in the branch are made unique, because two branches may have the same.
    """
    from onnx import helper

    wanted = "then_branch" if taken else "else_branch"
    graph = next(item.g for item in node.attribute if item.name == wanted)
    nodes, tensors = list(graph.node), list(graph.initializer)
    names = [*(tensor.name for tensor in tensors), *(name for one in nodes for name in one.output)]
    own = {name: f"{node.output[0]}/{name}" for name in names if name}
    for tensor in tensors:
        tensor.name = own[tensor.name]
    for one in nodes:
        _rename(one, own)
    for result, name in zip(graph.output, node.output, strict=True):
        source = own.get(result.name, result.name)
        nodes.append(helper.make_node("Identity", [source], [name]))
    return nodes, tensors


def _rename(node: NodeProto, names: dict[str, str]) -> None:
    """Rename what a node reads and makes, also in graphs inside it."""
    for one in (node, *inner_nodes(node)):
        one.input[:] = [names.get(name, name) for name in one.input]
        one.output[:] = [names.get(name, name) for name in one.output]
        for result in (result for graph in inner_graphs(one) for result in graph.output):
            result.name = names.get(result.name, result.name)
