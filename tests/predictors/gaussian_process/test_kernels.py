"""The kernel against scikit-learn's, its fast means, and the gradient of its hyper-parameters."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern
from torch import Tensor

from pyg_nas.compute.jit import ENGINE_VARIABLE
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors.gaussian_process.kernels import MaternLinearKernel, MaternLinearPosterior
from pyg_nas.predictors.gaussian_process.regressor import GaussianProcess

RNG = np.random.default_rng(0)
INPUTS, KNOWN = (torch.from_numpy(RNG.normal(size=(n, 3))) for n in (300, 7))
KERNEL = MaternLinearKernel(torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64), 1.5, 0.3)


@pytest.mark.parametrize("count", [300, 1_500])
@pytest.mark.parametrize("engine", ["auto", "torch"])
def test_covariances_are_those_of_scikit_learn(
    count: int, engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENGINE_VARIABLE, engine)
    theirs = ConstantKernel(1.5) * Matern(1.0, nu=2.5) + ConstantKernel(0.3) * DotProduct(1e-9)
    inputs, known = (KERNEL.scaled(x) for x in (INPUTS.repeat(5, 1)[:count], KNOWN))
    inputs[1] = known[1]  # a distance of zero
    expected = theirs(inputs.numpy(), known.numpy())
    np.testing.assert_allclose(KERNEL.covariance(inputs, known), expected, atol=1e-9)
    np.testing.assert_allclose(KERNEL.variances(inputs), theirs.diag(inputs.numpy()), atol=1e-9)


@pytest.mark.parametrize("count", [300, 1_500])
def test_posterior_means_are_products_with_the_covariances(count: int) -> None:
    inputs, known = (KERNEL.scaled(x) for x in (INPUTS.repeat(5, 1)[:count], KNOWN))
    duals = torch.from_numpy(RNG.normal(size=(7, 2)))
    expected = KERNEL.covariance(inputs, known) @ duals
    found = KERNEL.posterior_means(inputs, known, duals)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    single = KERNEL.posterior_means(inputs, known, duals.float())
    assert single.dtype == torch.float32
    np.testing.assert_allclose(single, expected, atol=1e-3)


@settings(max_examples=40, deadline=None)
@given(
    count=st.sampled_from([1, 7, 128, 255, 257, 1_023, 1_025, 1_500, 2_700]),
    known=st.sampled_from([1, 60, 172, 256, 257, 300]),
    width=st.sampled_from([3, 41, 150]),
    single=st.booleans(),
    seed=st.integers(0, 100),
)
def test_equal_inputs_have_equal_means_wherever_they_stand(
    count: int, known: int, width: int, single: bool, seed: int
) -> None:
    """In calls of any size, with as many known inputs as change the size of a block."""
    rng = np.random.default_rng(seed)
    inputs, others = (torch.from_numpy(rng.normal(size=(n, width))) for n in (40, known))
    duals = torch.from_numpy(rng.normal(size=(known, 2)))
    duals = duals.float() if single else duals
    rows = torch.from_numpy(rng.integers(0, len(inputs), count))
    kernel = MaternLinearKernel(torch.ones(width), 1.5, 0.3)
    found = kernel.posterior_means(inputs[rows], others, duals)
    assert torch.equal(found, kernel.posterior_means(inputs, others, duals)[rows])


def test_means_of_an_input_do_not_depend_on_the_number_of_inputs() -> None:
    weights = torch.from_numpy(RNG.uniform(0.1, 0.3, 40))
    kernel = MaternLinearKernel(weights, 1.5, 0.3)
    known = kernel.scaled(torch.from_numpy(RNG.normal(size=(700, 40))))
    # As NumPy joins groups of features: columns lie together.
    inputs = kernel.scaled(torch.from_numpy(RNG.normal(size=(40, 300))).T)
    duals = torch.from_numpy(RNG.normal(size=(700, 9))).float()
    together = kernel.posterior_means(inputs, known, duals)
    for count in (1, 2, 5, 30, 34, 127, 128, 129, 256):
        found = kernel.posterior_means(inputs[:count], known, duals)
        np.testing.assert_array_equal(found, together[:count])


@pytest.fixture
def posterior() -> MaternLinearPosterior:
    """Two equal inputs, a group without inputs, one with relevances, weights above and below 1."""
    inputs = INPUTS[:30, [0, 1, 2, 2, 0]].clone()
    inputs[4] = inputs[5]
    repeats = torch.from_numpy(RNG.choice([0.5, 1.0, 3.0], 30))
    group, relevant = np.array([0, 0, 2, 3, 3]), np.array([True, False, False, False])
    return MaternLinearPosterior(inputs, inputs.sin().sum(dim=1), repeats, group, relevant)


def loss_of(posterior: MaternLinearPosterior, logarithms: Tensor) -> Tensor:
    """The loss by torch operations that autograd differentiates."""
    kernel = posterior.kernel(logarithms)
    scaled = kernel.scaled(posterior.inputs)
    noise = posterior.noise(logarithms) / posterior.repeats
    product = scaled @ scaled.T
    norms = product.diagonal()
    square = 5 * (norms[:, None] + norms - 2 * product).clamp(min=0) + 1e-10
    matern = (1 + square.sqrt() + square / 3) * torch.exp(-square.sqrt())
    covariance = kernel.variance * matern + kernel.linear * product
    factor = torch.linalg.cholesky(covariance + torch.diag(noise))
    dual = torch.cholesky_solve(posterior.targets[:, None], factor).squeeze(1)
    return posterior.loss(logarithms, factor, dual)


def by_autograd(posterior: MaternLinearPosterior, logarithms: Tensor) -> tuple[Tensor, Tensor]:
    with torch.enable_grad():
        variable = logarithms.detach().requires_grad_()
        loss = loss_of(posterior, variable)
        return loss.detach(), torch.autograd.grad(loss, variable)[0]


def test_groups_share_a_length_and_relevant_inputs_have_their_own() -> None:
    posterior = MaternLinearPosterior(
        INPUTS, INPUTS[:, 0], torch.ones(300), np.array([0, 0, 1]), np.array([True, False])
    )
    kernel = posterior.kernel(torch.tensor([0.0, 1.0, 2.0, -1.0, 0.5, 0.25, 0.0]))
    expected = [np.exp(2) / np.sqrt(2), np.exp(-1) / np.sqrt(2), np.exp(1)]
    np.testing.assert_allclose(kernel.weights, expected, rtol=1e-6)
    assert [kernel.variance, kernel.linear] == pytest.approx(np.exp([0.5, 0.25]))


@pytest.mark.parametrize("spread", [0.0, 1.0])
def test_gradient_against_autograd_and_differences(
    posterior: MaternLinearPosterior, spread: float
) -> None:
    start = posterior.start()
    at = start + spread * torch.from_numpy(np.random.default_rng(1).normal(size=len(start)))
    loss, gradient = posterior.loss_and_gradient(at)
    expected, autograd = by_autograd(posterior, at)
    assert float(loss) == pytest.approx(float(expected), rel=1e-12)
    np.testing.assert_allclose(gradient, autograd, rtol=1e-9, atol=1e-9)
    steps = 1e-5 * torch.eye(len(at), dtype=torch.float64)
    differences = [
        (loss_of(posterior, at + step) - loss_of(posterior, at - step)) / 2e-5 for step in steps
    ]
    np.testing.assert_allclose(gradient, torch.stack(differences), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("weighted", [False, True])
def test_tuning_ends_at_the_hyper_parameters_of_autograd(
    monkeypatch: pytest.MonkeyPatch, weighted: bool
) -> None:
    cells = sample_cells(90, seed=0)
    y = np.log(cells.trainable_parameters()) + np.random.default_rng(0).normal(0, 0.1, 90)
    weights = np.random.default_rng(1).choice([0.5, 1.0, 3.0], 90) if weighted else None
    ours = GaussianProcess().fit(cells, y, weights)
    monkeypatch.setattr(MaternLinearPosterior, "loss_and_gradient", by_autograd)
    theirs = GaussianProcess().fit(cells, y, weights)
    for name in ("weights_", "variance_", "linear_", "noise_"):
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-9)
