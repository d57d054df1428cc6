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

_MEANS, _STDS = 256, 32  # boxes of means and standard deviations for the bounds of improvements

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
        mean: Predicted accuracy ``[N]``, negated cost, or any increasing function of either.
        std: Its standard deviation ``[N]``; needed by all but ``"mean"``.
        k: How many; fewer come back where ``N`` is smaller.
        best: Best accuracy or negated cost measured so far, for expected improvement.
        rng: For Thompson sampling: each chosen cell is the best of a separate draw.
        label_at: Increasing map from values of ``mean`` to those of ``best``; None where they are
            the same. Only expected improvement needs it: the others depend on the order alone.
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
        return _top_mapped(mean, std, best, label_at, k)
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


def improvement_bounds(
    mean: NDArray[np.float64], std: NDArray[np.float64], best: float, label_at: LabelMap
) -> NDArray[np.float64]:
    """Return upper bounds ``[N]`` of :func:`mapped_improvement`, in a fraction of its time.

    Means and standard deviations are put into boxes. A bound is the improvement at the highest mean
    of a box, with its largest standard deviation above the mean and its smallest below it.
    """
    means, mean_box = _boxes(mean, _MEANS)
    stds, std_box = _boxes(std, _STDS)
    above = NORMAL_NODES[:, None] > 0
    ends = NORMAL_NODES[:, None] * np.where(above, stds[1:], stds[:-1])  # [nodes, stds]
    at = means[1:, None, None] + ends
    gains = np.maximum(label_at(at.ravel()).reshape(at.shape) - best, 0.0)
    bounds = np.einsum("n,mns->ms", NORMAL_WEIGHTS, gains)
    # Both are rounded.
    return np.asarray(bounds[mean_box, std_box] * (1 + 1e-9) + 1e-15, dtype=np.float64)


def _boxes(values: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], NDArray[np.intp]]:
    """Return the ends ``[count + 1]`` of equal boxes, and the box of each value ``[N]``."""
    low, high = values.min(), values.max()
    margin = 1e-9 * (1 + abs(low) + abs(high))
    ends = np.linspace(low - margin, high + margin, count + 1)
    box = ((values - ends[0]) * (count / (ends[-1] - ends[0]))).astype(np.intp)
    # By rounding, a value near an end may be in the next box.
    box += (values > ends[box + 1]).astype(np.intp) - (values < ends[box])
    return ends, box


def _top_mapped(
    mean: NDArray[np.float64],
    std: NDArray[np.float64],
    best: float,
    label_at: LabelMap,
    k: int,
) -> NDArray[np.int64]:
    """Return the ``k`` cells with the largest :func:`mapped_improvement`."""
    rows = np.arange(len(mean))
    if k and len(mean) > _MEANS * _STDS:
        # Only those whose bound reaches the k-th best of some cells can be among the k best.
        bounds = improvement_bounds(mean, std, best, label_at)
        some = np.argpartition(bounds, len(bounds) - k)[len(bounds) - k :]
        reached = mapped_improvement(mean[some], std[some], best, label_at).min()
        rows = np.flatnonzero(bounds >= reached)
    improvement = mapped_improvement(mean[rows], std[rows], best, label_at)
    return rows[_top(improvement, k, tie_break=mean[rows])]


def _top(
    score: NDArray[np.float64], k: int, tie_break: NDArray[np.float64] | None = None
) -> NDArray[np.int64]:
    if not k:
        return np.empty(0, dtype=np.int64)
    # Only those at least as good as the k-th best are sorted.
    rows = np.flatnonzero(score >= np.partition(score, len(score) - k)[len(score) - k])
    keys = (-score[rows],) if tie_break is None else (-tie_break[rows], -score[rows])
    return np.asarray(rows[np.lexsort(keys)[:k]], dtype=np.int64)
