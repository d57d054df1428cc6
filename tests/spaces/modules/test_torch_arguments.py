"""Arguments of calls by name, compared with the calls by hand."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from pyg_nas.spaces.modules.torch_arguments import named_arguments

X = torch.zeros(2, 3)


def _by_name(*, x: int, y: int = 2) -> int:
    return x + y


@pytest.mark.parametrize(
    ("function", "name", "given", "expected"),
    [
        (functional.elu, "elu", ((X,), {"alpha": 1.0}), {}),
        (functional.elu, "elu", ((X, 0.5), {"inplace": False}), {"alpha": 0.5}),
        (torch.conv2d, "conv2d", ((X, X, None, (1, 1), (2, 2)), {}), {"padding": (2, 2)}),
        (Tensor.mean, "mean", ((X, (0, 1)), {"keepdim": True}), {"dim": (0, 1), "keepdim": True}),
        (Tensor.permute, "permute", ((X, 1, 0), {}), {"dims": (1, 0)}),
        (Tensor.add, "add", ((X, 2), {}), {"other": 2}),
        (functional.glu, "glu", ((X,), {}), {"dim": -1}),
        (torch.ops.aten.elu.default, "elu", ((X, 0.5), {}), {"alpha": 0.5}),
        (
            functional.max_pool2d,
            "max_pool2d",
            ((X, 2), {"return_indices": False}),
            {"kernel_size": 2},
        ),
        (
            Tensor.__getitem__,
            "__getitem__",
            ((X, (0, slice(None))), {}),
            {"index": [0, slice(None)]},
        ),
        (torch.einsum, "einsum", (("ab->b", X), {}), {"equation": "ab->b"}),
        (Tensor.amax, "amax", ((X, 1), {}), {"dim": 1}),
        (Tensor.std, "std", ((X, 1), {}), {"dim": 1}),
        (Tensor.std, "std", ((X, False), {}), {"unbiased": False}),
        (Tensor.std, "std", ((X, 1), {"unbiased": False}), {"dim": 1, "unbiased": False}),
        (torch.roll, "roll", ((X, 1, 1), {}), {"shifts": 1, "dims": 1}),
        (torch.full, "full", (((2,), 3.0), {}), {"size": (2,), "fill_value": 3.0}),
        (_by_name, "by_name", ((), {"x": 1, "y": 2}), {"x": 1}),
        (_by_name, "by_name", ((3,), {}), {"0": 3}),
        (None, "clamp_min", ((X, 1), {}), {"min": 1}),
    ],
)
def test_arguments_that_are_no_defaults(
    function: Any, name: str, given: Any, expected: dict[str, Any]
) -> None:
    found = named_arguments(function, name, given)
    given = {k: v for k, v in found.items() if not isinstance(v, (Tensor, list)) or k == "index"}
    assert {k: v for k, v in given.items() if v is not None} == expected


def test_a_function_of_an_unknown_signature_has_positions() -> None:
    assert named_arguments(nn.Identity(), "mystery", ((3,), {"b": 4})) == {"0": 3, "b": 4}
