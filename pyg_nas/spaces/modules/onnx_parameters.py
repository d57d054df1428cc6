"""Which constants of an ONNX file are parameters."""

from __future__ import annotations

import math
import re
from collections.abc import Collection, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from pyg_nas.spaces.modules.onnx_constants import constant_of
from pyg_nas.spaces.modules.onnx_macs import COUNTED, PACKED
from pyg_nas.spaces.modules.onnx_nodes import inner_graphs, inner_nodes

if TYPE_CHECKING:
    from onnx import GraphProto, ModelProto, NodeProto, TensorProto

# Positions of inputs that are no parameters: running mean and variance, settings, first states.
_NOT_PARAMETERS = {
    "BatchNormalization": (3, 4),
    "Clip": (1, 2),
    "GRU": (5,),
    "LSTM": (5, 6),
    "Pad": (1, 2, 3),
    "RNN": (5,),
    "Resize": (1, 2, 3),
    "Upsample": (1,),
}
# Positions of parameters among the inputs of operators of rounded numbers, which are no scales or
# zero points.
_ROUNDED = {
    "DequantizeLinear": (0,),
    "QuantizeLinear": (0,),
    "QGemm": (3, 6),
    "QLinearConv": (3, 8),
    "QLinearMatMul": (0, 3),
    "ConvInteger": (1,),
    "MatMulInteger": (0, 1),
    **dict.fromkeys(("QLinearAdd", "QLinearMul"), (0, 3)),
    **dict.fromkeys(PACKED, (1, 5)),
}
IDENTITIES = frozenset({"Identity", "Dropout"})
"""Operators that are no vertices."""
VIEWS = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze"})
"""Operators that move no bytes."""

_MOVEMENTS = VIEWS | IDENTITIES | {"Cast", "Concat", "Expand", "Gather", "Slice", "Transpose"}
# Operators in which a single number with a dimension is learned.
_LEARNED_IN = frozenset({*COUNTED, "PRelu"})
# In the files of PyTorch's exporter: the parameters and buffers of the module, and the names from
# which its optimiser computed a constant.
_PYTORCH = "pytorch"
_SIGNATURE = "pkg.torch.export.ExportedProgram.graph_signature"
_KIND_AND_NAME = re.compile(r"\b(PARAMETER|BUFFER|CONSTANT_TENSOR)\b.*?\btarget='([^']*)'")
_FOLDED_FROM = "pkg.onnxscript.optimizer.folded_from"
_TRACED = "pkg.torch.onnx.fx_node"
_NORMALISES = re.compile(r"\btarget=[\w.]*batch_norm")  # names of weights may contain it, too
_INPUT_AND_PARAMETER = re.compile(r"^(\w+): PARAMETER\b.*?\btarget='([^']*)'", re.MULTILINE)
_READ_BY_TRACED = re.compile(r"%(\w+)")
_QUOTED = re.compile(r"'([^']*)'")


class Weights(NamedTuple):
    """Constants that are parameters or were computed from parameters, by name.

    Args:
        sizes: How many numbers each has.
        parameters: The same, or 0 if the parameters are those of another constant.
    """

    sizes: dict[str, int]
    parameters: dict[str, int]


def weights_of(model: ModelProto, stored: Collection[str]) -> Weights:
    """Return the weights of a model.

    Args:
        stored: Names of the initializers of the file; other constants were operators ``Constant``.
    """
    graph = model.graph
    rounded = {
        node.input[position]
        for node in graph.node
        for position in _ROUNDED.get(node.op_type, ())
        if position < len(node.input)
    }
    settings = _settings(graph)
    factors = {name for node in graph.node if node.op_type in _LEARNED_IN for name in node.input}
    kinds = _kinds(graph)
    # Other tools write this too, and say of no constant whether it is learned.
    computed = _computed(graph) if kinds else {}
    learned = {name for name, kind in kinds.items() if kind == "PARAMETER"}
    of_normalisation = {f"{name}_bias" for name in learned}  # folded into this product
    sizes = {
        sparse.values.name: math.prod(sparse.values.dims) for sparse in graph.sparse_initializer
    }
    packed = {node.input[1]: _packed_size(node) for node in graph.node if node.op_type in PACKED}
    for tensor in graph.initializer:
        name = tensor.name
        size = packed.get(name, math.prod(tensor.dims))
        if model.producer_name == _PYTORCH and name not in stored:
            is_weight = False
        elif name in kinds:
            is_weight = name in learned
        elif kinds and name in computed:
            is_weight = not learned.isdisjoint(computed[name])
        elif name in of_normalisation:
            is_weight = False
        elif kinds:  # of a weight that contains a normalisation the file says nothing
            is_weight = size != 1 or name in factors
        else:
            is_weight = bool(tensor.dims)
        if (is_weight and _is_float(tensor) and name not in settings) or name in rounded:
            sizes[name] = size
    parameters = {name: size for name, size in sizes.items() if name not in computed}
    counted = set(parameters)
    # Rounded weights may be buffers.
    sources = {
        name: computed[name] & learned or computed[name] for name in sizes if name in computed
    }
    for name in sorted(sources, key=lambda name: (len(sources[name]), -sizes[name])):
        parameters[name] = sizes[name] if sources[name] - counted else 0
        counted |= sources[name]
    return Weights(sizes, parameters)


