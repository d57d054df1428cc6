"""Functions and arguments in one form, compared with those by hand and with PyTorch's results."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pyg_nas.spaces.modules.equal_forms import in_one_form, permutation, reordered

X = torch.arange(24).reshape(2, 3, 4)


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("transpose", {"dim0": 1, "dim1": -1}),
        ("swapaxes", {"axis0": 0, "axis1": 1}),
        ("permute", {"dims": (2, 0, -2)}),
        ("movedim", {"source": 0, "destination": -1}),
        ("movedim", {"source": (0, 2), "destination": (1, 0)}),
        ("moveaxis", {"source": -1, "destination": 0}),
    ],
)
def test_permutations_are_those_of_torch(name: str, arguments: dict[str, Any]) -> None:
    named = {("dim" if key == "dims" else key): value for key, value in arguments.items()}
    order = permutation(name, named, 3)
    assert order is not None
    assert torch.equal(X.permute(order), getattr(X, name)(**arguments))


def test_permutations_without_arguments() -> None:
    assert permutation("mT", {}, 3) == [0, 2, 1]
    assert permutation("T", {}, 2) == [1, 0]
    assert permutation("T", {}, 0) is None
    assert permutation("mystery", {}, 2) is None


def test_calls_in_another_order() -> None:
    assert reordered("__rsub__", ["x", 1], {}) == ("sub", [1, "x"], {})
    assert reordered("rsub", ["x"], {"other": 1, "alpha": 2}) == ("sub", [1, "x"], {"alpha": 2})
    assert reordered("masked_fill_", ["x", "m", 0], {}) == ("where", ["m", 0, "x"], {})
    assert reordered("sub", ["x", 1], {}) is None
    assert reordered("masked_fill", ["x"], {}) is None


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        ("sqrt", {}, ("pow", {"other": 0.5})),
        ("l1", {"dim": [1]}, ("norm", {"dim": [1], "p": 1})),
        ("flip", {"dim": [2, -3]}, ("flip", {"dim": [0, 2]})),
        ("gather", {"indices": -1, "dim": 1}, ("select", {"dim": 1, "index": 2})),
        (
            "slice",
            {"starts": [-2], "ends": [2**63 - 1], "dim": [2], "steps": [1]},
            ("slice", {"dim": 2, "index": "range(2, 4)"}),
        ),
        ("pad", {"pads": [1, 2], "dim": [2]}, ("pad", {"pad": [0, 0, 1, 0, 0, 2]})),
        ("pad", {"pad": [1, 2]}, ("pad", {"pad": [0, 0, 1, 0, 0, 2]})),
        ("conv", {"pads": [1, 1, 1, 1]}, ("conv", {"padding": 1})),
        ("conv", {"padding": [1, 2]}, ("conv", {"padding": [1, 2, 1, 2]})),
        ("avgpool", {"padding": 0, "count_include_pad": 0}, ("avgpool", {})),
        ("mystery", {"a": 1}, ("mystery", {"a": 1})),
    ],
)
def test_forms_by_hand(function: str, arguments: dict[str, Any], expected: Any) -> None:
    name, found = in_one_form(function, function, arguments, (2, 3, 4), (2, 3, 4))
    assert (name, {k: v for k, v in found.items() if v is not None}) == expected
