"""The prior of the recipe transfer, against the normal distributions of SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from pyg_nas.predictors.transfer.prior import fit_prior

N = 12


def example(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return scores ``[2, N]``, a joint score, a covariance and noise."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=(2, N))
    root = rng.normal(size=(N, N))
    return (
        scores,
        scores.sum(axis=0) + rng.normal(size=N),
        root @ root.T / N,
        rng.uniform(0.1, 1, N),
    )


@pytest.mark.parametrize(("count", "mean"), [(1, 0.35), (2, 0.25)])
def test_slopes_are_those_of_a_bayesian_regression(count: int, mean: float) -> None:
    scores, _, covariance, noise = example(0)
    scores = scores[:count]
    labels = np.random.default_rng(1).normal(size=N)
    prior = fit_prior(scores, None, labels, covariance, noise)
    joint = covariance + np.diag(noise) + 0.1 * scores.T @ scores
    residual = labels - mean * scores.sum(axis=0)
    expected = mean + 0.1 * scores @ np.linalg.solve(joint, residual)
    assert prior.slopes == pytest.approx(expected, rel=1e-9)
    assert (prior.joint_slope, prior.variance) == (0.0, 1.0)


@pytest.mark.parametrize("seed", range(5))
def test_hypotheses_are_weighted_by_their_likelihood(seed: int) -> None:
    scores, joint, covariance, noise = example(seed)
    labels = 0.6 * joint + 0.3 * np.random.default_rng(seed).normal(size=N)
    prior = fit_prior(scores, joint, labels, covariance, noise)
    first = multivariate_normal(
        0.25 * scores.sum(axis=0), covariance + np.diag(noise) + 0.1 * scores.T @ scores
    ).pdf(labels)
    second = multivariate_normal(0.9 * joint, 0.19 * covariance + np.diag(noise)).pdf(labels)
    share = second / (first + second)
    assert prior.joint_slope == pytest.approx(0.9 * share, rel=1e-6)
    assert prior.variance == pytest.approx(1 - 0.81 * share, rel=1e-6)
    by_scores = fit_prior(scores, None, labels, covariance, noise)
    assert prior.slopes == pytest.approx((1 - share) * by_scores.slopes, rel=1e-6, abs=1e-12)


def test_impossible_labels_overflow_nothing() -> None:
    scores, joint, covariance, noise = example(0)
    prior = fit_prior(scores, joint, -1e4 * joint, covariance, noise)
    assert prior.joint_slope == pytest.approx(0.0, abs=1e-100)
    assert prior.variance == 1.0
