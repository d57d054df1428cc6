"""Shapes and types of the tensors of an ONNX file."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pyg_nas.spaces.modules.moved_bytes import bytes_of
from pyg_nas.spaces.modules.onnx_shapes import known_shape

if TYPE_CHECKING:
    from onnx import GraphProto


class KnownTensors:
    """What is known of the tensors of a graph whose shapes were inferred.

    Attributes:
        shapes: Shapes by name, where all sizes are known.
        types: Types such as ``float32`` by name, where they are known.
    """

    def __init__(self, graph: GraphProto) -> None:
        from onnx import helper

        self.shapes: dict[str, tuple[int, ...]] = {}
        self.types: dict[str, str] = {}
        for sparse in graph.sparse_initializer:
            self.shapes[sparse.values.name] = tuple(sparse.dims)
        for tensor in graph.initializer:
            self.shapes[tensor.name] = tuple(tensor.dims)
            self.types[tensor.name] = str(helper.tensor_dtype_to_np_dtype(tensor.data_type))
        for value in (*graph.input, *graph.value_info, *graph.output):
            kind, shape = value.type.tensor_type.elem_type, known_shape(value)
            if value.name not in self.shapes and kind and shape is not None:
                self.shapes[value.name] = shape
                self.types[value.name] = str(helper.tensor_dtype_to_np_dtype(kind))

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a tensor, ``()`` if it is not known."""
        return self.shapes.get(name, ())

    def shape_and_dtype(self, name: str) -> tuple[tuple[int, ...], str]:
        """Return the shape of a tensor, ``()`` if it is not known, and its type, or ``float32``."""
        return self.shape(name), self.types.get(name, "float32")

    def bytes(self, name: str) -> int:
        """Return the bytes of a tensor, 0 if its shape is not known."""
        return bytes_of(*self.shape_and_dtype(name)) if name in self.shapes else 0
