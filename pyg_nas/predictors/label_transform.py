"""The label transform: labels in any unit become latent labels, in which predictors are fitted.

Like an outcome transform in Bayesian optimisation it has a forward and an inverse direction, and
the expectation of the inverse under a normal error of the latent label.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyg_nas.metrics.ranks import Ties, ranks
from pyg_nas.predictors.scale import mean_and_scale

NORMAL_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(31)
"""Standard normal values whose means weighed by :data:`NORMAL_WEIGHTS` are expectations."""
NORMAL_WEIGHTS = _WEIGHTS / _WEIGHTS.sum()

_QUANTILES = (0.1, 0.5, 0.9)
_MOST_QUANTILE_RANGES = 3.0
# Latent labels lie far inside +-100; the mean is interpolated on a grid between these ends.
_FAR = 100.0
_MOST_BEYOND = 5.0  # of the grid past the latent labels of the knots
_GRID, _GRID_CHUNK, _MOST_ERRORS = 4_001, 256, 5.0
_FAR_ERRORS = 9.0  # beyond which the mean of a hinge is the hinge in double precision
_STD_CHUNK = 1_024  # labels whose values at all nodes stay in the processor's cache

_LATENT_CHUNK = 8_192  # labels whose intermediate results stay there


@dataclass(eq=False, repr=False)
class LabelTransform:
    """A strictly increasing, piecewise linear map between labels and latent labels.

    Latent labels are :func:`latent_labels` of the training labels: neither the unit of the labels
    nor a few failed runs matter.

    Args:
        parts: Rows of :func:`latent_parts` whose mean is the latent label; by default all three.
        limits: The least and the largest possible label, at which the map ends.

    Attributes:
        labels_: The knots: training labels in increasing order, float64 ``[K]``.
        latent_: Their latent labels, strictly increasing, float64 ``[K]``.
    """

    parts: tuple[int, ...] = (0, 1, 2)
    limits: tuple[float, float] = (-math.inf, math.inf)

    def fit(
        self, labels: NDArray[np.float64], weights: NDArray[np.float64] | None = None
    ) -> LabelTransform:
        """Take the knots from training labels ``[N]`` and weights above 0 ``[N]``."""
        order = np.argsort(labels, kind="stable")
        if weights is None:
            return self.set_knots(labels[order])
        ordered, weight = labels[order], weights[order]
        # A repeated label has a knot at the rank of its first and of its last copy.
        ends = np.cumsum(weight)
        first = np.minimum(ends - weight + 0.5, ends - weight / 2)
        last = np.maximum(ends - 0.5, ends - weight / 2)
        knots = np.repeat(ordered, 2)
        shares = np.stack([first, last], axis=1).ravel() / ends[-1]
        standard = np.repeat(_standardised_values(ordered, weight), 2)
        latent = _mean_score(_stacked(shares, standard), self.parts)
        # Labels of one copy have one rank. Copies of the mean and the median are nearly at one
        # place, and slopes between such knots would be noise.
        kept = np.concatenate([[True], np.diff(latent) > 1e-9])
        return self.set_knots(knots[kept], latent[kept])

    def set_knots(
        self, labels: NDArray[np.float64], latent: NDArray[np.float64] | None = None
    ) -> LabelTransform:
        """Take over knots ``[K]``: increasing labels, and latent labels where weights made them."""
        self.labels_ = labels
        self.latent_ = latent_labels(labels, "ordinal", self.parts) if latent is None else latent
        return self

    def forward(
        self, labels: NDArray[np.float64], weights: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Return the latent labels of the training labels ``[N]``; equal labels share theirs."""
        if weights is None:
            return latent_labels(labels, parts=self.parts)
        order = np.argsort(labels, kind="stable")
        _, group = np.unique(labels, return_inverse=True)
        total = np.bincount(group, weights)
        shares = ((np.cumsum(total) - total / 2) / total.sum())[group]
        standard = np.empty(len(labels))
        standard[order] = _standardised_values(labels[order], weights[order])
        return _mean_score(_stacked(shares, standard), self.parts)

    def inverse(self, latent: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the labels at latent labels of any shape.

        Beyond the knots the map is straight lines as far as the limits, and then constant.
        """
        known, labels, slopes = self._lines()
        inside = np.interp(latent, known, labels)
        beyond = np.maximum(latent - known[-1], 0) * slopes[-1]
        below = np.maximum(known[0] - latent, 0) * slopes[0]
        return np.asarray(inside + beyond - below, dtype=np.float64)

    def expected_inverse(self, latent: NDArray[np.float64], std: float) -> NDArray[np.float64]:
        """Return the mean labels ``[N]`` at latent labels with a normal error of ``std``.

        :meth:`inverse` is a sum of hinges, and the mean of a hinge has a closed form. It is taken
        on a fine grid, between whose points the mean is nearly straight. It increases and stays
        within the limits, because it is a mean; it is constant where it equals one in all digits.
        """
        from scipy.special import ndtr

        known, labels, slopes = self._lines()
        std = max(std, 1e-6)
        # Of limits far from all training labels the grid has no more than the straight line.
        low = max(known[0], self.latent_[0] - _MOST_BEYOND)
        high = min(known[-1], self.latent_[-1] + _MOST_BEYOND)
        ends = low - _MOST_ERRORS * std, high + _MOST_ERRORS * std
        grid = np.concatenate([[-_FAR], np.linspace(*ends, _GRID), [_FAR]])
        means = np.empty(len(grid))
        bends = np.diff(slopes) * std
        for start in range(0, len(grid), _GRID_CHUNK):
            part = grid[start : start + _GRID_CHUNK]
            # Of far knots, those before are straight lines and those after are zero.
            ends = part[0] - _FAR_ERRORS * std, part[-1] + _FAR_ERRORS * std
            first, last = np.searchsorted(known, ends)
            line = min(first, len(known) - 1)
            straight = labels[line] + slopes[first] * (part - known[line])
            errors = (part[:, None] - known[first:last]) / std  # [chunk, near knots]
            hinges = np.exp(-(errors**2) / 2) / np.sqrt(2 * np.pi) + errors * ndtr(errors)
            means[start : start + _GRID_CHUNK] = straight + hinges @ bends[first:last]
        # Near a limit the last digit of a sum of hinges may be beyond it, or in another order.
        means = np.maximum.accumulate(means.clip(*self.limits))
        found, rises = np.empty(len(latent)), np.diff(means)
        for start in range(0, len(latent), _LATENT_CHUNK):
            rows = slice(start, start + _LATENT_CHUNK)
            found[rows] = _interpolated(latent[rows], grid, means, rises)
        return found

    def inverse_std(
        self, latent: NDArray[np.float64], std: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return the standard deviation ``[N]`` of labels whose latent label has one of ``std``."""
        found = np.empty(len(latent))
        for start in range(0, len(latent), _STD_CHUNK):
            part = slice(start, start + _STD_CHUNK)
            values = self.inverse(latent[part, None] + std[part, None] * NORMAL_NODES)
            # Sums of rows, as the last bits of a matrix product may depend on the row.
            means = (values * NORMAL_WEIGHTS).sum(axis=1, keepdims=True)
            found[part] = np.sqrt(((values - means) ** 2 * NORMAL_WEIGHTS).sum(axis=1))
        return found

    def _lines(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return latent labels and labels at all bends ``[B]``, slopes around them ``[B + 1]``.

        Bends are the knots and the two points where the lines beyond them are at a limit.
        """
        total, labels, known = len(self.labels_), self.labels_, self.latent_
        # Past the best label grow as the upper tenth does, past the worst as all labels do.
        tenth = max(1, total // 10)
        upper = (labels[-1] - labels[-1 - tenth]) / (known[-1] - known[-1 - tenth])
        lower = (labels[-1] - labels[0]) / (known[-1] - known[0])
        slopes = np.concatenate([[lower], np.diff(labels) / np.diff(known), [upper]])
        least, largest = self.limits
        if least > labels[0] - lower * (known[0] + _FAR):
            known = np.concatenate([[known[0] - (labels[0] - least) / lower], known])
            labels, slopes = np.concatenate([[least], labels]), np.concatenate([[0.0], slopes])
        if largest < labels[-1] + upper * (_FAR - known[-1]):
            known = np.concatenate([known, [known[-1] + (largest - labels[-1]) / upper]])
            labels, slopes = np.concatenate([labels, [largest]]), np.concatenate([slopes, [0.0]])
        return known, labels, slopes


def _interpolated(
    latent: NDArray[np.float64],
    grid: NDArray[np.float64],
    means: NDArray[np.float64],
    rises: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Return ``np.interp(latent, grid, means)`` in a tenth of the time; ``rises`` between means.

    Points of the grid have equal distances, except the first and the last, outside all labels.
    """
    low, high = grid[1], grid[-2]
    position = (latent - low) * ((len(grid) - 3) / (high - low)) + 1
    # Between the first two points and the last two, the position is not that of equal distances.
    if latent.min() < low:
        position = np.where(latent < low, (latent - grid[0]) / (low - grid[0]), position)
    if latent.max() > high:
        beyond = len(grid) - 2 + (latent - high) / (grid[-1] - high)
        position = np.where(latent > high, beyond, position)
    index = np.clip(position.astype(np.intp), 0, len(grid) - 2)
    found: NDArray[np.float64] = means[index] + (position - index) * rises[index]
    return found


def latent_labels(
    values: ArrayLike, ties: Ties = "average", parts: tuple[int, ...] = (0, 1, 2)
) -> NDArray[np.float64]:
    """Return the mean of :func:`latent_parts` of labels, of the shape of ``values``.

    Normal scores of ranks stretch the ends of the order, uniform ones compress the differences
    between the best, and the values themselves keep distances.
    """
    return _mean_score(latent_parts(values, ties), parts)


def latent_parts(values: ArrayLike, ties: Ties = "average") -> NDArray[np.float64]:
    """Return three transformed labels of mean zero and variance one, ``[3, N, ...]``.

    The normal and the uniform score of the rank, and the standardised value. Values are clipped at
    three times the distance between the 10 % and the 90 % quantile from the median, because a few
    failed runs would otherwise outweigh all others.

    Args:
        values: The labels, finite, ``[N, ...]``; columns are transformed independently.
        ties: Whether equal labels share their mean rank, or take ranks in their order.
    """
    labels = np.asarray(values, dtype=np.float64)
    shares = (ranks(labels, ties) - 0.5) / len(labels)
    quantiles = np.quantile(labels, _QUANTILES, axis=0)
    inside = _cut_off(labels, quantiles)
    mean, scale = mean_and_scale(inside)
    return _stacked(shares, (inside - mean) / scale)


def _stacked(shares: NDArray[np.float64], standard: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy.special import ndtri

    return np.stack([ndtri(shares), np.sqrt(12) * (shares - 0.5), standard])


def _mean_score(stacked: NDArray[np.float64], parts: tuple[int, ...]) -> NDArray[np.float64]:
    return np.asarray(stacked[list(parts)].mean(axis=0))


def _cut_off(labels: NDArray[np.float64], quantiles: NDArray[np.float64]) -> NDArray[np.float64]:
    low, median, high = quantiles
    reach = _MOST_QUANTILE_RANGES * (high - low)
    return np.clip(labels, median - reach, median + reach)


def _standardised_values(
    ordered: NDArray[np.float64], weight: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Cut off values of mean zero and variance one; ``weight`` copies of each sorted label."""
    inside = _cut_off(ordered, weighted_quantiles(ordered, weight, _QUANTILES))
    mean, scale = mean_and_scale(inside, weight)
    return np.asarray((inside - mean) / scale)


def weighted_quantiles(
    ordered: NDArray[np.float64], weight: NDArray[np.float64], shares: ArrayLike
) -> NDArray[np.float64]:
    """Return quantiles of sorted values ``[N]``; a whole weight means as many copies.

    As NumPy's linear method of the values with their copies.
    """
    ends = np.cumsum(weight)
    first = ends - weight
    last = np.maximum(ends - 1, first)
    positions = np.stack([first, last], axis=1).ravel()
    return np.asarray(np.interp(np.asarray(shares) * last[-1], positions, np.repeat(ordered, 2)))
