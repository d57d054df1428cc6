"""Mean and scale of labels and features."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.predictors.scale import mean_and_scale, mean_and_std

Y = np.arange(5.0)


def test_weighted_mean_and_std_are_those_of_copies() -> None:
    counts = np.array([1, 3, 2, 1, 4])
    mean, std = mean_and_std(Y, counts.astype(float))
    copies = np.repeat(Y, counts)
    assert (mean, std) == pytest.approx((copies.mean(), copies.std()))


def test_values_that_are_all_equal_have_scale_one() -> None:
    mean, scale = mean_and_scale(np.array([[3.0, 1.0], [3.0, 5.0]]))
    assert (mean.tolist(), scale.tolist()) == ([3.0, 3.0], [1.0, 2.0])
