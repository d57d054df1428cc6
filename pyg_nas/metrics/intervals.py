"""Intervals for means and paired differences over seeds, and for fractions."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pyg_nas.errors import SettingsError

CONFIDENCE = 0.95


@dataclass(frozen=True)
class Interval:
    """A mean and its confidence interval.

    Args:
        mean: The mean.
        low: Lower end.
        high: Upper end.
        confidence: Level of confidence.
        n: Number of seeds or cases.
    """

    mean: float
    low: float
    high: float
    confidence: float
    n: int

    @property
    def claims(self) -> bool:
        """Whether the interval excludes zero, so that there is a significant difference."""
        return self.low > 0 or self.high < 0

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return {**asdict(self), "claims": self.claims}


def mean_interval(values: ArrayLike, confidence: float = CONFIDENCE) -> Interval:
    """Return the mean of ``values`` ``[seeds]`` with its interval by Student's t.

    For 5 normal values a 95 % bootstrap interval covers only 84 %, this one 95 %. Equal values
    have an interval of zero width.

    Raises:
        SettingsError: If there are fewer than 2 values or a value is not finite.
    """
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1 or len(sample) < 2:
        raise SettingsError(f"an interval needs at least 2 values, got shape {sample.shape}")
    if not np.isfinite(sample).all():
        raise SettingsError("an interval needs finite values, got NaN or infinity")
    mean = float(sample.mean())
    if np.ptp(sample) == 0.0:
        return Interval(mean, mean, mean, confidence, len(sample))
    from scipy.stats import sem, t

    low, high = t.interval(confidence, len(sample) - 1, loc=mean, scale=sem(sample))
    return Interval(mean, float(low), float(high), confidence, len(sample))


def wilson_interval(correct: int, total: int) -> Interval:
    """Return a fraction of ``total`` independent cases with its interval by Wilson's score.

    Raises:
        SettingsError: If there is no case, or more are correct than there are.
    """
    if not 0 <= correct <= total or total < 1:
        raise SettingsError(f"an interval needs cases, got {correct} correct of {total}")
    from scipy.stats import binomtest

    low, high = binomtest(correct, total).proportion_ci(CONFIDENCE, method="wilson")
    return Interval(correct / total, float(low), float(high), CONFIDENCE, total)


def paired_difference(one: ArrayLike, two: ArrayLike) -> Interval:
    """Return the mean of ``one - two`` over the same seeds, with its interval.

    Pairing removes the variation between seeds. The difference is significant only if
    :attr:`Interval.claims` is true.

    Raises:
        SettingsError: If the lengths differ.
    """
    first, second = np.asarray(one, dtype=np.float64), np.asarray(two, dtype=np.float64)
    if first.shape != second.shape:
        raise SettingsError(
            f"paired values need the same seeds, got {first.shape} and {second.shape}"
        )
    return mean_interval(first - second)


def finite_or_none(value: float) -> float | None:
    """Return the number, or None for NaN and infinity, which JSON does not have."""
    return float(value) if np.isfinite(value) else None
