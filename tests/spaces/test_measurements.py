"""Budgets of tables, campaigns and early stopping."""

from __future__ import annotations

import pytest

from pyg_nas.spaces.measurements import are_budgets


@pytest.mark.parametrize(
    ("epochs", "expected"),
    [
        ((4,), True),
        ([4, 12, 36], True),
        ((), False),
        ((0, 4), False),
        ((-1,), False),
        ((4, 4), False),
        ((12, 4), False),
    ],
)
def test_budgets_ascend_from_one(epochs: tuple[int, ...], expected: bool) -> None:
    assert are_budgets(epochs) is expected