def folded_normalisations(graph: GraphProto) -> dict[str, int]:
    """Return the parameters of each channel of the batch normalisations that are no operators.

    PyTorch's exporter folds one into the product or convolution before it, whose trace is then that
    of the normalisation.

    Returns:
        By the name of the result.
    """
    operands = {name for node in graph.node for name in node.input}  # they count where they are
    listed = _INPUT_AND_PARAMETER.findall(_signature(graph))
    named = {name for name, parameter in listed if parameter not in operands}
    found = {}
    for node in graph.node:
        traced = next((item.value for item in node.metadata_props if item.key == _TRACED), "")
        if node.op_type in COUNTED and _NORMALISES.search(traced):
            read = named.intersection(_READ_BY_TRACED.findall(traced))
            found[node.output[0]] = len(read)
            named -= read  # a shared one counts once
    return found


def left_out(operator: str, inputs: int) -> Sequence[int]:
    """Return the positions of an operator's inputs that are no parameters."""
    if operator in _ROUNDED:
        return [i for i in range(inputs) if i not in _ROUNDED[operator]]
    return [i for i in _NOT_PARAMETERS.get(operator, ()) if i < inputs]


def inner_weights(node: NodeProto) -> Iterator[str]:
    """Yield the names of floating-point constants of several numbers in graphs inside a node."""
    for graph in (graph for one in (node, *inner_nodes(node)) for graph in inner_graphs(one)):
        constants = (constant_of(one) for one in graph.node if one.op_type == "Constant")
        sparse = (tensor.values for tensor in graph.sparse_initializer)
        for tensor in (*graph.initializer, *sparse, *constants):
            if tensor is not None and _is_float(tensor) and math.prod(tensor.dims) > 1:
                yield tensor.name


def _packed_size(node: NodeProto) -> int:
    """Return how many numbers the packed matrix of a product has."""
    sizes = {item.name: item.i for item in node.attribute}
    return int(sizes["K"] * sizes["N"])


def _is_float(tensor: TensorProto) -> bool:
    from onnx import TensorProto

    return tensor.data_type in (
        TensorProto.FLOAT,
        TensorProto.DOUBLE,
        TensorProto.FLOAT16,
        TensorProto.BFLOAT16,
    )


def _signature(graph: GraphProto) -> str:
    """Return the list of a module's tensors by PyTorch's exporter, empty in other files."""
    return next((item.value for item in graph.metadata_props if item.key == _SIGNATURE), "")


def _kinds(graph: GraphProto) -> dict[str, str]:
    """Return the kind of each tensor of the module, where PyTorch's exporter lists them."""
    return {name: kind for kind, name in _KIND_AND_NAME.findall(_signature(graph))}


def _computed(graph: GraphProto) -> dict[str, set[str]]:
    """Return the names from which PyTorch's exporter computed each constant."""
    return {
        value.name: set(_QUOTED.findall(item.value))
        for value in graph.value_info
        for item in value.metadata_props
        if item.key == _FOLDED_FROM
    }


def _settings(graph: GraphProto) -> set[str]:
    """Return tensors that reach only inputs that are no parameters, moved at most.

    The legacy exporter selects the first states of a layer from those of all.
    """
    users: dict[str, list[tuple[NodeProto, int]]] = {}
    for node in graph.node:
        for position, name in enumerate(node.input):
            users.setdefault(name, []).append((node, position))
    results = {value.name for value in graph.output}
    found: set[str] = set()
    tensors = [tensor.name for tensor in graph.initializer]
    for name in [*(node.output[0] for node in reversed(graph.node) if node.output), *tensors]:
        if (
            name in users
            and name not in results
            and all(
                position in _NOT_PARAMETERS.get(node.op_type, ())
                or (node.op_type in _MOVEMENTS and node.output[0] in found)
                for node, position in users[name]
            )
        ):
            found.add(name)
    return found
