"""Reading an ONNX file as a model whose shapes are inferred, without its external weights."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from functools import cache
from typing import TYPE_CHECKING

from pyg_nas.compute.exported import check_onnx
from pyg_nas.errors import NetworkError, one_line
from pyg_nas.io.limits import MOST_ONNX_BYTES, MOST_OPERATORS, MOST_RANGE
from pyg_nas.io.regular_files import read_regular
from pyg_nas.spaces.modules.onnx_constants import single_number, without_constant_nodes
from pyg_nas.spaces.modules.onnx_contradictions import check_shapes
from pyg_nas.spaces.modules.onnx_nodes import inner_graphs, inner_nodes, named
from pyg_nas.spaces.modules.onnx_shapes import with_shapes

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto


def read_model(path: str | os.PathLike[str]) -> tuple[ModelProto, set[str]]:
    """Return the model of a file with its shapes, and the names of its initializers.

    Undetermined sizes of inputs are 1, functions of the file are expanded, and constant operators
    are initializers.

    Raises:
        NetworkError: If the file cannot be read as ONNX, is too large, has shapes that contradict
            each other, or no output.
        SettingsError: If the package ``onnx`` is missing.
    """
    check_onnx(("onnx",))
    import onnx
    from onnx import inliner

    content = read_regular(path, MOST_ONNX_BYTES, NetworkError)
    try:
        model = onnx.load_model_from_string(content)
        # Before version 4 onnx infers no shapes from initializers that are not inputs as well.
        model.ir_version = max(model.ir_version, 4)
        _check_operators(model)
        model = inliner.inline_local_functions(model)
        stored = without_constant_nodes(model.graph)
        _check_ranges(model.graph, {})
        _forget_negative_sizes(model.graph)
        check_shapes(model)
        _determine_sizes(model.graph)
        inferred = with_shapes(model)
    except NetworkError as error:
        raise NetworkError(f"{path}: {error}") from None
    except RecursionError:
        raise NetworkError(f"{path}: a function of the file calls itself") from None
    except Exception as error:  # the checks of onnx raise classes of its C++ modules
        raise NetworkError(f"{path}: cannot be read as ONNX ({one_line(error)})") from None
    if not inferred.graph.output:
        raise NetworkError(f"{path}: the graph has no output")
    return inferred, stored


def _check_operators(model: ModelProto) -> None:
    """Check the number of operators after all function calls are expanded."""
    bodies = {(function.domain, function.name): function.node for function in model.functions}

    @cache
    def size(domain: str, name: str) -> int:
        return total(bodies[domain, name]) if (domain, name) in bodies else 1

    def total(nodes: Iterable[NodeProto]) -> int:
        every = (one for node in nodes for one in (node, *inner_nodes(node)))
        return sum(size(one.domain, one.op_type) for one in every)

    operators = total(model.graph.node)
    if operators > MOST_OPERATORS:
        raise NetworkError(f"{operators:,} operators, at most {MOST_OPERATORS:,}")


def _check_ranges(graph: GraphProto, outer: Mapping[str, TensorProto]) -> None:
    """Check the sizes of constant ranges, because onnx makes an object of every number."""
    constants = {**outer, **{tensor.name: tensor for tensor in graph.initializer}}
    for node in graph.node:
        if node.op_type == "Range" and all(name in constants for name in node.input):
            start, stop, step = (_number(node, constants[name]) for name in node.input)
            if step == 0 or not abs(stop - start) <= MOST_RANGE * abs(step):
                raise NetworkError(
                    f"{named(node)}: a range from {start:g} to {stop:g} in steps of {step:g}, at "
                    f"most {MOST_RANGE:,} numbers are read"
                )
        for inner in inner_graphs(node):
            _check_ranges(inner, constants)


def _number(node: NodeProto, tensor: TensorProto) -> float:
    number = single_number(tensor)
    if number is None:
        raise NetworkError(f"{named(node)}: start, stop and step must be one number each")
    return number


def _forget_negative_sizes(graph: GraphProto) -> None:
    """Remove negative sizes, as which some tools write those that are not determined."""
    for value in (*graph.input, *graph.value_info, *graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_value < 0:
                dim.Clear()


def _determine_sizes(graph: GraphProto) -> None:
    """Let undetermined sizes of inputs be 1, wherever they have the same name."""
    inputs = [dim for value in graph.input for dim in value.type.tensor_type.shape.dim]
    free = {dim.dim_param for dim in inputs if not dim.HasField("dim_value")}
    for dim in inputs:
        if not dim.HasField("dim_value"):
            dim.dim_value = 1
    for value in (*graph.value_info, *graph.output):
        for dim in value.type.tensor_type.shape.dim:
            if dim.dim_param and dim.dim_param in free:
                dim.dim_value = 1
