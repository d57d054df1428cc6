"""Mean and scale of labels and features."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.predictors.scale import mean_and_scale, mean_and_std, robust_std

Y = np.arange(5.0)


def test_weighted_mean_and_std_are_those_of_copies() -> None:
    counts = np.array([1, 3, 2, 1, 4])
    mean, std = mean_and_std(Y, counts.astype(float))
    copies = np.repeat(Y, counts)
    assert (mean, std) == pytest.approx((copies.mean(), copies.std()))


def test_values_that_are_all_equal_have_scale_one() -> None:
    mean, scale = mean_and_scale(np.array([[3.0, 1.0], [3.0, 5.0]]))
    assert (mean.tolist(), scale.tolist()) == ([3.0, 3.0], [1.0, 2.0])


def test_robust_std_is_that_of_normal_numbers_despite_failed_runs() -> None:
    values = np.random.default_rng(0).normal(scale=2.0, size=20_001)
    assert robust_std(values) == pytest.approx(2, rel=0.03)
    values[:200] = -1_000
    assert robust_std(values) == pytest.approx(2, rel=0.05)


def test_robust_std_of_values_that_are_mostly_equal() -> None:
    assert robust_std([0.0, 0.0, 0.0, 3.0, -3.0]) == pytest.approx(np.sqrt(18 / 5))
    assert robust_std([1e-17, -1e-17, 0.0, 3.0, -3.0]) == pytest.approx(np.sqrt(18 / 5))
    assert robust_std([0.0, 0.0]) == 0
