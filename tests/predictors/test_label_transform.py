"""The label transform: against its definition, repeated labels and numerical means."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm, uniform, zscore

from pyg_nas.predictors.label_transform import (
    LabelTransform,
    latent_labels,
    weighted_quantiles,
)

LABELS = np.random.default_rng(0).gumbel(size=20)


def test_latent_labels_are_a_third_normal_a_third_uniform_a_third_themselves() -> None:
    half_width = np.sqrt(3)  # of the uniform distribution of variance one
    labels = np.array([9.0, -1.0, 2.0, 2.0])
    q = np.array([0.875, 0.125, 0.5, 0.5])
    expected = norm.ppf(q) + uniform.ppf(q, -half_width, 2 * half_width) + zscore(labels)
    np.testing.assert_allclose(latent_labels(labels), expected / 3, atol=1e-12)
    drawn = np.random.default_rng(0).normal(size=5_000)
    assert latent_labels(drawn).var() == pytest.approx(1, abs=0.05)


def test_a_failed_run_keeps_its_rank_and_no_more_distance_than_three_ranges() -> None:
    labels = np.linspace(0.85, 0.95, 21)
    labels[:2] = [-1e9, 0.1]
    # Both lie under the median, .9, less three times the distance of the quantiles at .86 and .94.
    cut = np.array([0.9 - 3 * 0.08] * 2 + labels[2:].tolist())
    ranks = (np.arange(21) + 0.5) / 21
    expected = norm.ppf(ranks) + np.sqrt(12) * (ranks - 0.5) + zscore(cut)
    np.testing.assert_allclose(latent_labels(labels), expected / 3, atol=1e-9)
    np.testing.assert_allclose(latent_labels(-labels), -latent_labels(labels), atol=1e-9)


def test_each_column_is_transformed_by_itself() -> None:
    columns = np.random.default_rng(2).gumbel(size=(50, 2, 3)) * [1.0, 1e3, 1e-3]
    expected = np.apply_along_axis(latent_labels, 0, columns)
    np.testing.assert_allclose(latent_labels(columns), expected, atol=1e-12)


def test_latent_labels_do_not_depend_on_the_unit_of_labels_and_follow_their_order() -> None:
    labels = np.random.default_rng(1).gumbel(size=200)
    np.testing.assert_allclose(latent_labels(100 * labels - 7), latent_labels(labels), atol=1e-9)
    order = np.argsort(labels)
    assert (np.diff(latent_labels(labels)[order]) > 0).all()


@pytest.mark.parametrize("labels", [[1.0] * 6, [0.0] * 20 + [1.0], [3.0]])
def test_latent_labels_of_equal_labels_are_finite_and_equal(labels: list[float]) -> None:
    found = latent_labels(labels)
    assert np.isfinite(found).all()
    assert np.ptp(found[np.array(labels) == labels[0]]) == 0
    assert (np.diff(latent_labels(labels, ties="ordinal")) > 0).all()


def test_labels_beyond_the_training_labels_by_hand() -> None:
    transform = LabelTransform().fit(LABELS)
    labels = np.sort(LABELS)
    known = latent_labels(labels)
    upper = (labels[19] - labels[17]) / (known[19] - known[17])  # the best tenth
    lower = (labels[19] - labels[0]) / (known[19] - known[0])
    found = transform.inverse(np.array([known[0] - 2, known[4], known[19] + 3]))
    np.testing.assert_allclose(found, [labels[0] - 2 * lower, labels[4], labels[19] + 3 * upper])


def test_the_inverse_takes_latent_labels_back() -> None:
    transform = LabelTransform().fit(LABELS)
    np.testing.assert_allclose(transform.inverse(transform.forward(LABELS)), LABELS)


@pytest.mark.parametrize("std", [1e-9, 0.05, 3.0])
def test_means_in_the_units_of_labels_are_sums_of_all_hinges(std: float) -> None:
    transform, std = LabelTransform().fit(LABELS), max(std, 1e-6)
    known, _, slopes = transform._lines()
    # At points of the grid, where nothing is interpolated, and far beyond its ends.
    grid = np.linspace(known[0] - 5 * std, known[-1] + 5 * std, 4_001)
    latent = np.concatenate([[-90.0], grid, [90.0]])
    errors = (latent[:, None] - known) / std
    hinges = norm.pdf(errors) + errors * norm.cdf(errors)
    mean = transform.labels_[0] + slopes[0] * (latent - known[0]) + hinges @ np.diff(slopes) * std
    found = transform.expected_inverse(latent, std)
    np.testing.assert_allclose(found, mean, rtol=1e-9, atol=1e-9)


def test_mean_and_spread_are_those_of_the_labels_around_a_latent_label() -> None:
    transform, std = LabelTransform().fit(LABELS), 0.7
    latent = np.linspace(-3, 3, 7)
    errors = np.linspace(-8, 8, 100_001)
    weights = norm.pdf(errors) * (errors[1] - errors[0])
    around = transform.inverse(latent[:, None] + std * errors)
    mean = around @ weights
    np.testing.assert_allclose(transform.expected_inverse(latent, std), mean, atol=1e-5)
    spread = np.sqrt((around - mean[:, None]) ** 2 @ weights)
    np.testing.assert_allclose(transform.inverse_std(latent, np.full(7, std)), spread, rtol=0.02)


@pytest.mark.parametrize("labels", [[0.2, 0.5, 0.7, 0.9, 0.97], [0.0, 0.1, 0.6, 0.9, 1.0]])
@pytest.mark.parametrize("std", [0.1, 0.8])
def test_labels_stay_within_their_limits_in_the_same_order(labels: list[float], std: float) -> None:
    transform = LabelTransform(limits=(0.0, 1.0)).fit(np.array(labels))
    straight = LabelTransform().fit(np.array(labels))
    latent = np.linspace(-30, 30, 2_001)
    found = transform.inverse(latent)
    np.testing.assert_allclose(found, straight.inverse(latent).clip(0, 1), atol=1e-12)
    assert straight.inverse(latent).max() > 1
    means = transform.expected_inverse(latent, std)
    assert means.min() >= 0
    assert means.max() <= 1
    near = np.abs(latent) < 4
    assert (np.diff(means[near]) > 0).all()
    assert (np.diff(means) >= 0).all()
    errors = np.linspace(-8, 8, 20_001)
    weights = norm.pdf(errors) * (errors[1] - errors[0])
    expected = transform.inverse(latent[near, None] + std * errors) @ weights
    np.testing.assert_allclose(means[near], expected, atol=1e-5)


@settings(deadline=None)  # SciPy is imported
@given(st.lists(st.sampled_from([0.0, 0.1, 0.5, 0.9, 0.97, 1.0]), min_size=4, max_size=40))
def test_no_mean_is_beyond_a_limit_or_out_of_order_by_a_last_digit(labels: list[float]) -> None:
    transform = LabelTransform(limits=(0.0, 1.0)).fit(np.array(labels))
    means = transform.expected_inverse(np.linspace(-30, 30, 2_001), 0.5)
    assert means.min() >= 0
    assert means.max() <= 1
    assert (np.diff(means) >= 0).all()


def test_limits_far_away_change_nothing() -> None:
    far = LabelTransform(limits=(-1e4, 1e4)).fit(LABELS)
    latent = np.linspace(-5, 5, 301)
    expected = LabelTransform().fit(LABELS).expected_inverse(latent, 0.5)
    np.testing.assert_array_equal(far.expected_inverse(latent, 0.5), expected)


def test_a_whole_weight_is_as_many_labels() -> None:
    rng = np.random.default_rng(4)
    weights = rng.integers(1, 4, len(LABELS)).astype(float)
    copies = np.repeat(LABELS, weights.astype(int))
    weighted, repeated = LabelTransform().fit(LABELS, weights), LabelTransform().fit(copies)
    rows = np.repeat(np.arange(len(LABELS)), weights.astype(int))
    np.testing.assert_allclose(
        weighted.forward(LABELS, weights)[rows], repeated.forward(copies), atol=1e-12
    )
    within = np.linspace(repeated.latent_[0], repeated.latent_[-1], 50)
    np.testing.assert_allclose(weighted.inverse(within), repeated.inverse(within), atol=1e-9)
    ones = np.ones(len(LABELS))
    plain = LabelTransform().fit(LABELS)
    np.testing.assert_allclose(
        LabelTransform().fit(LABELS, ones).inverse(within), plain.inverse(within), atol=1e-9
    )


def test_weighted_quantiles_are_those_of_copies() -> None:
    values, weights = np.array([1.0, 2.0, 5.0, 7.0]), np.array([2, 1, 3, 1])
    shares = np.linspace(0, 1, 23)
    expected = np.quantile(np.repeat(values, weights), shares)
    np.testing.assert_allclose(weighted_quantiles(values, weights.astype(float), shares), expected)


def test_parts_can_be_left_out() -> None:
    ranks = (np.argsort(np.argsort(LABELS)) + 0.5) / len(LABELS)
    expected = (norm.ppf(ranks) + np.sqrt(12) * (ranks - 0.5)) / 2
    np.testing.assert_allclose(LabelTransform((0, 1)).fit(LABELS).forward(LABELS), expected)
