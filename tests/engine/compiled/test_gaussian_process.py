"""Compiled loops of a Gaussian process, against whole matrices."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from pyg_nas.compute.jit import compiled
from pyg_nas.engine.compiled import gaussian_process, weighted_inputs, whitened_sums
from pyg_nas.predictors.gaussian_process.kernels import MaternLinearKernel


@pytest.mark.parametrize("total", [1, 7, 130])
def test_sums_and_new_covariances_are_those_of_whole_matrices(total: int) -> None:
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(total, 5)).astype(np.float32)
    rows = rng.normal(size=(total, 4)).astype(np.float32)
    added, added_rows = rng.normal(size=(6, 5)), rng.normal(size=(6, 4))
    targets, factor = rng.normal(size=10), np.tril(rng.normal(size=(6, 6))) + 3 * np.eye(6)
    added[2] = inputs[0]  # a distance of zero
    kernel = MaternLinearKernel(torch.ones(5), 1.5, 0.3)
    covariances = kernel.covariance(torch.from_numpy(added), torch.from_numpy(inputs).double())
    exact = np.linalg.solve(factor, covariances.numpy() - added_rows @ rows.T.astype(np.float64)).T
    squares = (inputs.astype(np.float64) ** 2).sum(axis=1)
    found = np.full((total, 7), np.nan, dtype=np.float32)
    # First one cell is added, then as many that two groups of products are needed, then none.
    for known, added_in_all in ((0, 1), (1, 6), (6, 6)):
        new = slice(known, added_in_all)
        means, reduced = whitened_sums(
            inputs,
            squares,
            rows,
            found,
            targets[: 4 + added_in_all],
            added[new],
            added_rows[new],
            factor[new, :added_in_all],
            1.5,
            0.3,
        )
        here = found[:, :added_in_all].astype(np.float64)
        np.testing.assert_allclose(here, exact[:, :added_in_all], rtol=1e-6, atol=1e-6)
        expected = rows @ targets[:4] + here @ targets[4 : 4 + added_in_all]
        np.testing.assert_allclose(means, expected, rtol=1e-12, atol=1e-12)
        np.testing.assert_allclose(reduced, (here**2).sum(axis=1), rtol=1e-12, atol=1e-12)
        assert np.isnan(found[:, added_in_all:]).all()


def test_the_exponential_is_that_of_numpy() -> None:
    exponential = gaussian_process._exp_minus

    @compiled
    def of_all(values: np.ndarray, found: np.ndarray) -> None:
        for i in range(len(values)):
            found[i] = exponential(values[i])

    values = np.concatenate([[0.0, 700.0, 1e300], np.geomspace(1e-9, 1e4, 1_000)])
    found = np.empty_like(values)
    of_all(values, found)
    np.testing.assert_allclose(found, np.exp(-values), rtol=0, atol=1e-11)


def test_inputs_are_those_of_array_operations_to_the_last_bit() -> None:
    rng = np.random.default_rng(0)
    features = rng.normal(scale=3, size=(300, 50)).astype(np.float32)
    features[:, 7] = 0.5
    columns = rng.permutation(50)[:37]
    centre, weights = rng.normal(size=(2, 37))
    scale = rng.uniform(1e-3, 2, 37)
    standard = ((features[:, columns] - centre) / scale).clip(-5, 5)
    found = weighted_inputs(features, columns, centre, scale, weights, 5.0)
    assert (np.abs(standard) == 5).any()
    np.testing.assert_array_equal(found, standard * weights)
