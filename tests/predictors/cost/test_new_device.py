"""Costs on a new device, compared with a process written with scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.gaussian_process.kernels import RBF, ConstantKernel, DotProduct

from pyg_nas.errors import SettingsError
from pyg_nas.predictors.cost.new_device import NewDeviceRegressor

RNG = np.random.default_rng(0)
WORK = RNG.normal(size=(120, 5))
SPEEDS = RNG.uniform(0.5, 1.5, size=(5, 9))
COSTS = WORK @ SPEEDS
DEVICES = ["a", "a", "b", "b", "c", "d", "e", "f", "g"]


def model(trials: int = 30) -> NewDeviceRegressor:
    return NewDeviceRegressor(trials=trials).fit(WORK, COSTS, DEVICES)


def test_ten_measurements_are_enough_where_devices_are_alike() -> None:
    target = WORK @ np.array([0.6, 1.2, 0.9, 1.4, 0.7])
    rows = np.arange(10)
    mean, std = model().predict(rows, target[rows])
    unseen = slice(10, None)
    assert np.corrcoef(mean[unseen], target[unseen])[0, 1] > 0.99
    inside = np.abs(mean - target)[unseen] < 3 * std[unseen]
    assert inside.mean() > 0.9


def test_scikit_learn_clones_it() -> None:
    copied = clone(NewDeviceRegressor(trials=30, random_state=3).fit(WORK, COSTS, DEVICES))
    assert copied.get_params() == {"measured": 10, "trials": 30, "random_state": 3}
    with pytest.raises(NotFittedError):
        copied.design(3)


def test_the_posterior_is_that_of_scikit_learn() -> None:
    fitted = model(trials=1)
    kernel = fitted.kernels_[0]
    rows, target = np.arange(10), WORK[:, 0] + 0.1 * RNG.normal(size=120)
    mean, std = fitted.predict(rows, target[rows])
    average = COSTS.mean(axis=1)
    scale = average.std()
    others = COSTS - average[:, None]
    others = np.clip((others - others.mean(axis=0)) / scale, -3, 3)
    # Each part of the kernel is a product of inputs of its own, but for the smooth one.
    straight = np.column_stack(
        [
            np.full(120, 10.0),
            kernel.slope**0.5 * (average - average.mean()) / scale,
            (kernel.devices / 9) ** 0.5 * others,
            (kernel.linear / 5) ** 0.5 * fitted.inputs_,
        ]
    )
    width = straight.shape[1]

    def covariance(one: np.ndarray, two: np.ndarray) -> np.ndarray:
        smooth = ConstantKernel(kernel.smooth) * RBF(5**0.5)
        product = DotProduct(1e-9)(one[:, :width], two[:, :width])
        return np.asarray(product + smooth(one[:, width:], two[:, width:]))

    inputs = np.column_stack([straight, fitted.inputs_])
    residual = (target - average)[rows] / scale
    known = covariance(inputs[rows], inputs[rows]) + kernel.noise * np.eye(10)
    between = covariance(inputs, inputs[rows])
    offset = residual.mean()
    wanted = average + scale * (offset + between @ np.linalg.solve(known, residual - offset))
    np.testing.assert_allclose(mean, wanted, rtol=1e-6, atol=1e-6)
    prior = np.diag(covariance(inputs, inputs)) + kernel.noise
    variance = prior - np.einsum("ij,ji->i", between, np.linalg.solve(known, between.T))
    np.testing.assert_allclose(std, scale * variance**0.5, rtol=1e-4)


def test_predictions_are_those_of_a_mixture_of_the_five_best() -> None:
    fitted = model()
    rows = np.arange(10)
    mean, std = fitted.predict(rows, WORK[rows, 0])
    kernels = fitted.kernels_
    assert len(kernels) == 5
    parts = []
    for kernel in kernels:
        fitted.kernels_ = [kernel]
        parts.append(fitted.predict(rows, WORK[rows, 0]))
    # Moments of a mixture: the mean of the first, and of the second less the square of the first.
    second = np.mean([part[0] ** 2 + part[1] ** 2 for part in parts], axis=0)
    np.testing.assert_allclose(mean, np.mean([part[0] for part in parts], axis=0), rtol=1e-9)
    np.testing.assert_allclose(std, np.sqrt(second - mean**2), rtol=1e-6)


def test_a_design_leaves_less_variance_than_random_measurements() -> None:
    fitted = model()
    target = WORK @ np.array([0.6, 1.2, 0.9, 1.4, 0.7])
    candidates = np.arange(0, 120, 2)
    design = fitted.design(10, candidates)
    assert len(set(design) & set(candidates)) == 10

    kernels = fitted.kernels_

    def unknown(rows: np.ndarray) -> float:
        """The sum of the logarithms of the variances in all processes."""
        total = 0.0
        for kernel in kernels:
            fitted.kernels_ = [kernel]
            total += float(np.log(fitted.predict(rows, target[rows])[1] ** 2).sum())
        return total

    drawn = [unknown(np.random.default_rng(i).choice(candidates, 10, False)) for i in range(50)]
    assert unknown(design) < np.quantile(drawn, 0.1)
    # Each is the best one after those before it, tried one by one.
    after = {row: unknown(np.append(design[:9], row)) for row in set(candidates) - set(design[:9])}
    assert unknown(design) == pytest.approx(min(after.values()), rel=1e-9)


def test_a_setting_of_the_same_device_is_left_out_of_the_choice() -> None:
    # Two settings with equal costs say nothing about other devices than their own.
    noise = RNG.normal(size=(120, 4))
    twins = np.repeat(noise, 2, axis=1)
    grouped = NewDeviceRegressor(trials=30).fit(WORK, twins, list("aabbccdd"))
    apart = NewDeviceRegressor(trials=30).fit(WORK, twins, list("abcdefgh"))
    assert grouped.kernels_[0].devices < apart.kernels_[0].devices


def test_what_is_refused() -> None:
    with pytest.raises(SettingsError, match="inputs must be finite"):
        NewDeviceRegressor().fit(WORK * np.nan, COSTS, DEVICES)
    with pytest.raises(SettingsError, match="one row per architecture"):
        NewDeviceRegressor().fit(WORK[:50], COSTS, DEVICES)
    with pytest.raises(SettingsError, match="at least two different ones"):
        NewDeviceRegressor().fit(WORK, COSTS, ["a"] * 9)
    with pytest.raises(SettingsError, match=r"more architectures than measured \(10\)"):
        NewDeviceRegressor().fit(WORK[:10], COSTS[:10], DEVICES)
    with pytest.raises(SettingsError, match=r"must be \[n\] with n >= 1"):
        model(1).predict([0, 1], [0.5])
    with pytest.raises(SettingsError, match="count must be 1 to 2, the number of candidates"):
        model(1).design(3, [4, 5, 5])
    with pytest.raises(SettingsError, match=r"count must be a whole number, got 2\.5"):
        model(1).design(2.5)
    with pytest.raises(SettingsError, match=r"costs must be finite numbers, got nan at \[3, 1\]"):
        NewDeviceRegressor().fit(WORK, np.where(COSTS[3, 1] == COSTS, np.nan, COSTS), DEVICES)
    with pytest.raises(SettingsError, match=r"costs must be an array of 2 axes, got \[120\]"):
        NewDeviceRegressor().fit(WORK, COSTS[:, 0], ["a"])
    with pytest.raises(SettingsError, match="trials must be at least 1, got 0"):
        NewDeviceRegressor(trials=0).fit(WORK, COSTS, DEVICES)
    with pytest.raises(NotFittedError, match="not fitted"):
        NewDeviceRegressor().design(3)


@pytest.mark.parametrize("rows", [[0, -1], [0, 120], [0.5, 1], [True, False], ["a", "b"]])
def test_positions_that_are_none_are_refused(rows: list[object]) -> None:
    fitted = model(1)
    with pytest.raises(
        SettingsError, match=r"rows must be positions .* whole numbers from 0 to 119"
    ):
        fitted.predict(rows, [0.5, 0.6])
    with pytest.raises(SettingsError, match="candidates must be positions of architectures"):
        fitted.design(1, rows)


@pytest.mark.filterwarnings("error")
def test_a_device_on_which_all_costs_are_equal_has_errors_too() -> None:
    constant = np.column_stack([COSTS, np.ones(len(COSTS))])
    fitted = NewDeviceRegressor(trials=3).fit(WORK, constant, [*DEVICES, "h"])
    assert np.isfinite(fitted.predict([1, 2], [0.5, 0.6])).all()
