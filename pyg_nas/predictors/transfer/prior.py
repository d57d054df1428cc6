"""The prior of the recipe transfer: a mean that is linear in scores without labels, and a variance.

How well the scores rank the cells of a new task is unknown. There are two hypotheses:

- They rank as on the shipped tables. The mean is linear in the scores by tables and, where the
  space has them, in those by untrained networks. The slopes are normal a priori.
- They rank as published. The joint score, which ranks cells without a label, has a correlation of
  0.9 with the latent labels: it is the mean, times 0.9, and the process has 1 - 0.9² of its
  variance. This hypothesis needs the numbers of untrained networks.

Before the labels both are equally probable; then the ratio of their probabilities is that of their
likelihoods of the labels. If few labels follow the joint score, the process hardly departs from it.
If they contradict it, the first hypothesis alone remains.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Prior of the slopes. That of one score was chosen on the shipped tables (experiments/transfer.py);
# where untrained networks give a second score, both have the same.
_SLOPE, _SLOPE_OF_TWO, _SLOPE_VARIANCE = 0.35, 0.25, 0.1
# AZ-NAS was published with a Kendall τ of 0.741 on NAS-Bench-201 (arXiv:2403.19232), which is a
# correlation of sin(0.741 π / 2) = 0.92 of normal variables.
CORRELATION = 0.9


@dataclass(frozen=True)
class Prior:
    """The posterior mean of the prior's parameters.

    Attributes:
        slopes: Of the scores ``[S]``.
        joint_slope: Of the joint score; 0 without one.
        variance: Factor of the process' covariances.
    """

    slopes: Array
    joint_slope: float
    variance: float


def fit_prior(
    scores: Array, joint: Array | None, labels: Array, covariance: Array, noise: Array
) -> Prior:
    """Fit the prior to the labels of ``N`` cells.

    Args:
        scores: Centred scores by tables and, where there are any, by networks, ``[S, N]``.
        joint: Centred joint scores ``[N]``; None where there are none.
        labels: Centred latent labels ``[N]``.
        covariance: Of the process, without noise, ``[N, N]``.
        noise: Variances ``[N]`` of the labels' noise.
    """
    mean_slope = _SLOPE if len(scores) == 1 else _SLOPE_OF_TWO
    measured = covariance + np.diag(noise)
    known = np.linalg.solve(measured, scores.T).T
    slopes = np.linalg.solve(
        known @ scores.T + np.eye(len(scores)) / _SLOPE_VARIANCE,
        known @ labels + mean_slope / _SLOPE_VARIANCE,
    )
    if joint is None:
        return Prior(slopes, 0.0, 1.0)
    rest = 1 - CORRELATION**2
    # Labels and scores are centred, and the covariances are not, which multiplies the odds of the
    # joint score by about 2.
    by_scores = _log_likelihood(
        labels - mean_slope * scores.sum(axis=0), measured + _SLOPE_VARIANCE * scores.T @ scores
    )
    by_joint = _log_likelihood(labels - CORRELATION * joint, rest * covariance + np.diag(noise))
    share = float(1 / (1 + np.exp(np.clip(by_scores - by_joint, -500, 500))))
    return Prior((1 - share) * slopes, share * CORRELATION, 1 - share + share * rest)


def _log_likelihood(residuals: Array, covariance: Array) -> float:
    """Return the logarithm of a normal density at residuals ``[N]``, up to a constant."""
    _, log_determinant = np.linalg.slogdet(covariance)
    return float(-0.5 * (residuals @ np.linalg.solve(covariance, residuals) + log_determinant))
