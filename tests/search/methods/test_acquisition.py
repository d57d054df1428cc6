"""Acquisitions against numerical integration and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import norm

from pyg_nas.errors import SettingsError
from pyg_nas.search.methods.acquisition import (
    _top,
    check_std,
    choose,
    expected_improvement,
    improvement_bounds,
    mapped_improvement,
)
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


def test_what_needs_a_std_is_named() -> None:
    check_std("ei", GaussianPredictor(), "mine")
    check_std("mean", LinearPredictor(), "mine")
    with pytest.raises(SettingsError, match="which mine does not have"):
        check_std("ei", LinearPredictor(), "mine")
    with pytest.raises(SettingsError, match="standard deviations"):
        choose("ei", MEAN, None, 1, 0.9, RNG)
    with pytest.raises(SettingsError, match="'best'"):
        choose("best", MEAN, None, 1, 0.9, RNG)


def test_improvement_through_a_straight_map_is_the_closed_form() -> None:
    rng = np.random.default_rng(0)
    mean, std = rng.normal(0, 1, 50), rng.uniform(0.1, 2, 50)
    found = mapped_improvement(mean, std, 3.0, lambda scores: 2 * scores + 1)
    expected = expected_improvement(2 * mean + 1, 2 * std, 3.0)
    np.testing.assert_allclose(found, expected, atol=0.03)


def test_improvement_through_a_bent_map_is_that_of_draws() -> None:
    def label_at(scores: np.ndarray) -> np.ndarray:
        return np.where(scores < 0, 10 * scores, 0.1 * scores)  # much to lose, little to gain

    mean, std = np.array([-1.0, 0.5]), np.array([1.0, 0.1])
    found = mapped_improvement(mean, std, 0.03, label_at)
    draws = np.random.default_rng(0).normal(mean, std, (400_000, 2))
    expected = np.maximum(label_at(draws) - 0.03, 0).mean(axis=0)
    np.testing.assert_allclose(found, expected, atol=1e-3)
    # A normal with the same mean and spread would see the most of all in the hopeless cell.
    labels = label_at(draws)
    flat = expected_improvement(labels.mean(axis=0), labels.std(axis=0), 0.03)
    assert flat[0] > flat[1]
    rng = np.random.default_rng(1)
    assert choose("ei", mean, std, 1, 0.03, rng, label_at).tolist() == [1]


def many_cells(spread: float) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(2)
    mean = np.round(rng.normal(0, 1, 20_000), 2)  # many ties
    return mean, np.abs(rng.normal(spread, spread / 2, len(mean))).round(3)


def steps(scores: np.ndarray) -> np.ndarray:
    """An increasing map with knots, flat between two of them and straight beyond."""
    known, labels = [-2.0, -1.0, 0.0, 0.5, 2.0], [0.1, 0.6, 0.9, 0.9, 0.94]
    beyond = 0.01 * np.maximum(scores - 2, 0) - 0.2 * np.maximum(-2 - scores, 0)
    return np.interp(scores, known, labels) + beyond


@pytest.mark.parametrize("spread", [0.0, 0.02, 0.4])
@pytest.mark.parametrize("best", [0.5, 0.9, 0.94, 2.0])
def test_bounds_of_improvements_leave_out_none_of_the_best(spread: float, best: float) -> None:
    mean, std = many_cells(spread)
    improvement = mapped_improvement(mean, std, best, steps)
    assert (improvement_bounds(mean, std, best, steps) >= improvement).all()
    for k in (0, 1, 300, len(mean)):
        expected = np.lexsort((-mean, -improvement))[:k]
        np.testing.assert_array_equal(choose("ei", mean, std, k, best, RNG, steps), expected)


def test_bounds_of_improvements_leave_out_most_cells() -> None:
    mean, std = many_cells(0.1)
    mapped = []

    def counted(scores: np.ndarray) -> np.ndarray:
        mapped.append(scores.size)
        return steps(scores)

    choose("ei", np.tile(mean, 5), np.tile(std, 5), 300, 0.92, RNG, counted)
    assert sum(mapped) < 0.5 * 31 * 5 * len(mean)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), min_size=1, max_size=30),
    st.integers(0, 31),
)
def test_the_best_are_those_of_a_whole_sort(pairs: list[tuple[int, int]], k: int) -> None:
    first, second = np.array(pairs, dtype=np.float64).T
    order = sorted(range(len(pairs)), key=lambda i: (-first[i], -second[i], i))
    assert _top(first, min(k, len(pairs)), tie_break=second).tolist() == order[:k]
    alone = sorted(range(len(pairs)), key=lambda i: (-first[i], i))
    assert _top(first, min(k, len(pairs))).tolist() == alone[:k]
