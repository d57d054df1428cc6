"""Operators of an ONNX file: their names in messages, and the graphs inside them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from onnx import GraphProto, NodeProto


def named(node: NodeProto) -> str:
    """Return how a message names an operator."""
    return f"operator {node.op_type} ({node.name!r})"


def inner_graphs(node: NodeProto) -> Iterator[GraphProto]:
    """Yield the graphs of an operator, such as the branches of ``If``."""
    for item in node.attribute:
        yield from ([item.g] if item.HasField("g") else item.graphs)


def inner_nodes(node: NodeProto) -> Iterator[NodeProto]:
    """Yield the operators of the graphs inside an operator."""
    for graph in inner_graphs(node):
        for inner in graph.node:
            yield inner
            yield from inner_nodes(inner)
