"""The kernel against scikit-learn's, and its fast means against plain products."""

from __future__ import annotations

import numpy as np
import torch
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern

from pyg_nas.predictors.kernels import MaternLinearKernel, MaternLinearPrior

RNG = np.random.default_rng(0)
INPUTS, KNOWN = (torch.from_numpy(RNG.normal(size=(n, 3))) for n in (300, 7))
KERNEL = MaternLinearKernel(torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64), 1.5, 0.3)


def test_covariances_are_those_of_scikit_learn() -> None:
    theirs = ConstantKernel(1.5) * Matern(1.0, nu=2.5) + ConstantKernel(0.3) * DotProduct(1e-9)
    inputs, known = (KERNEL.scaled(x) for x in (INPUTS, KNOWN))
    expected = theirs(inputs.numpy(), known.numpy())
    np.testing.assert_allclose(KERNEL.covariance(inputs, known), expected, atol=1e-9)
    np.testing.assert_allclose(KERNEL.variances(inputs), theirs.diag(inputs.numpy()), atol=1e-9)


def test_posterior_means_are_products_with_the_covariances() -> None:
    inputs, known = (KERNEL.scaled(x) for x in (INPUTS, KNOWN))
    duals = torch.from_numpy(RNG.normal(size=(7, 2)))
    expected = KERNEL.covariance(inputs, known) @ duals
    found = KERNEL.posterior_means(inputs, known, duals)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    single = KERNEL.posterior_means(inputs, known, duals.float())
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single, expected, atol=1e-3)


def test_groups_share_a_length_and_relevant_inputs_have_their_own() -> None:
    prior = MaternLinearPrior(np.array([0, 0, 1]), np.array([True, True, False]))
    by_group, by_input, _ = prior.parameters()
    with torch.no_grad():
        by_group[:] = torch.tensor([0.0, 1.0])
        by_input[:] = torch.tensor([2.0, -1.0, 5.0])
    weights = prior.kernel().weights.detach().numpy()
    expected = [np.exp(2) / np.sqrt(2), np.exp(-1) / np.sqrt(2), np.exp(1)]
    np.testing.assert_allclose(weights, expected)
