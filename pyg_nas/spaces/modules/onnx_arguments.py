"""Attributes and inputs of an ONNX operator by their names."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto

_MOST_NUMBERS = 64  # of a constant that is written


class _Schema(NamedTuple):
    defaults: Mapping[str, Any]
    inputs: tuple[str, ...]


def operator_arguments(
    node: NodeProto,
    version: int,
    attributes: Mapping[str, Any],
    marked: Callable[[str], Any],
) -> dict[str, Any]:
    """Return the attributes of an operator that are not defaults, and its inputs, by name.

    Args:
        node: The operator.
        version: Of its operator set.
        attributes: Its attributes.
        marked: Returns what is known of an input.
    """
    from onnx import GraphProto

    schema = _schema(node.op_type, node.domain, version)
    # Another number may mean the same dimension as the default.
    found = {name: value for name, value in schema.defaults.items() if name == "axis"}
    found |= {
        name: value
        for name, value in attributes.items()
        if not isinstance(value, GraphProto) and value != schema.defaults.get(name)
    }
    if node.op_type == "AveragePool":  # as in PyTorch, where padding counts
        counted = found.pop("count_include_pad", 0) or not any(attributes.get("pads", ()))
        found |= {} if counted else {"count_include_pad": False}
    for position, name in enumerate(node.input):
        if name:
            last = len(schema.inputs) - 1
            key = schema.inputs[position] if position <= last else f"input {position}"
            found[key] = marked(name)
    if node.op_type == "Pad":  # not those of a window
        found["pad"] = found.pop("pads", None)
    if node.op_type == "Transpose":
        found.setdefault("perm", None)
    return found


def small_constants(graph: GraphProto) -> dict[str, Any]:
    """Return the numbers of small constants: integers, and single numbers of any type."""
    from onnx import TensorProto, numpy_helper

    found = {}
    for tensor in graph.initializer:
        size = math.prod(tensor.dims)
        if size > _MOST_NUMBERS or tensor.data_location == TensorProto.EXTERNAL:
            continue
        try:
            array = numpy_helper.to_array(tensor)
        except (TypeError, ValueError):
            continue
        if array.dtype.kind in "iub" or (size == 1 and array.dtype.kind == "f"):
            found[tensor.name] = array.reshape(-1).tolist() if array.ndim else array.item()
    return found


@lru_cache(maxsize=1024)
def _schema(operator: str, domain: str, version: int) -> _Schema:
    from onnx import defs, helper

    try:
        schema = defs.get_schema(operator, version, domain)
    except defs.SchemaError:  # of a runtime's own
        return _Schema({}, ())
    defaults = {
        name: helper.get_attribute_value(item.default_value)
        for name, item in schema.attributes.items()
        if item.default_value.type
    }
    return _Schema(defaults, tuple(item.name for item in schema.inputs))
