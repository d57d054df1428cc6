"""Costs on a device, predicted from few measurements there and many on other devices."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator
from sklearn.exceptions import NotFittedError

from pyg_nas.errors import SettingsError, check_count, quoted
from pyg_nas.predictors.scale import mean_and_scale
from pyg_nas.predictors.validation import numbers

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_FLAT = 100.0  # prior variance of the offset of a device, in variances of the mean cost
_MOST_DEVIATIONS = 3.0
_DRAWS = 3
_POOL = 400
# Among timm's families with an even CRC-32 one kernel was worse on CPUs, and ten on compiled GPUs.
_KERNELS = 5
# Logarithms to base 10 between which the hyper-parameters are drawn.
_LOWEST = (-2.0, -2.0, -3.0, -3.0, -4.0)
_HIGHEST = (0.5, 1.5, 0.5, 0.5, -0.3)


@dataclass(frozen=True)
class _Kernel:
    """Variances: of the slope, other devices, straight and smooth functions of inputs, noise."""

    slope: float
    devices: float
    linear: float
    smooth: float
    noise: float

    def covariance(self, one: _Rows, two: _Rows) -> Floats:
        """Return the covariances of architectures ``[n]`` and ``[m]``, ``[n, m]``."""
        product = one.inputs @ two.inputs.T / one.inputs.shape[1]
        squares = one.squares[:, None] + two.squares - 2 * product
        found = _FLAT + self.slope * np.outer(one.mean, two.mean)
        found += self.devices * one.others @ two.others.T / max(one.others.shape[1], 1)
        found += self.linear * product + self.smooth * np.exp(-np.maximum(squares, 0) / 2)
        return np.asarray(found)

    def variance(self, rows: _Rows) -> Floats:
        """Return the variances of architectures ``[n]``."""
        found = _FLAT + self.slope * rows.mean**2 + self.linear * rows.squares + self.smooth
        return np.asarray(found + self.devices * (rows.others**2).mean(axis=1))


@dataclass(frozen=True)
class _Rows:
    """Architectures as the kernel takes them.

    Attributes:
        mean: Mean over the other devices ``[n]``, of variance 1 over all architectures.
        others: Difference of each other device from the mean ``[n, D]``.
        inputs: ``[n, d]``.
        squares: Mean square of the inputs ``[n]``.
    """

    mean: Floats
    others: Floats
    inputs: Floats
    squares: Floats

    def take(self, rows: Ints) -> _Rows:
        return _Rows(self.mean[rows], self.others[rows], self.inputs[rows], self.squares[rows])


@dataclass(frozen=True)
class _Prior:
    """The prior of all ``N`` architectures, from other devices.

    Attributes:
        mean: Mean logarithm of the costs on the other devices ``[N]``.
        scale: Its deviation, the unit of the kernel.
        rows: All architectures.
    """

    mean: Floats
    scale: float
    rows: _Rows

    @classmethod
    def of(cls, costs: Floats, inputs: Floats) -> _Prior:
        mean = costs.mean(axis=1)
        scale = float(mean.std()) or 1.0
        others = costs - mean[:, None]
        others = (others - others.mean(axis=0)) / scale
        rows = _Rows(
            (mean - mean.mean()) / scale,
            np.clip(others, -_MOST_DEVIATIONS, _MOST_DEVIATIONS),
            inputs,
            (inputs**2).mean(axis=1),
        )
        return cls(mean, scale, rows)

    def predict(
        self, kernel: _Kernel, measured: Ints, labels: Floats, asked: Ints
    ) -> tuple[Floats, Floats]:
        """Return means and deviations of asked architectures, from labels of measured ones."""
        known, wanted = self.rows.take(measured), self.rows.take(asked)
        covariance = kernel.covariance(known, known) + kernel.noise * np.eye(len(labels))
        between = kernel.covariance(wanted, known)
        residual = (labels - self.mean[measured]) / self.scale
        offset = residual.mean()
        solved = np.linalg.solve(covariance, np.column_stack([residual - offset, between.T]))
        found = self.mean[asked] + self.scale * (offset + between @ solved[:, 0])
        explained = (between * solved[:, 1:].T).sum(axis=1)
        variance = kernel.variance(wanted) - explained + kernel.noise
        return found, self.scale * np.sqrt(np.maximum(variance, kernel.noise))


@dataclass(frozen=True)
class _Unmeasured:
    """What one process does not know yet, while measurements are chosen.

    Attributes:
        variance: Variances of labels of a pool of architectures ``[pool]``.
        between: Their covariances with the candidates ``[pool, m]``.
        within: Covariances of the candidates ``[m, m]``.
        noise: Variance of the noise of a label.
    """

    variance: Floats
    between: Floats
    within: Floats
    noise: float

    @classmethod
    def of(cls, kernel: _Kernel, pool: _Rows, candidates: _Rows) -> _Unmeasured:
        return cls(
            kernel.variance(pool) + kernel.noise,
            kernel.covariance(pool, candidates),
            kernel.covariance(candidates, candidates),
            kernel.noise,
        )

    def gains(self) -> Floats:
        """Return by how much each candidate lowers the logarithms of the variances, ``[m]``."""
        explained = self.between**2 / (np.diag(self.within) + self.noise)  # [pool, m]
        left = np.maximum(self.variance[:, None] - explained, self.noise)
        return np.asarray((np.log(self.variance)[:, None] - np.log(left)).sum(axis=0))

    def after(self, measured: int) -> _Unmeasured:
        """Return what is unknown after a candidate was measured."""
        explains = self.within[measured] / (self.within[measured, measured] + self.noise)
        known = self.between[:, measured]
        variance = self.variance - known**2 / (self.within[measured, measured] + self.noise)
        return _Unmeasured(
            np.maximum(variance, self.noise),
            self.between - np.outer(known, explains),
            self.within - np.outer(self.within[:, measured], explains),
            self.noise,
        )


@dataclass(eq=False, repr=False)
class NewDeviceRegressor(BaseEstimator):  # type: ignore[misc]
    """A Gaussian process whose prior is computed from costs on other devices.

    The logarithm of a cost on a new device is the mean over the other devices, an offset, and a
    Gaussian process: multiples of the mean and of each other device's departure from it
    (coregionalisation, Bonilla, Chai and Williams, 2007), and linear and smooth functions of
    inputs. Of the variances that are tried, those five are kept that have the smallest errors when
    each known device in turn is the new one and all settings of it are left out. Predictions are
    the means of these five processes.

    Args:
        measured: Number of measurements on a new device for which the variances are chosen.
        trials: Number of variances that are tried.
        random_state: Random seed of the trials.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> work = rng.normal(size=(60, 3))
        >>> speeds = rng.uniform(0.5, 1, size=(3, 6))
        >>> model = NewDeviceRegressor(trials=20).fit(work, work @ speeds, list("abcdef"))
        >>> rows = model.design(10)
        >>> mean, std = model.predict(rows, (work @ [0.6, 0.8, 0.7])[rows])
        >>> mean.shape, std.shape
        ((60,), (60,))
    """

    measured: int = 10
    trials: int = 80
    random_state: int = 0

    def fit(
        self,
        inputs: ArrayLike,
        costs: ArrayLike,
        devices: Sequence[str],
        smooth_costs: ArrayLike | None = None,
    ) -> NewDeviceRegressor:
        """Learn how devices differ.

        Args:
            inputs: Features of ``N`` architectures ``[N, d]``; they are standardised.
            costs: Logarithms of costs ``[N, D]`` in ``D`` settings of known devices.
            devices: Device of each setting, ``D``.
            smooth_costs: Smoothed ``costs`` ``[N, D]``, if measurements are noisy.

        Raises:
            SettingsError: If an array is not finite or of another shape, there are fewer than two
                devices, or a setting is below 1, the seed below 0.
        """
        for name, least in (("measured", 1), ("trials", 1), ("random_state", 0)):
            check_count(name, getattr(self, name), least=least)
        inputs, costs = _finite(inputs, "inputs", 2), _finite(costs, "costs", 2)
        smooth = costs if smooth_costs is None else _finite(smooth_costs, "smooth_costs", 2)
        if len(inputs) != len(costs) or smooth.shape != costs.shape:
            raise SettingsError(
                f"inputs {inputs.shape}, costs {costs.shape} and smooth_costs {smooth.shape} must "
                f"have one row per architecture and one column per setting"
            )
        if len(devices) != costs.shape[1] or len(set(devices)) < 2:
            raise SettingsError(
                f"devices must name the device of each of {costs.shape[1]} settings, at least two "
                f"different ones, got {list(devices)}"
            )
        if len(costs) <= self.measured:
            raise SettingsError(
                f"more architectures than measured ({self.measured}) are needed, got {len(costs)}"
            )
        centre, scale = mean_and_scale(inputs)
        self.inputs_ = (inputs - centre) / scale
        self.costs_ = smooth
        self.kernels_ = self._best_kernels(costs, np.asarray(devices))
        return self

    def design(self, count: int, candidates: ArrayLike | None = None) -> Ints:
        """Return architectures to measure on a new device, positions ``[count]``.

        They are chosen one after the other; each minimises the sum of the logarithms of the
        variances of all architectures in the five processes. So a few architectures that differ
        from all others do not attract most measurements. No cost on the new device is needed
        (Krause, Singh and Guestrin, 2008).

        Args:
            count: How many.
            candidates: Positions among which they are chosen ``[m]``; None for all.

        Raises:
            SettingsError: If there are fewer different candidates than ``count``, or one is no
                position.
            NotFittedError: If the model is not fitted.
        """
        total = self._known_architectures()
        chosen_from = np.arange(total)
        if candidates is not None:
            chosen_from = np.unique(_positions(candidates, total, "candidates"))
        check_count("count", count)
        if count > len(chosen_from):
            raise SettingsError(
                f"count must be 1 to {len(chosen_from)}, the number of candidates, got {count}"
            )
        everything = _Prior.of(self.costs_, self.inputs_).rows
        rows = everything.take(chosen_from)
        pool = everything.take(np.random.default_rng(self.random_state).permutation(total)[:_POOL])
        states = [_Unmeasured.of(kernel, pool, rows) for kernel in self.kernels_]
        found: list[int] = []
        for _ in range(count):
            gain = np.sum([state.gains() for state in states], axis=0)
            gain[found] = -1.0
            best = int(gain.argmax())
            found.append(best)
            states = [state.after(best) for state in states]
        return np.asarray(chosen_from[found])

    def predict(self, rows: ArrayLike, costs: ArrayLike) -> tuple[Floats, Floats]:
        """Return log costs of all architectures on a new device, and standard deviations.

        Args:
            rows: Architectures that were measured there, positions ``[n]``.
            costs: Logarithms of their costs ``[n]``.

        Raises:
            SettingsError: If the arrays have different lengths, a row is no position or a cost is
                not finite.
            NotFittedError: If the model is not fitted.
        """
        total = self._known_architectures()
        measured, labels = _positions(rows, total, "rows"), _finite(costs, "costs", 1)
        if measured.shape != labels.shape or not len(labels):
            raise SettingsError(
                f"rows {measured.shape} and costs {labels.shape} must be [n] with n >= 1"
            )
        prior, asked = _Prior.of(self.costs_, self.inputs_), np.arange(total)
        found = [prior.predict(kernel, measured, labels, asked) for kernel in self.kernels_]
        means, deviations = np.array(found).transpose(1, 0, 2)  # [kernels, N] each
        variance = (deviations**2).mean(axis=0) + means.var(axis=0)  # of a mixture
        return means.mean(axis=0), np.sqrt(variance)

    def _known_architectures(self) -> int:
        if not hasattr(self, "kernels_"):
            raise NotFittedError("this NewDeviceRegressor is not fitted, call fit first")
        return len(self.costs_)

    def _best_kernels(self, costs: Floats, devices: NDArray[np.str_]) -> list[_Kernel]:
        rng = np.random.default_rng(self.random_state)
        trials = 10 ** rng.uniform(_LOWEST, _HIGHEST, size=(self.trials, len(_LOWEST)))
        pools = [[rng.permutation(len(costs))[:_POOL] for _ in range(_DRAWS)] for _ in costs.T]
        priors = [_Prior.of(self.costs_[:, devices != device], self.inputs_) for device in devices]

        def error(kernel: _Kernel) -> float:
            errors = []
            for target, prior, draws in zip(costs.T, priors, pools, strict=True):
                for pool in draws:
                    rows, rest = pool[: self.measured], pool[self.measured :]
                    missed = prior.predict(kernel, rows, target[rows], rest)[0] - target[rest]
                    errors.append(np.log((missed**2).mean() / (target.var() or 1.0) + 1e-4))
            return float(np.mean(errors))

        return sorted((_Kernel(*trial.tolist()) for trial in trials), key=error)[:_KERNELS]


def _finite(values: ArrayLike, name: str, axes: int) -> Floats:
    array = numbers(name, values)
    wrong = np.argwhere(~np.isfinite(array))
    if len(wrong):
        place = tuple(wrong[0].tolist())
        raise SettingsError(f"{name} must be finite numbers, got {array[place]} at {list(place)}")
    if array.ndim != axes:
        raise SettingsError(f"{name} must be an array of {axes} axes, got {list(array.shape)}")
    return array


def _positions(values: ArrayLike, total: int, name: str) -> Ints:
    array = np.asarray(values)
    if array.size and (array.dtype.kind not in "iu" or array.min() < 0 or array.max() >= total):
        raise SettingsError(
            f"{name} must be positions of architectures, whole numbers from 0 to {total - 1}, "
            f"got {quoted(array.tolist())}"
        )
    return array.astype(np.int64)
