"""Multiply-accumulates of ONNX's operators, computed from shapes and attributes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

Shapes = Sequence[Sequence[int]]

# Position of the weight among the inputs.
_CONVOLUTIONS = {"Conv": 1, "ConvInteger": 1, "DeformConv": 1, "FusedConv": 1, "QLinearConv": 3}
_PRODUCTS = (
    *("Gemm", "FusedGemm", "QGemm"),
    *("MatMul", "FusedMatMul", "MatMulInteger", "QLinearMatMul"),
)
PACKED = ("MatMulNBits", "MatMulBnb4")
"""Products of ``K`` numbers with a matrix of ``N`` columns, several of its numbers in a byte."""

# Matrices of inputs in a step, and as many of states.
_RECURRENT = {"LSTM": 4, "GRU": 3, "RNN": 1}
_ATTENTIONS = ("Attention", "MultiHeadAttention")

COUNTED: Mapping[str, slice] = {
    **{operator: slice(weight, weight + 1) for operator, weight in _CONVOLUTIONS.items()},
    "ConvTranspose": slice(2),
    **dict.fromkeys((*_PRODUCTS, *PACKED, *_RECURRENT), slice(1)),
    **dict.fromkeys(_ATTENTIONS, slice(3)),
    "Einsum": slice(None),
}
"""Operators that have multiply-accumulates, with the inputs whose shapes these depend on."""


def multiply_accumulates(
    operator: str, shapes: Shapes, result: Sequence[int], attributes: Mapping[str, Any]
) -> int:
    """Return the multiply-accumulates of a product or convolution, 0 of other operators.

    Args:
        operator: Its type, as ``Conv``.
        shapes: Of its inputs; empty where unknown.
        result: Shape of its first result.
        attributes: By name, as ``group``.
    """
    if operator in _CONVOLUTIONS:
        return math.prod(result) * math.prod(shapes[_CONVOLUTIONS[operator]][1:])
    if operator == "ConvTranspose":
        return math.prod(shapes[0]) * math.prod(shapes[1][1:])
    if operator in _PRODUCTS and shapes[0]:
        matrix = shapes[0][-2:]
        inner = matrix[0] if attributes.get("transA") else matrix[-1]
        return math.prod(result) * inner
    if operator in PACKED:
        return math.prod(result) * int(attributes["K"])
    if operator == "Einsum":
        return _einsum(attributes["equation"], shapes)
    if operator in _RECURRENT:
        return _recurrent(operator, shapes, attributes)
    if operator in _ATTENTIONS and len(shapes) >= 3:
        return _attention(shapes, attributes)
    return 0


def _recurrent(operator: str, shapes: Shapes, attributes: Mapping[str, Any]) -> int:
    """Each step of each sequence times all matrices, whose own shapes may be unknown."""
    hidden = int(attributes.get("hidden_size", 0)) or shapes[2][-1]
    directions = 2 if attributes.get("direction") in (b"bidirectional", "bidirectional") else 1
    *steps, inputs = shapes[0]
    return math.prod(steps) * directions * _RECURRENT[operator] * hidden * (inputs + hidden)


def _einsum(equation: bytes | str, shapes: Shapes) -> int:
    """Multiply-accumulates of factors that are multiplied one after the other, from the left.

    A product of two has the product of the sizes of its indices. An index that is in one factor
    alone is summed before, another one that no later factor and no result has is summed there.
    """
    text = equation.decode() if isinstance(equation, bytes) else equation
    factors, arrow, result = text.replace(" ", "").partition("->")
    sizes: dict[object, int] = {}
    terms = []
    for term, shape in zip(factors.split(","), shapes, strict=True):
        first, dots, last = term.partition("...")
        hidden = len(shape) - len(first) - len(last)
        # Dimensions of an ellipsis are counted from the last one.
        names = [*first, *([-i for i in range(hidden, 0, -1)] if dots else []), *last]
        terms.append(set(names))
        for name, size in zip(names, shape, strict=True):
            sizes[name] = max(size, sizes.get(name, 1))  # 1 is repeated
    if not arrow:  # the result has the letters that occur once
        result = "".join(letter for letter in factors if factors.count(letter) == 1)
    kept = {name for name in sizes if isinstance(name, int) or str(name) in result}
    found, left = 0, terms[0]
    for position, right in enumerate(terms[1:], start=2):
        later = kept.union(*terms[position:])
        used = (left & right) | ((left | right) & later)
        found += math.prod(sizes[name] for name in used)
        left = used & later
    return found


def _attention(shapes: Shapes, attributes: Mapping[str, Any]) -> int:
    """Products of queries and keys, and of what results with values."""
    query, key, value = shapes[:3]
    if len(query) == len(key) == len(value) == 4:  # [batch, heads, positions, numbers]
        return math.prod(query[:3]) * key[2] * (query[3] + value[3])
    if len(query) == len(key) == len(value) == 3:  # [batch, positions, heads * numbers]
        heads, others = (int(attributes.get(name, 1)) for name in ("q_num_heads", "kv_num_heads"))
        repeated = max(heads // max(others, 1), 1)
        return query[0] * query[1] * key[1] * (query[2] + value[2] * repeated)
    return 0
