"""Quality of predictions: squared error in points, rank correlations, the best of the top K.

Every function of measured and predicted values raises ``SettingsError`` unless both are finite
numbers ``[N]`` of at least one cell.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyg_nas.errors import SettingsError, check_count
from pyg_nas.metrics.ranks import ranks

TOP_K = (1, 10, 100)
"""K of the reported best measured value among the top K predicted cells."""

_MOST_COMPARED = 2_000  # values all of whose pairs are compared: importing SciPy's τ takes longer


def are_fractions(values: ArrayLike) -> bool:
    """Return whether values are fractions, which are shown in percent."""
    known = np.asarray(values, dtype=np.float64)
    known = known[~np.isnan(known)]
    return len(known) > 0 and bool(known.min() >= 0 and known.max() <= 1)


def mean_squared_error(measured: ArrayLike, predicted: ArrayLike, fractions: bool = True) -> float:
    """Return the mean squared error in :func:`mse_unit`.

    Args:
        measured: ``[N]``.
        predicted: ``[N]``.
        fractions: Whether the labels are fractions, by :func:`are_fractions` of all labels: the
            few compared ones may be between 0 and 1 by chance.
    """
    truth, guess = _pair(measured, predicted)
    return float(np.mean(((100.0 if fractions else 1.0) * (truth - guess)) ** 2))


def mse_unit(fractions: bool) -> str:
    """Return the unit of a mean squared error in a file: squared points, or the label's square."""
    return "points^2" if fractions else "label^2"


def kendall_tau(measured: ArrayLike, predicted: ArrayLike) -> float:
    """Return Kendall's τ-b; NaN if either side is constant, so that τ is not defined."""
    truth, guess = _pair(measured, predicted)
    if len(truth) > _MOST_COMPARED:
        from scipy.stats import kendalltau

        return float(kendalltau(truth, guess).statistic)
    order, guessed = (np.sign(side[:, None] - side).ravel() for side in (truth, guess))
    # Pairs in the same order minus the others, and pairs that are not tied; each is there twice.
    agreement, untied, untied_guesses = (
        float(first @ second) / 2
        for first, second in ((order, guessed), (order, order), (guessed, guessed))
    )
    if untied == 0 or untied_guesses == 0:
        return float("nan")
    return float(np.clip(agreement / np.sqrt(untied) / np.sqrt(untied_guesses), -1.0, 1.0))


def spearman(measured: ArrayLike, predicted: ArrayLike) -> float:
    """Return Spearman's rank correlation; NaN if either side is constant."""
    truth, guess = (ranks(side) for side in _pair(measured, predicted))
    if len(truth) < 2 or np.ptp(truth) == 0 or np.ptp(guess) == 0:
        return float("nan")
    return float(np.corrcoef(truth, guess)[0, 1])


def r2(measured: ArrayLike, predicted: ArrayLike) -> float:
    """Return the coefficient of determination; NaN if all measured values are equal."""
    truth, guess = _pair(measured, predicted)
    if np.ptp(truth) == 0:
        return float("nan")
    return float(1 - ((truth - guess) ** 2).sum() / ((truth - truth.mean()) ** 2).sum())


def relative_errors(measured: ArrayLike, predicted: ArrayLike) -> NDArray[np.float64] | None:
    """Return the errors as shares of the measured values, ``[N]``; None if one is not above 0."""
    truth, guess = _pair(measured, predicted)
    return np.abs(guess - truth) / truth if truth.min() > 0 else None


def best_in_top(
    measured: ArrayLike, predicted: ArrayLike, k: int, larger_is_better: bool = True
) -> float:
    """Return the best measured value among the ``k`` best predicted cells.

    Ties of predictions are broken against the predictor: among cells with equal predictions, the
    worst measured ones rank first.

    Args:
        measured: ``[N]``.
        predicted: ``[N]``, estimates of the measured values.
        k: Number of cells considered.
        larger_is_better: False for costs such as seconds, where smaller is better.

    Raises:
        SettingsError: If ``k`` is below 1.
    """
    truth, guess = _pair(measured, predicted)
    check_count("top K", k)
    sign = 1.0 if larger_is_better else -1.0
    order = np.lexsort((sign * truth, -sign * guess))
    return sign * float((sign * truth[order[:k]]).max())


def regret_in_top(
    measured: ArrayLike, predicted: ArrayLike, k: int, larger_is_better: bool = True
) -> float:
    """Return the difference of :func:`best_in_top` from the best measured value of all."""
    truth, _ = _pair(measured, predicted)
    best = truth.max() if larger_is_better else truth.min()
    return abs(float(best) - best_in_top(measured, predicted, k, larger_is_better))


def regression_metrics(
    measured: ArrayLike,
    predicted: ArrayLike,
    larger_is_better: bool = True,
    fractions: bool | None = None,
) -> dict[str, float]:
    """Return all metrics of this module by name; ``n`` is the number of cells.

    Costs also have ``median_relative_error`` and ``mean_relative_error`` (MAPE) as fractions, if
    all measured values are above 0.

    Args:
        measured: ``[N]``.
        predicted: ``[N]``.
        larger_is_better: False for costs such as seconds.
        fractions: Whether the error is in squared points (:func:`mean_squared_error`); None for
            whether the measured values are fractions.
    """
    truth, guess = _pair(measured, predicted)
    figures = {
        "mse": mean_squared_error(
            truth, guess, are_fractions(truth) if fractions is None else fractions
        ),
        "kendall_tau": kendall_tau(truth, guess),
        "spearman": spearman(truth, guess),
        "r2": r2(truth, guess),
        "n": len(truth),
    }
    errors = None if larger_is_better else relative_errors(truth, guess)
    if errors is not None:
        figures["median_relative_error"] = float(np.median(errors))
        figures["mean_relative_error"] = float(errors.mean())
    for k in TOP_K:
        if k <= len(truth):
            figures[f"best_in_top_{k}"] = best_in_top(truth, guess, k, larger_is_better)
            figures[f"regret_in_top_{k}"] = regret_in_top(truth, guess, k, larger_is_better)
    return figures


def _pair(
    measured: ArrayLike, predicted: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    truth = np.asarray(measured, dtype=np.float64)
    guess = np.asarray(predicted, dtype=np.float64)
    # [N] against [N, 1] would broadcast to N x N differences.
    if truth.shape != guess.shape or truth.ndim != 1:
        raise SettingsError(
            f"measured and predicted must both be [N], got {truth.shape} and {guess.shape}"
        )
    if len(truth) == 0:
        raise SettingsError("there is no cell to evaluate on")
    if not np.isfinite(truth).all() or not np.isfinite(guess).all():
        raise SettingsError("measured and predicted values must be finite")
    return truth, guess
