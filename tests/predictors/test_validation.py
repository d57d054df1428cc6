"""What estimators accept and refuse."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors.validation import (
    DEPTH,
    FLAG,
    SHARE,
    as_cells,
    finite_labels,
    mean_and_std,
    one_of,
    real,
    weighted_cells,
    where,
    whole,
)

CELLS = sample_cells(5, seed=0)
Y = np.arange(5.0)


def test_all_that_holds_cells() -> None:
    array = np.empty(5, dtype=object)
    array[:] = list(CELLS)
    for X in (CELLS, SimpleNamespace(cells=CELLS), list(CELLS), iter(CELLS), array, array[:, None]):
        found = as_cells(X)  # type: ignore[arg-type]
        np.testing.assert_array_equal(found.hashes(), CELLS.hashes())
    for wrong in (5, [1, 2], [], np.zeros((3, 2)), "cells", None):
        with pytest.raises(ModelError, match="X must be a CellArray"):
            as_cells(wrong)  # type: ignore[arg-type]


def test_cells_of_weight_zero_are_left_out() -> None:
    cells, labels, weights = weighted_cells(CELLS, Y, [0, 1, 2, 0, 0.5])
    np.testing.assert_array_equal(cells.hashes(), CELLS.hashes()[[1, 2, 4]])
    assert labels.tolist() == [1, 2, 4]
    assert weights is not None
    assert weights.tolist() == [1, 2, 0.5]
    assert weighted_cells(CELLS, Y, np.ones(5))[2] is None
    assert weighted_cells(CELLS, Y, [0, 1, 1, 0, 1])[2] is None


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 2], r"must be \[5\], got \[2\]"),
        ([1, 1, -1, 1, 1], r"finite numbers >= 0, got -1.0 at 2"),
        (["a", 1, 1, 1, 1], r"must be numbers, one a cell"),
        ([1, 1, 1, 1, float("nan")], "got nan at 4"),
        ([0, 0, 0, 0, 0], "all are zero"),
    ],
)
def test_wrong_weights_are_named(weights: list[float], message: str) -> None:
    with pytest.raises(SettingsError, match=f"sample_weight.*{message}"):
        weighted_cells(CELLS, Y, weights)


def test_weighted_mean_and_std_are_those_of_copies() -> None:
    counts = np.array([1, 3, 2, 1, 4])
    mean, std = mean_and_std(Y, counts.astype(float))
    copies = np.repeat(Y, counts)
    assert (mean, std) == pytest.approx((copies.mean(), copies.std()))


@pytest.mark.parametrize(
    ("rule", "right", "wrong", "text"),
    [
        (whole(least=1), [1, np.int64(3)], [0, 1.0, True, "1", None, 1e300], "a whole number >= 1"),
        (whole(least=1, optional=True), [None, 2], [0], "a whole number >= 1"),
        (whole(), [2**32 - 1], [2**32, 10**300], "at most 4294967295"),
        (real(), [10**300], [10**400], "a finite number"),
        (real(least=0), [0, 0.5, np.float32(2)], [-1, float("nan"), True, "x"], "a finite number"),
        (SHARE, [0, 1, 0.5], [1.01, -0.1, None], "0 to 1|a finite number"),
        (FLAG, [True, np.True_], [1, 0, "yes", None], "true or false"),
        (one_of("a", "b", "c"), ["a", "c"], ["d", 3, None, []], "a, b or c"),
        (where(whole(), lambda n: n % 2 == 0, "even"), [2, -4], [1, 2.0], "even|a whole number"),
    ],
)
def test_rules(rule, right: list, wrong: list, text: str) -> None:  # type: ignore[no-untyped-def]
    for value in right:
        rule("setting", value)
    for value in wrong:
        with pytest.raises(SettingsError, match=f"setting must be ({text}).*, got "):
            rule("setting", value)


@pytest.mark.parametrize("depth", [10**9, 1_001, 0])
def test_no_network_has_a_billion_layers(depth: int) -> None:
    with pytest.raises(SettingsError, match="depth must be"):
        DEPTH("depth", depth)
    DEPTH("depth", 3)


def test_labels_whose_squares_are_not_finite_are_refused() -> None:
    assert finite_labels([1e100, -1e100], 2).tolist() == [1e100, -1e100]
    with pytest.raises(SettingsError, match=r"to 1e\+100, got -1e\+101 at 1"):
        finite_labels([1, -1e101], 2)
