"""Compiled means of cells of which a Gaussian process knows most covariances."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pyg_nas.engine.numba_whitened import whitened_means
from pyg_nas.predictors.gaussian_process.kernels import MaternLinearKernel


@pytest.mark.parametrize("known", [0, 2, 3])
def test_means_and_new_covariances_are_those_of_whole_matrices(known: int) -> None:
    rng = np.random.default_rng(known)
    inputs = rng.normal(size=(7, 5)).astype(np.float32)
    rows = rng.normal(size=(7, 4)).astype(np.float32)
    added, added_rows = rng.normal(size=(3, 5)), rng.normal(size=(3, 4))
    targets, dual = rng.normal(size=4), rng.normal(size=3)
    added[2] = inputs[0]  # a distance of zero
    kernel = MaternLinearKernel(torch.ones(5), 1.5, 0.3)
    covariances = kernel.covariance(torch.from_numpy(added), torch.from_numpy(inputs).double())
    exact = covariances.numpy() - added_rows @ rows.T.astype(np.float64)
    found = np.full((4, 7), np.nan, dtype=np.float32)
    found[:known] = exact[:known]
    squares = (inputs.astype(np.float64) ** 2).sum(axis=1)
    new = added[known:], added_rows[known:]
    means = whitened_means(inputs, squares, rows, found, targets, dual, *new, known, 1.5, 0.3)
    np.testing.assert_allclose(found[:3], exact, rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(means, rows @ targets + dual @ found[:3], rtol=1e-12, atol=1e-12)
    assert np.isnan(found[3]).all()
