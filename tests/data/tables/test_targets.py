"""Targets by hand."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.data.tables.targets import checked_targets
from pyg_nas.errors import TableError


def test_numbers_become_float64_and_may_be_missing() -> None:
    found = checked_targets({"latency": [1, float("nan")]}, 2, ("hash",))
    np.testing.assert_array_equal(found["latency"], np.array([1.0, np.nan]))
    assert found["latency"].dtype == np.float64
    assert checked_targets(None, 2, ()) == {}


@pytest.mark.parametrize(
    ("name", "values", "message"),
    [
        ("", [1, 2], "without a slash, other than '.' and hash"),
        ("a/b", [1, 2], "'a/b' must have a name without a slash"),
        (".", [1, 2], "'.' must have a name without a slash"),
        ("a\0b", [1, 2], "must have a name without a slash"),
        ("hash", [1, 2], "other than '.' and hash"),
        ("latency", ["fast", 2], "'latency' must be numbers: could not convert .* 'fast'"),
        ("latency", [1], r"must be \[2\] numbers, .* got shape \[1\]"),
        ("latency", [1, -np.inf], r"must be \[2\] numbers, .* got -inf"),
        ("latency", [1, np.inf], "or NaN for not measured, got inf"),
        ("latency", [1e101, np.nan], r"from -1e\+100 to 1e\+100, .* got 1e\+101"),
    ],
)
def test_invalid_targets_are_named(name: str, values: list[object], message: str) -> None:
    with pytest.raises(TableError, match=message):
        checked_targets({name: values}, 2, ("hash",))
