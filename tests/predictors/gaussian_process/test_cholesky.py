"""Factors in place and blocks of inverses against NumPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pyg_nas.predictors.gaussian_process.cholesky import (
    factored_in_place,
    inverse_blocks,
    inverse_diagonal,
    solved,
)


@pytest.mark.parametrize("size", [1, 40, 600])
def test_factor_and_inverse_equal_those_of_numpy(size: int) -> None:
    rng = np.random.default_rng(size)
    root = rng.normal(size=(size, size))
    matrix = root @ root.T + size * np.eye(size)
    given = torch.from_numpy(matrix.copy())
    factor = factored_in_place(given)
    assert factor.data_ptr() == given.data_ptr()
    np.testing.assert_allclose(factor, np.linalg.cholesky(matrix), rtol=1e-9, atol=1e-9)
    inverse = np.linalg.inv(matrix)
    np.testing.assert_allclose(inverse_diagonal(factor), inverse.diagonal(), rtol=1e-9)
    targets = rng.normal(size=size)
    found = solved(factor, torch.from_numpy(targets))
    np.testing.assert_allclose(found, inverse @ targets, rtol=1e-8, atol=1e-10)
    groups = [
        torch.from_numpy(part) for part in np.array_split(rng.permutation(size), 1 + size // 4)
    ]
    for group, block in zip(groups, inverse_blocks(factor, groups), strict=True):
        expected = inverse[np.ix_(group, group)]
        np.testing.assert_allclose(block, expected, rtol=1e-8, atol=1e-12)


def test_no_groups_have_no_blocks() -> None:
    assert list(inverse_blocks(torch.eye(3, dtype=torch.float64), [])) == []


def test_matrix_that_is_not_positive_definite_is_refused() -> None:
    with pytest.raises(torch.linalg.LinAlgError):
        factored_in_place(-torch.eye(3, dtype=torch.float64))
