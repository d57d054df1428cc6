"""Figures against SciPy, scikit-learn and numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst
from scipy import stats
from sklearn.metrics import r2_score

from pyg_nas.errors import SettingsError
from pyg_nas.metrics.regression import (
    are_fractions,
    best_in_top,
    kendall_tau,
    mean_squared_error,
    mse_unit,
    r2,
    regression_metrics,
    regret_in_top,
    spearman,
)

MEASURED = np.array([0.90, 0.92, 0.94, 0.91])
PREDICTED = np.array([0.91, 0.93, 0.92, 0.90])

values = npst.arrays(np.float64, 12, elements=st.floats(0, 1, width=32))


def test_the_error_of_other_figures_is_in_their_own_unit() -> None:
    measured, predicted = np.array([1.0, 200.0, 3.0]), np.array([2.0, 198.0, 3.0])
    assert regression_metrics(measured, predicted)["mse"] == pytest.approx(5 / 3)
    assert not are_fractions(measured)
    assert not are_fractions([])
    assert not are_fractions([-0.1, 0.5])
    assert are_fractions([0.0, 1.0, np.nan])


def test_the_unit_is_that_of_all_labels() -> None:
    # Of labels up to 200 a few may lie from 0 to 1.
    assert regression_metrics([0.5, 1.0], [0.5, 0.0], fractions=False)["mse"] == 0.5
    assert mean_squared_error([0.5, 1.0], [0.5, 0.0], fractions=True) == 5000
    assert (mse_unit(True), mse_unit(False)) == ("points^2", "label^2")


def test_mse_is_in_squared_points() -> None:
    # Differences of 1, 1, 2 and 1 points.
    assert mean_squared_error(MEASURED, PREDICTED) == pytest.approx((1 + 1 + 4 + 1) / 4)


def test_kendall_by_hand() -> None:
    # Of six pairs, (1, 2) and (0, 3) are in the other order.
    assert kendall_tau(MEASURED, PREDICTED) == pytest.approx((4 - 2) / 6)


def test_kendall_is_that_of_scipy_for_any_number_of_values() -> None:
    rng = np.random.default_rng(0)
    for count in (2, 3, 1_999, 2_000, 2_001):
        measured, predicted = rng.integers(0, 50, count) / 50, rng.random(count)
        expected = stats.kendalltau(measured, predicted).statistic
        np.testing.assert_array_equal(kendall_tau(measured, predicted), expected)


@settings(deadline=None)  # scikit-learn is imported
@given(values, values)
def test_against_libraries(measured: np.ndarray, predicted: np.ndarray) -> None:
    figures = regression_metrics(measured, predicted)
    assert figures["mse"] == pytest.approx(1e4 * np.mean((measured - predicted) ** 2))
    if np.ptp(measured) > 0 and np.ptp(predicted) > 0:
        expected = stats.kendalltau(measured, predicted).statistic
        assert figures["kendall_tau"] == expected  # to the last digit
        assert figures["spearman"] == pytest.approx(
            stats.spearmanr(measured, predicted).statistic, abs=1e-9
        )
        assert figures["r2"] == pytest.approx(r2_score(measured, predicted))
    else:
        assert math.isnan(figures["kendall_tau"])
        assert math.isnan(figures["spearman"])


def test_equal_labels_explain_nothing() -> None:
    # Their mean is off by a rounding error, so that its square is what r2_score divides by.
    assert math.isnan(r2([0.1] * 3, [0.1, 0.2, 0.3]))
    assert math.isnan(r2([0.9], [0.9]))
    assert math.isnan(regression_metrics([0.1] * 3, [0.1, 0.2, 0.3])["r2"])
    assert r2([0.1, 0.2, 0.3], [0.2] * 3) == pytest.approx(0.0)


def test_top_k_by_hand() -> None:
    assert best_in_top(MEASURED, PREDICTED, 1) == 0.92
    assert best_in_top(MEASURED, PREDICTED, 2) == 0.94
    assert regret_in_top(MEASURED, PREDICTED, 1) == pytest.approx(0.02)
    assert regret_in_top(MEASURED, PREDICTED, 4) == 0.0


def test_ties_count_against_the_predictor() -> None:
    assert best_in_top([0.1, 0.9, 0.5], [1.0, 1.0, 1.0], 1) == 0.1
    assert best_in_top([0.1, 0.9, 0.5], [1.0, 1.0, 1.0], 1, larger_is_better=False) == 0.9


def test_the_best_of_costs_are_the_smallest() -> None:
    seconds, predicted = [30.0, 10.0, 20.0, 40.0], [15.0, 25.0, 10.0, 50.0]
    assert best_in_top(seconds, predicted, 1, larger_is_better=False) == 20.0
    assert best_in_top(seconds, predicted, 2, larger_is_better=False) == 20.0
    assert best_in_top(seconds, predicted, 3, larger_is_better=False) == 10.0
    assert regret_in_top(seconds, predicted, 1, larger_is_better=False) == 10.0
    figures = regression_metrics(seconds, predicted, larger_is_better=False)
    assert (figures["best_in_top_1"], figures["regret_in_top_1"]) == (20.0, 10.0)


def test_costs_have_relative_errors() -> None:
    seconds, predicted = [10.0, 20.0, 40.0, 5.0], [11.0, 19.0, 50.0, 5.0]  # 0.1, 0.05, 0.25, 0
    figures = regression_metrics(seconds, predicted, larger_is_better=False)
    assert figures["median_relative_error"] == pytest.approx(0.075)
    assert figures["mean_relative_error"] == pytest.approx(0.1)
    for named in (
        regression_metrics(seconds, predicted),
        regression_metrics([0.0, *seconds], [1.0, *predicted], larger_is_better=False),
    ):
        assert not [name for name in named if "relative" in name]


@pytest.mark.parametrize(
    ("measured", "predicted", "rule"),
    [
        ([0.1, 0.2], [[0.1], [0.2]], r"both be \[N\]"),
        ([0.1, 0.2], [0.1], r"both be \[N\]"),
        ([], [], "no cell"),
        ([0.1, math.nan], [0.1, 0.2], "finite"),
        ([0.1, 0.2], [0.1, math.inf], "finite"),
    ],
)
def test_bad_input_is_named(measured: list, predicted: list, rule: str) -> None:
    for figure in (mean_squared_error, kendall_tau, spearman, r2):
        with pytest.raises(SettingsError, match=rule):
            figure(measured, predicted)


def test_top_zero_is_refused() -> None:
    with pytest.raises(SettingsError, match="at least 1"):
        best_in_top(MEASURED, PREDICTED, 0)


def test_figures_only_for_tops_that_exist() -> None:
    names = regression_metrics(MEASURED, PREDICTED)
    assert "best_in_top_1" in names
    assert "best_in_top_10" not in names


def test_ties_count_against_the_predictor_in_any_order() -> None:
    for measured in ([0.1, 0.9, 0.5], [0.9, 0.1, 0.5], [0.5, 0.9, 0.1]):
        assert best_in_top(measured, [1.0, 1.0, 1.0], 1) == 0.1
        assert best_in_top(measured, [1.0, 1.0, 1.0], 2) == 0.5
        assert regret_in_top(measured, [1.0, 1.0, 1.0], 1) == 0.8
