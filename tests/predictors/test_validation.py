"""What estimators accept and refuse."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors.validation import (
    as_cells,
    finite_labels,
    weighted_cells,
)

CELLS = sample_cells(5, seed=0)
Y = np.arange(5.0)


def test_all_that_has_cells() -> None:
    array = np.empty(5, dtype=object)
    array[:] = list(CELLS)
    for X in (CELLS, SimpleNamespace(cells=CELLS), list(CELLS), iter(CELLS), array, array[:, None]):
        found = as_cells(X)  # type: ignore[arg-type]
        np.testing.assert_array_equal(found.hashes(), CELLS.hashes())
    for wrong in (5, [1, 2], [], np.zeros((3, 2)), "cells", None):
        with pytest.raises(ModelError, match="X must be a CellArray"):
            as_cells(wrong)  # type: ignore[arg-type]
    with pytest.raises(ModelError, match="got an empty list, which names no space"):
        as_cells([])


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
        (["a", 1, 1, 1, 1], r"must be numbers, one per cell"),
        ([1, 1, 1, 1, float("nan")], "got nan at 4"),
        ([0, 0, 0, 0, 0], "all are zero"),
    ],
)
def test_invalid_weights_are_named(weights: list[float], message: str) -> None:
    with pytest.raises(SettingsError, match=f"sample_weight.*{message}"):
        weighted_cells(CELLS, Y, weights)


def test_labels_whose_squares_are_not_finite_are_refused() -> None:
    assert finite_labels([1e100, -1e100], 2).tolist() == [1e100, -1e100]
    with pytest.raises(SettingsError, match=r"to 1e\+100, got -1e\+101 at 1"):
        finite_labels([1, -1e101], 2)


def test_masked_labels_are_not_measured() -> None:
    masked = np.ma.masked_array(np.arange(5), mask=[0, 0, 1, 0, 0])
    with pytest.raises(SettingsError, match="y must be finite, got nan at 2; leave out what"):
        finite_labels(masked, 5)
    assert finite_labels(np.ma.masked_array(np.arange(5)), 5).tolist() == [0, 1, 2, 3, 4]


def test_complex_labels_are_refused() -> None:
    with pytest.raises(SettingsError, match="y must be numbers, one per cell: they are complex"):
        finite_labels(Y + 1j, 5)
