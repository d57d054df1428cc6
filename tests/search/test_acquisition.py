"""Acquisitions against numerical integration and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from pyg_nas.errors import SettingsError
from pyg_nas.search.acquisition import choose, expected_improvement, gives_std
from tests.search.predictors import GaussianPredictor, LinearPredictor

MEAN = np.array([0.90, 0.93, 0.92, 0.80])
STD = np.array([0.05, 0.001, 0.03, 0.0])
RNG = np.random.default_rng(0)


def test_expected_improvement_is_the_integral() -> None:
    found = expected_improvement(MEAN, STD, best=0.925)
    for value, mean, std in zip(found[:3], MEAN[:3], STD[:3], strict=True):
        expected = quad(
            lambda y, m=mean, s=std: (y - 0.925) * norm.pdf(y, m, s),
            0.925,
            mean + 12 * std + 0.1,
            points=[mean],
            limit=200,
        )[0]
        assert value == pytest.approx(expected, rel=1e-5)
    assert found[3] == 0.0
    assert expected_improvement(np.array([0.95]), np.zeros(1), 0.9)[0] == pytest.approx(0.05)


def test_orders_by_hand() -> None:
    assert choose("mean", MEAN, None, 3, 0.9, RNG).tolist() == [1, 2, 0]
    # 0.90 + 0.10, 0.93 + 0.002, 0.92 + 0.06, 0.80
    assert choose("ucb", MEAN, STD, 3, 0.9, RNG).tolist() == [0, 2, 1]
    assert choose("ei", MEAN, STD, 4, 0.935, RNG).tolist()[:2] == [0, 2]
    assert choose("mean", MEAN, None, 9, 0.9, RNG).tolist() == [1, 2, 0, 3]


def test_thompson_picks_as_often_as_a_cell_is_best() -> None:
    mean, std = np.array([0.0, 0.5]), np.array([1.0, 1.0])
    rng = np.random.default_rng(0)
    wins = np.mean([choose("thompson", mean, std, 1, 0.0, rng)[0] == 1 for _ in range(4000)])
    assert wins == pytest.approx(norm.cdf(0.5 / np.sqrt(2)), abs=0.025)
    both = choose("thompson", mean, std, 2, 0.0, rng)
    assert sorted(both.tolist()) == [0, 1]


def test_what_needs_a_std_says_so() -> None:
    assert gives_std(GaussianPredictor())
    assert not gives_std(LinearPredictor())
    with pytest.raises(SettingsError, match="standard deviations"):
        choose("ei", MEAN, None, 1, 0.9, RNG)
    with pytest.raises(SettingsError, match="'best'"):
        choose("best", MEAN, None, 1, 0.9, RNG)
