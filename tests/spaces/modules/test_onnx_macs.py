"""Multiply-accumulates of ONNX's operators against torch's flop counter on the same computation."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from pyg_nas.spaces.modules.onnx_macs import COUNTED, multiply_accumulates


def split(x: Tensor, heads: int) -> Tensor:
    return x.unflatten(-1, (heads, -1)).transpose(1, 2)


def attention(heads: int, others: int) -> Callable[..., Tensor]:
    def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        k, v = (split(x, others).repeat_interleave(heads // others, 1) for x in (k, v))
        return functional.scaled_dot_product_attention(split(q, heads), k, v)

    return attend


@pytest.mark.parametrize(
    ("operator", "function", "shapes", "attributes"),
    [
        ("QLinearConv", lambda x, w: functional.conv2d(x, w), [(2, 4, 9, 9), (6, 4, 3, 3)], {}),
        ("ConvTranspose", functional.conv_transpose2d, [(2, 4, 5, 5), (4, 3, 2, 2)], {}),
        ("MatMulInteger", torch.matmul, [(5, 3, 4), (4, 7)], {}),
        ("Gemm", lambda a, b: a.T @ b, [(4, 3), (4, 7)], {"transA": 1}),
        ("Einsum", None, [(2, 5, 8), (3, 8)], {"equation": b"bij,kj->bik"}),
        ("Einsum", None, [(2, 5, 8), (4, 2, 8, 3)], {"equation": "...ij, ...jk -> ...ik"}),
        ("Einsum", None, [(5, 8), (8, 3)], {"equation": b"ij,jk"}),
        ("Einsum", None, [(2, 5, 8), (2, 8, 3)], {"equation": "...ij, ...jk"}),
        ("Einsum", None, [(2, 7, 6), (6, 4), (4, 5)], {"equation": b"bnd,de,ef->bnf"}),
        ("Einsum", None, [(2, 7, 6), (7, 4), (4, 5)], {"equation": b"bnd,ne,ef->bf"}),
        ("Attention", attention(4, 2), [(2, 5, 8), (2, 7, 4), (2, 7, 6)], {"q_num_heads": 4}),
        (
            "Attention",
            functional.scaled_dot_product_attention,
            [(2, 3, 5, 8), (2, 3, 7, 8), (2, 3, 7, 6)],
            {},
        ),
    ],
)
def test_products_are_those_of_torch(
    operator: str, function: Any, shapes: list[tuple[int, ...]], attributes: dict[str, Any]
) -> None:
    if operator == "Einsum":
        equation = attributes["equation"]
        text = equation if isinstance(equation, str) else equation.decode()

        def function(*factors: Tensor) -> Tensor:
            return torch.einsum(text, *factors)

    factors = [torch.empty(shape, device="meta") for shape in shapes]
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        result = function(*factors)
    if operator == "QLinearConv":
        shapes = [shapes[0], (), (), shapes[1]]
    if attributes.get("q_num_heads"):
        attributes = {**attributes, "kv_num_heads": 2}
    found = multiply_accumulates(operator, shapes, result.shape, attributes)
    assert 2 * found == counter.get_total_flops()


@pytest.mark.parametrize(("operator", "gates"), [("LSTM", 4), ("GRU", 3), ("RNN", 1)])
@pytest.mark.parametrize("directions", [1, 2])
def test_recurrent_layers_by_hand(operator: str, gates: int, directions: int) -> None:
    # 7 steps of 2 sequences of 3 numbers, and 5 units.
    known = [(7, 2, 3), (directions, gates * 5, 3), (directions, gates * 5, 5)]
    unknown = [(7, 2, 3), (), ()]  # the weights are results of operators
    attributes = {"direction": b"bidirectional"} if directions == 2 else {}
    by_hand = 7 * 2 * directions * gates * (5 * 3 + 5 * 5)
    result = (7, directions, 2, 5)
    assert multiply_accumulates(operator, known, result, attributes) == by_hand
    attributes["hidden_size"] = 5
    assert multiply_accumulates(operator, unknown, result, attributes) == by_hand
    assert COUNTED[operator] == slice(1)


@pytest.mark.parametrize("operator", ["Relu", "Magic", "Attention"])
def test_other_operators_have_none(operator: str) -> None:
    assert multiply_accumulates(operator, [(2, 3)], (2, 3), {}) == 0
