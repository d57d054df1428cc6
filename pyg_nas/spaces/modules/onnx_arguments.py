"""Attributes and inputs of an ONNX operator by their names."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from onnx import NodeProto


class _Schema(NamedTuple):
    """Of an operator.

    Args:
        defaults: Of its attributes.
        inputs: Names.
        several: Whether the last input may be any number of tensors.
    """

    defaults: Mapping[str, Any]
    inputs: tuple[str, ...] = ()
    several: bool = False


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
    if node.op_type == "AveragePool":  # by default it counts in PyTorch
        found["count_include_pad"] = attributes.get("count_include_pad", 0)
    several: list[Any] = []
    for position, name in enumerate(node.input):
        if schema.several and position >= len(schema.inputs) - 1:
            several.append(marked(name))
            found[schema.inputs[-1]] = several
        elif name:
            known = position < len(schema.inputs)
            found[schema.inputs[position] if known else f"input {position}"] = marked(name)
    if node.op_type == "Transpose":
        found.setdefault("perm", None)
    return found


@lru_cache(maxsize=1024)
def _schema(operator: str, domain: str, version: int) -> _Schema:
    from onnx import defs, helper

    try:
        schema = defs.get_schema(operator, version, domain)
    except defs.SchemaError:  # of a runtime's own
        return _Schema({})
    defaults = {
        name: helper.get_attribute_value(item.default_value)
        for name, item in schema.attributes.items()
        if item.default_value.type
    }
    several = any(i.option == defs.OpSchema.FormalParameterOption.Variadic for i in schema.inputs)
    return _Schema(defaults, tuple(item.name for item in schema.inputs), several)
