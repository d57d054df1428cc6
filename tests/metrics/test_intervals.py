"""Intervals: coverage, pairing and what may be claimed; scores of labels."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import norm, uniform, zscore

from pyg_nas.errors import SettingsError
from pyg_nas.metrics.intervals import (
    label_scores,
    mean_band,
    mean_interval,
    paired_difference,
)


def test_interval_is_students() -> None:
    # t(0.975; 4) = 2.776, standard deviation sqrt(2.5).
    found = mean_interval([1.0, 2.0, 3.0, 4.0, 5.0])
    half = 2.776445 * np.sqrt(2.5 / 5)
    assert (found.low, found.mean, found.high) == pytest.approx((3 - half, 3, 3 + half))
    assert found.claims
    assert found.to_dict()["n"] == 5


def test_pairing_finds_what_the_seeds_spread_hides() -> None:
    rng = np.random.default_rng(1)
    seeds = rng.normal(0.0, 1.0, 30)
    better, worse = seeds + 0.1, seeds + rng.normal(0.0, 0.02, 30)
    assert paired_difference(better, worse).claims
    assert not paired_difference(better, rng.permutation(worse)).claims
    assert paired_difference(worse, better).high < 0


def test_no_claim_where_the_interval_holds_zero() -> None:
    assert not paired_difference([1.0, 2.0, 3.0, 4.0], [2.0, 1.0, 4.0, 3.0]).claims
    same = paired_difference([1.0, 2.0], [1.0, 2.0])
    assert (same.low, same.high, same.claims) == (0.0, 0.0, False)
    constant = mean_interval([2.0, 2.0, 2.0])
    assert (constant.low, constant.high) == (2.0, 2.0)


def test_false_claims_are_as_rare_as_promised() -> None:
    rng = np.random.default_rng(2)
    claims = [mean_interval(rng.normal(0, 1, 5), 0.9).claims for _ in range(2_000)]
    assert np.mean(claims) == pytest.approx(0.1, abs=0.025)  # 3.7 standard errors


def test_band_by_hand() -> None:
    curves = np.random.default_rng(3).normal(0, 1, (100, 5)) + np.arange(5)
    mean, low, high = mean_band(curves)
    np.testing.assert_allclose(mean, curves.mean(axis=0))
    half = 1.96 * curves.std(axis=0) / 10
    np.testing.assert_allclose(low, mean - half, atol=0.05)
    np.testing.assert_allclose(high, mean + half, atol=0.05)


def test_wrong_values_are_named() -> None:
    with pytest.raises(SettingsError, match="at least 2"):
        mean_interval([1.0])
    with pytest.raises(SettingsError, match="finite"):
        mean_interval([1.0, float("nan")])
    with pytest.raises(SettingsError, match="same seeds"):
        paired_difference([1.0, 2.0], [1.0, 2.0, 3.0])


def test_scores_of_labels_are_a_third_normal_a_third_uniform_a_third_themselves() -> None:
    half_width = np.sqrt(3)  # of the uniform distribution of variance one
    labels = np.array([9.0, -1.0, 2.0, 2.0])
    q = np.array([0.875, 0.125, 0.5, 0.5])
    expected = norm.ppf(q) + uniform.ppf(q, -half_width, 2 * half_width) + zscore(labels)
    np.testing.assert_allclose(label_scores(labels), expected / 3, atol=1e-12)
    drawn = np.random.default_rng(0).normal(size=5_000)
    assert label_scores(drawn).var() == pytest.approx(1, abs=0.05)


def test_a_failed_training_keeps_its_rank_and_no_more_distance_than_three_ranges() -> None:
    labels = np.linspace(0.85, 0.95, 21)
    labels[:2] = [-1e9, 0.1]
    # Both lie under the median, .9, less three times the distance of the quantiles at .86 and .94.
    cut = np.array([0.9 - 3 * 0.08] * 2 + labels[2:].tolist())
    ranks = (np.arange(21) + 0.5) / 21
    expected = norm.ppf(ranks) + np.sqrt(12) * (ranks - 0.5) + zscore(cut)
    np.testing.assert_allclose(label_scores(labels), expected / 3, atol=1e-9)
    np.testing.assert_allclose(label_scores(-labels), -label_scores(labels), atol=1e-9)


def test_each_column_has_its_own_scores() -> None:
    columns = np.random.default_rng(2).gumbel(size=(50, 2, 3)) * [1.0, 1e3, 1e-3]
    expected = np.apply_along_axis(label_scores, 0, columns)
    np.testing.assert_allclose(label_scores(columns), expected, atol=1e-12)


def test_scores_do_not_depend_on_the_unit_of_labels_and_follow_their_order() -> None:
    labels = np.random.default_rng(1).gumbel(size=200)
    np.testing.assert_allclose(label_scores(100 * labels - 7), label_scores(labels), atol=1e-9)
    order = np.argsort(labels)
    assert (np.diff(label_scores(labels)[order]) > 0).all()


@pytest.mark.parametrize("labels", [[1.0] * 6, [0.0] * 20 + [1.0], [3.0]])
def test_scores_of_equal_labels_are_finite_and_equal(labels: list[float]) -> None:
    found = label_scores(labels)
    assert np.isfinite(found).all()
    assert np.ptp(found[np.array(labels) == labels[0]]) == 0
    assert (np.diff(label_scores(labels, ties="ordinal")) > 0).all()


def test_a_band_has_its_confidence() -> None:
    curves = np.random.default_rng(3).normal(0, 1, (100, 5))
    mean, low, high = mean_band(curves)
    half = 1.96 * curves.std(axis=0) / 10
    np.testing.assert_allclose(low, mean - half, atol=0.02)
    np.testing.assert_allclose(high, mean + half, atol=0.02)
