"""Which of the scored cells to train next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import SettingsError
from pyg_nas.predictors.label_transform import NORMAL_NODES, NORMAL_WEIGHTS

ACQUISITIONS = ("mean", "ei", "ucb", "thompson")
"""Names of the acquisitions: predicted mean, expected improvement, upper confidence bound and
independent Thompson sampling (the value of each cell is drawn separately, as in BANANAS,
arXiv:1910.11858). All but ``mean`` need a predictor whose ``provides_std`` is true and that has
``predict(cells, return_std=True)``."""

LabelMap = Callable[[NDArray[np.float64]], NDArray[np.float64]]

UCB_WIDTH = 2.0
"""Standard deviations that the upper confidence bound adds to the mean."""


def check_std(acquisition: str, predictor: Any, name: str) -> None:
    """Check that a predictor has what an acquisition needs.

    Raises:
        SettingsError: If it needs standard deviations and ``predictor.provides_std`` is not true.
    """
    if acquisition != "mean" and not getattr(predictor, "provides_std", False):
        raise SettingsError(
            f"acquisition {acquisition!r} needs standard deviations, which {name} does not have "
            f"(it has no true attribute provides_std)"
        )


def check_acquisition(name: str) -> str:
    """Return ``name``.

    Raises:
        SettingsError: If it is not one of :data:`ACQUISITIONS`.
    """
    if name not in ACQUISITIONS:
        raise SettingsError(f"acquisition {name!r} must be one of {', '.join(ACQUISITIONS)}")
    return name


def choose(
    name: str,
    mean: NDArray[np.float64],
    std: NDArray[np.float64] | None,
    k: int,
    best: float,
    rng: np.random.Generator,
    label_at: LabelMap | None = None,
) -> NDArray[np.int64]:
    """Return the indices of the ``k`` cells to train, largest acquisition value first.

    Args:
        name: One of :data:`ACQUISITIONS`.
        mean: Predicted accuracy ``[N]``, or any increasing function of it.
        std: Its standard deviation ``[N]``; needed by all but ``"mean"``.
        k: How many; fewer come back where ``N`` is smaller.
        best: Best accuracy measured so far, for expected improvement.
        rng: For Thompson sampling: each chosen cell is the best of a separate draw.
        label_at: Maps values of ``mean`` to accuracies; None where they are accuracies. Only
            expected improvement needs it: the others depend on the order alone.
    """
    k = min(k, len(mean))
    if check_acquisition(name) == "mean":
        return _top(mean, k)
    if std is None:
        raise SettingsError(f"acquisition {name!r} needs a predictor with standard deviations")
    if name == "ucb":
        return _top(mean + UCB_WIDTH * std, k)
    if name == "ei":
        if label_at is None:
            return _top(expected_improvement(mean, std, best), k, tie_break=mean)
        return _top(mapped_improvement(mean, std, best, label_at), k, tie_break=mean)
    picked: list[int] = []
    taken = np.zeros(len(mean), dtype=bool)
    for _ in range(k):
        draw = np.where(taken, -np.inf, rng.normal(mean, std))
        picked.append(int(draw.argmax()))
        taken[picked[-1]] = True
    return np.array(picked, dtype=np.int64)


def expected_improvement(
    mean: NDArray[np.float64], std: NDArray[np.float64], best: float
) -> NDArray[np.float64]:
    """Return E[max(y - best, 0)] for y normal with ``mean`` and ``std``, ``[N]``.

    Source: Jones, Schonlau and Welch, 1998, equation 15.
    """
    from scipy.special import ndtr

    gain = mean - best
    z = np.divide(gain, std, out=np.zeros_like(gain), where=std > 0)
    density = np.exp(-(z**2) / 2) / np.sqrt(2 * np.pi)
    uncertain = gain * ndtr(z) + std * density
    return np.asarray(np.where(std > 0, uncertain, np.maximum(gain, 0.0)), dtype=np.float64)


def mapped_improvement(
    mean: NDArray[np.float64], std: NDArray[np.float64], best: float, label_at: LabelMap
) -> NDArray[np.float64]:
    """Return E[max(label_at(z) - best, 0)] for z normal with ``mean`` and ``std``, ``[N]``.

    Computed by Gauss-Hermite quadrature. A map that is steep below and flat above makes labels
    skewed. A normal distribution of labels would then give improvements that are impossible.
    """
    improvement = np.zeros(len(mean))
    for node, weight in zip(NORMAL_NODES, NORMAL_WEIGHTS, strict=True):
        improvement += weight * np.maximum(label_at(mean + node * std) - best, 0.0)
    return improvement


def _top(
    score: NDArray[np.float64], k: int, tie_break: NDArray[np.float64] | None = None
) -> NDArray[np.int64]:
    if not k:
        return np.empty(0, dtype=np.int64)
    # Only those at least as good as the k-th best are sorted.
    rows = np.flatnonzero(score >= np.partition(score, len(score) - k)[len(score) - k])
    keys = (-score[rows],) if tie_break is None else (-tie_break[rows], -score[rows])
    return np.asarray(rows[np.lexsort(keys)[:k]], dtype=np.int64)
