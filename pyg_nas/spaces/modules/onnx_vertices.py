"""Vertices of the operators of an ONNX file."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pyg_nas.errors import NetworkError
from pyg_nas.io.text import counted
from pyg_nas.spaces.modules.functions import described, operand_settings
from pyg_nas.spaces.modules.known_numbers import unknown_numbers
from pyg_nas.spaces.modules.moved_bytes import bytes_read
from pyg_nas.spaces.modules.network_graph import NetworkGraph, Vertex
from pyg_nas.spaces.modules.onnx_arguments import operator_arguments
from pyg_nas.spaces.modules.onnx_constants import known_constants
from pyg_nas.spaces.modules.onnx_macs import COUNTED, PACKED, multiply_accumulates
from pyg_nas.spaces.modules.onnx_nodes import inner_nodes, named
from pyg_nas.spaces.modules.onnx_parameters import (
    IDENTITIES,
    VIEWS,
    folded_normalisations,
    inner_weights,
    left_out,
    weights_of,
)
from pyg_nas.spaces.modules.onnx_tensors import KnownTensors
from pyg_nas.spaces.modules.prune import kept_positions, selected
from pyg_nas.spaces.modules.vocabulary import OPERATIONS, normalised

if TYPE_CHECKING:
    from onnx import ModelProto, NodeProto

_ATTRIBUTES = ("kernel", "stride", "groups", "heads")
# Operations whose weights need no name.
_WITH_WEIGHTS = frozenset(
    {
        *("conv", "conv_transpose", "linear", "embedding", "recurrent", "attention", "leaky_relu"),
        *("batch_norm", "layer_norm", "group_norm", "instance_norm", "rms_norm"),
    }
)
_CONTROL_FLOW = frozenset({"If", "Loop", "Scan", "SequenceMap"})


class OnnxVertices:
    """Makes vertices from the nodes of a model, which ONNX stores in topological order."""

    def __init__(self, model: ModelProto, stored: Collection[str], folder: Path) -> None:
        self.graph = model.graph
        self.vertices: list[Vertex] = []
        self.versions = {one.domain: one.version for one in model.opset_import}
        self.constants = known_constants(model.graph, folder)
        self.tensors = KnownTensors(self.graph)
        dense = (tensor.name for tensor in self.graph.initializer)
        sparse = (tensor.values.name for tensor in self.graph.sparse_initializer)
        self.makers: dict[str, tuple[int, ...]] = dict.fromkeys(("", *dense, *sparse), ())
        self.numbers: dict[str, int] = {}  # place of a tensor among several results
        # Numbers of each weight, and the parameters in it that no vertex has yet.
        self.sizes, self.parameters = weights_of(model, stored)
        self.folded = folded_normalisations(self.graph)
        read = {name for node in self.graph.node for name in _read_by(node)}
        learned = {name for node in self.graph.node for name in _parameters_of(node)}
        for name in read - learned:  # constants in the file, which belong to no vertex
            self.parameters.pop(name, None)
        # Numbers of matrices. The exporter of PyTorch writes vectors of equal numbers once.
        matrices = [t.name for t in self.graph.initializer if len(t.dims) > 1]
        self.matrices = {n: i for i, n in enumerate(matrices) if n in self.sizes}
        self.uncounted: dict[int, str] = {}  # vertices whose MACs are not known, for messages
        self.shapeless: dict[int, str] = {}  # vertices with a result of unknown shape
        self.unknown: dict[int, str] = {}  # vertices of unknown operators with weights
        for value in self.graph.input:
            if value.name not in self.sizes and value.name not in self.makers:
                self.makers[value.name] = (len(self.vertices),)
                if value.name not in self.tensors.shapes:
                    self.shapeless[len(self.vertices)] = f"the input {value.name!r}"
                self.vertices.append(
                    Vertex("input", value.name, (), *self.tensors.shape_and_dtype(value.name))
                )

    def add(self, node: NodeProto) -> None:
        """Make a vertex for a node, or connect its input directly if it is an identity."""
        if node.op_type in _CONTROL_FLOW and not self._is_simple_loop(node):
            raise NetworkError(f"{named(node)}: control flow is not supported")
        again = [name for name in node.output if name and name in self.makers]
        if again:
            raise NetworkError(f"{named(node)} makes {again[0]!r}, which is there already")
        missing = [name for name in node.input if name not in self.makers]
        if missing:
            raise NetworkError(
                f"{named(node)} reads {missing[0]!r}, which is no input, no constant and no "
                f"result of an operator before it"
            )
        sources = tuple(source for name in _read_by(node) for source in self.makers.get(name, ()))
        position: tuple[int, ...] = (len(self.vertices),)
        first = 0  # number of the first result
        if node.op_type in IDENTITIES and len(node.input):
            position, first = self.makers[node.input[0]], self.numbers.get(node.input[0], 0)
        for number, name in enumerate(node.output):
            self.makers[name] = position
            self.numbers[name] = number or first
        if node.op_type not in IDENTITIES:
            if any(name and name not in self.tensors.shapes for name in node.output):
                self.shapeless[len(self.vertices)] = named(node)
            self.vertices.append(self._vertex(node, sources))

    def _is_simple_loop(self, node: NodeProto) -> bool:
        """Return whether a node is a loop without multiply-accumulates and weights.

        PyTorch's exporter writes the sums of an ``EmbeddingBag`` so.
        """
        return (
            node.op_type == "Loop"
            and not any(inner.op_type in COUNTED for inner in inner_nodes(node))
            and {*self.sizes, *inner_weights(node)}.isdisjoint(_read_by(node))
        )

    def _vertex(self, node: NodeProto, sources: tuple[int, ...]) -> Vertex:
        from onnx import helper

        attributes = {item.name: helper.get_attribute_value(item) for item in node.attribute}
        read = [name for name in _parameters_of(node) if name in self.sizes]
        operation = normalised(node.op_type)
        if node.op_type in ("MatMul", *PACKED) and node.input[1] in self.sizes:
            operation = "linear"
        if node.op_type == "Gather" and node.input[0] in self.sizes and not attributes.get("axis"):
            operation = "embedding"
        if operation not in OPERATIONS and any(len(self.tensors.shape(name)) > 1 for name in read):
            self.unknown[len(self.vertices)] = named(node)
        kernel = tuple(attributes.get("kernel_shape", ()))
        if operation in ("conv", "conv_transpose") and not kernel:
            kernel = self.tensors.shape(node.input[1])[2:]
        written = 0
        if node.op_type not in VIEWS:
            written = sum(self.tensors.bytes(name) for name in node.output if name)
        result = self.tensors.shape_and_dtype(node.output[0])
        function, settings = self._settings(node, operation, attributes)
        parameters = sum(self.parameters.pop(name, 0) for name in read)
        if node.output[0] in self.folded and result[0]:  # without a shape it has no MACs either
            parameters += self.folded[node.output[0]] * result[0][1]  # of each channel
        return Vertex(
            operation,
            f"{node.name}:{node.op_type}",
            sources,
            *result,
            kernel=kernel,
            stride=tuple(attributes.get("strides", (1,) * len(kernel))),
            groups=int(attributes.get("group", attributes.get("num_groups", 1))),
            heads=int(attributes.get("num_heads", attributes.get("q_num_heads", 1))),
            weights=sum(self.sizes[name] for name in dict.fromkeys(read)),
            parameters=parameters,
            macs=self._macs(node, attributes),
            bytes_read=bytes_read(
                operation,
                [self.tensors.bytes(name) for name in dict.fromkeys(_read_by(node)) if name],
                written,
            ),
            bytes_written=written,
            function=function,
            settings=settings,
            parameter_ids=tuple(self.matrices[name] for name in read if name in self.matrices),
        )

    def _settings(
        self, node: NodeProto, operation: str, attributes: Mapping[str, Any]
    ) -> tuple[str, str]:
        """Return the function of a vertex and its settings."""
        by_weights = normalised(node.op_type) != operation  # a product with them, or their rows
        found = operator_arguments(
            node,
            self.versions.get(node.domain, 1),
            attributes,
            lambda name: self._marked(name, operation),
        )
        if operation == "linear":  # the shapes of its weights say it
            found.pop("transB", None)
        if operation == "split":
            found["parts"] = [self.tensors.shape(name) for name in node.output]
        found["body"] = [inner.op_type for inner in inner_nodes(node)]
        shapes = [self.tensors.shape(name) for name in (*node.input[:1], node.output[0])]
        return described(
            operation if by_weights else node.op_type,
            operation,
            found,
            (shapes[0], shapes[-1]),
            _ATTRIBUTES,
        )

    def _marked(self, name: str, operation: str) -> Any:
        """Return what is known of a tensor that is read; edges show the others."""
        if self.makers.get(name):
            number = self.numbers.get(name, 0)
            return f"#{number}" if number else ""
        if name in self.sizes:
            weights = f"parameter {self.tensors.shape(name)}"
            return "" if operation in _WITH_WEIGHTS else weights
        return self.constants.get(name, unknown_numbers(self.tensors.shape(name)))

    def _macs(self, node: NodeProto, attributes: dict[str, Any]) -> int:
        if node.op_type not in COUNTED:
            return 0
        used = node.input[COUNTED[node.op_type]]
        names = [name for name in (*used, node.output[0]) if name]
        unknown = next((name for name in names if name not in self.tensors.shapes), None)
        if unknown is not None:  # an error, unless the vertex is removed
            self.uncounted[len(self.vertices)] = (
                f"{named(node)}: its multiply-accumulates are not known, because the shape of "
                f"{unknown!r} is not; export the network with fixed sizes"
            )
            return 0
        shapes = [self.tensors.shape(name) for name in node.input]
        return multiply_accumulates(
            node.op_type, shapes, self.tensors.shape(node.output[0]), attributes
        )

    def finish(self, name: str) -> tuple[NetworkGraph, list[str]]:
        """Add the output and remove vertices that do not lead to it.

        Returns:
            The graph, and what is not counted in it, in words.

        Raises:
            NetworkError: If no operator makes an output, or multiply-accumulates are not known.
        """
        outputs = [value.name for value in self.graph.output]
        unmade = [value for value in outputs if value not in self.makers]
        if unmade:
            raise NetworkError(f"no operator makes the output {unmade[0]!r}")
        sources = tuple(source for value in outputs for source in self.makers[value])
        marks = [str(self._marked(one, "")) for one in outputs]
        self.vertices.append(
            Vertex(
                *("output", "output", sources, *self.tensors.shape_and_dtype(outputs[0])),
                settings=" ".join(operand_settings(marks)),
            )
        )
        kept = kept_positions(self.vertices)
        uncounted, shapeless, unknown = (
            [notes[position] for position in kept if position in notes]
            for notes in (self.uncounted, self.shapeless, self.unknown)
        )
        if uncounted:
            raise NetworkError(uncounted[0])
        vertices = selected(self.vertices, kept)
        # Parameters that only pruned vertices or no vertex read still count.
        read = sum(vertex.parameters for vertex in self.vertices)
        unused = read - sum(v.parameters for v in vertices) + sum(self.parameters.values())
        notes = []
        if shapeless:
            notes.append(
                f"{counted(len(shapeless), 'result')} of unknown shape, of which no bytes are "
                f"counted; the first is that of {shapeless[0]}"
            )
        if unknown:
            notes.append(
                f"no multiply-accumulates are counted of {counted(len(unknown), 'operator')} "
                f"outside the vocabulary with weights; the first is {unknown[0]}"
            )
        return NetworkGraph(vertices, unused, {"source": name}), notes


def _read_by(node: NodeProto) -> list[str]:
    """Return the names that a node reads, then those of graphs inside it, each once."""
    if node.op_type == "CastLike":  # only the type of the second is read
        return [*node.input[:1]]
    inside = (name for inner in inner_nodes(node) for name in inner.input)
    return [*node.input, *dict.fromkeys(inside)]


def _parameters_of(node: NodeProto) -> list[str]:
    """Return the names that a node reads, except those that cannot be parameters."""
    others = left_out(node.op_type, len(node.input))
    return [name for i, name in enumerate(_read_by(node)) if i not in others]
