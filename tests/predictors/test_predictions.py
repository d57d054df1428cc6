"""Predictions are one finite number for each architecture, or an error names the architecture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyg_nas.errors import ModelError
from pyg_nas.predictors.predictions import checked_mean_and_std, checked_predictions


def named(row: int) -> str:
    return f"cell {'abc'[row]}"


def test_predictions_of_any_form_become_floats() -> None:
    for values in ([1, 2, 3], np.array([1, 2, 3], np.float32), (1.0, 2.0, 3.0)):
        found = checked_predictions(values, 3, named)
        assert found.dtype == np.float64
        assert found.tolist() == [1, 2, 3]
    for pair in (([1, 2, 3], [0, 1, 2]), np.array([[1, 2, 3], [0, 1, 2]])):
        mean, std = checked_mean_and_std(pair, 3, named)
        assert (mean.tolist(), std.tolist()) == ([1, 2, 3], [0, 1, 2])


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([1.0, 2.0], r"mine must predict one finite value for each of 3 .*shape \[2\]"),
        (np.ones((3, 1)), r"got an array of shape \[3, 1\]"),
        (1.0, r"got an array of shape \[\]"),
        ([1.0, np.nan, 3.0], "got nan for cell b"),
        ([1.0, 2.0, -np.inf], "got -inf for cell c"),
        ([1.0, 1e200, 3.0], r"a value from -1e\+100 to 1e\+100, got 1e\+200 for cell b"),
        (["a", "b", "c"], "predictions of mine: ValueError"),
        (np.ma.masked_equal([1.0, 2.0, 3.0], 2.0), "got nan for cell b"),
        (np.array([1.0, 2.0j, 3.0]), "predictions of mine: TypeError: they are complex"),
        (None, r"got an array of shape \[\]"),
    ],
)
def test_other_predictions_are_refused(values: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        checked_predictions(values, 3, named, "mine")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (np.ones(3), "must return a pair for return_std=True.*got ndarray"),
        (([1, 2, 3], [1, np.nan, 1]), "one finite standard deviation .*got nan for cell b"),
        (([1, 2, np.nan], [1, 1, 1]), "one finite mean .*got nan for cell c"),
        (([1, 2, 3], [1, 1, -0.5]), "at least 0, got -0.5 for cell c"),
        (([1, 2, 3], 0.1), r"got an array of shape \[\]"),
        (np.array(1.0), "must return a pair .*got ndarray"),
    ],
)
def test_other_pairs_are_refused(values: Any, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        checked_mean_and_std(values, 3, named, "mine")
