"""Indices of rows choose what NumPy chooses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from pyg_nas.graphs.row_index import row_numbers, without_ellipsis


@pytest.mark.parametrize(
    ("index", "numbers"),
    [
        (2, [2]),
        (np.int64(-1), [3]),
        ([], []),
        ([3, 0, 0], [3, 0, 0]),
        (slice(None, None, -2), [3, 1]),
        ([True, False, False, True], [0, 3]),
        (np.array([False, True, False, False]), [1]),
    ],
)
def test_rows_are_those_of_an_array(index: Any, numbers: list[int]) -> None:
    found = row_numbers(index, 4)
    assert found.dtype == np.int64
    assert found.tolist() == numbers


def test_rows_outside_are_an_error() -> None:
    for index in (4, [0, -5], [True, False]):
        with pytest.raises(IndexError):
            row_numbers(index, 4)


def test_only_the_form_of_scikit_learn_is_unpacked() -> None:
    rows = np.array([1, 2])
    assert without_ellipsis((rows, ...)) is rows
    for index in (rows, (rows, rows), (1,), (), 3, ...):
        assert without_ellipsis(index) is index
