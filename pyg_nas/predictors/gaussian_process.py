"""A Gaussian process on cell statistics: exact, with hyper-parameters by marginal likelihood."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from pyg_nas.data.table import Table
from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.features.graph_statistics import (
    BLOCK_CELLS,
    PRIOR_GROUP,
    STATISTICS_VERSION,
    ZERO_COST_GROUP,
    CellFeatures,
    cell_features,
    check_statistics_version,
    select_columns,
)
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.predictors.gcn import (
    State,
    as_cells,
    check_same_statistics,
    finite_labels,
    require_number,
)

GROUPS = ("graph", "walks", "flow", "pooled")
_RELEVANCE = ("graph", "walks")
_MOST_SPREAD = 5.0
_LEAST_NOISE = 1e-4
MOST_CELLS = 20_000
"""A fit to ``N`` cells needs some 56 ``N``² bytes: with so many, 22 GB."""

_ROWS = 128  # of a block of covariances that stays in the processor's cache


def check_not_too_many(cells: CellArray) -> None:
    """Check that a process can be fitted to cells, before their statistics are computed.

    Raises:
        SettingsError: If there are more than :data:`MOST_CELLS`.
    """
    if len(cells) > MOST_CELLS:
        raise SettingsError(
            f"a Gaussian process is fitted to at most {MOST_CELLS:,} cells (its matrices grow with "
            f"their square), got {len(cells):,}: train on a part of them"
        )


class GaussianProcess(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Gaussian process over cells (Rasmussen and Williams, 2006, chapters 2 and 5).

    A Matérn 5/2 kernel plus a linear one on standardised statistics
    (:mod:`pyg_nas.features.graph_statistics`). Each group of statistics has a length scale, and the
    columns of the groups ``graph`` and ``walks`` have one each besides, held near their group's by
    a Gaussian prior. Kernels and noise maximise the posterior (marginal likelihood times priors) by
    Adam in float64.

    Args:
        groups: Names of the groups of statistics, and of :data:`ZERO_COST_GROUP` and
            :data:`PRIOR_GROUP` where they have them.
        steps: Of Adam.
        tuning_cells: Hyper-parameters are found on at most so many of the training cells; the
            process itself takes all.
        random_state: Seed of their choice.

    Attributes:
        space_: Search space of the training cells.
        noise_: Variance of the noise, relative to that of the labels.

    Example:
        >>> from pyg_nas.graphs.enumeration import sample_cells
        >>> cells = sample_cells(60, seed=0)
        >>> y = cells.trainable_parameters() / 5e7
        >>> mean, std = GaussianProcess(steps=20).fit(cells, y).predict(cells[:3], return_std=True)
        >>> mean.shape, std.shape
        ((3,), (3,))
    """

    def __init__(
        self,
        groups: tuple[str, ...] = GROUPS,
        steps: int = 60,
        tuning_cells: int = 500,
        random_state: int = 0,
    ) -> None:
        self.groups = groups
        self.steps = steps
        self.tuning_cells = tuning_cells
        self.random_state = random_state

    def fit(self, X: CellArray | Table | Iterable[Cell], y: ArrayLike) -> GaussianProcess:
        """Fit to ``N`` cells and their labels ``[N]``.

        Raises:
            SettingsError: If a label is not finite, a setting is outside its rule or there are more
                than :data:`MOST_CELLS` cells.
        """
        cells = as_cells(X)
        check_not_too_many(cells)
        self.space_ = cells.space
        return self.fit_features(cell_features(cells), finite_labels(y, len(cells)))

    def fit_features(
        self,
        features: CellFeatures,
        y: NDArray[np.float64],
        tuning: NDArray[np.int64] | None = None,
    ) -> GaussianProcess:
        """Fit to the statistics of ``N`` cells and labels ``[N]``.

        Args:
            features: Of the cells.
            y: Their labels.
            tuning: Rows that the hyper-parameters are found on; None to draw them.
        """
        self._check_settings()
        self.mean_, spread = float(y.mean()), float(y.std())
        self.std_ = spread if spread > 0 else 1.0
        target = torch.as_tensor((y - self.mean_) / self.std_)
        raw = self._raw(features)
        centre, scale = raw.mean(axis=0), raw.std(axis=0)
        kept = np.flatnonzero(scale > 1e-6)
        self.columns_, self.centre_, self.scale_ = kept, centre[kept], scale[kept]
        widths = [features.groups[name].shape[1] for name in self.groups]
        group = np.repeat(np.arange(len(widths)), widths)[kept]
        relevant = np.repeat([name in _RELEVANCE for name in self.groups], widths)[kept]
        inputs = self._standardised(features)
        if tuning is None:
            tuning = np.random.default_rng(self.random_state).permutation(len(y))
        rows = torch.from_numpy(tuning[: self.tuning_cells])
        self._tune(inputs[rows], target[rows], group, relevant)
        self.inputs_ = inputs * self.weights_
        covariance = _matern_and_linear(self.inputs_, self.inputs_, self.variance_, self.linear_)
        covariance.diagonal().add_(self.noise_)
        self.factor_ = torch.linalg.cholesky(covariance)
        self.dual_ = torch.cholesky_solve(target[:, None], self.factor_).squeeze(1)
        inverse = torch.cholesky_inverse(self.factor_).diagonal()
        # Leave-one-out in closed form, Rasmussen and Williams, equations 5.10 to 5.12.
        self.loo_mean_ = y - (self.dual_ / inverse).numpy() * self.std_
        self.loo_std_ = inverse.rsqrt().numpy() * self.std_
        return self

    def unseen_residuals(
        self, features: CellFeatures, y: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return residuals ``[N]`` of the training cells that their labels had no part in.

        Leave-one-out residuals where the hyper-parameters come from the other half of the
        cells. With many more cells than are tuned on, the process' own are as good.
        """
        if len(y) > 2 * self.tuning_cells:
            return y - self.loo_mean_
        residuals = np.empty(len(y))
        order = np.random.default_rng(self.random_state).permutation(len(y))
        half = len(y) // 2
        for tuned, others in ((order[:half], order[half:]), (order[half:], order[:half])):
            process = GaussianProcess(**self.get_params()).fit_features(features, y, tuned)
            residuals[others] = (y - process.loo_mean_)[others]
        return residuals

    def predict(self, X: CellArray | Table | Iterable[Cell], return_std: bool = False) -> Any:
        """Return the mean ``[N]`` in the unit of the labels.

        Args:
            X: The cells.
            return_std: Also return the standard deviation of a measured label, noise included.

        Raises:
            ModelError: If the cells have other operations than the training cells.
        """
        check_is_fitted(self)
        cells = as_cells(X)
        check_same_statistics(cells, self.space_)
        means, stds = [np.empty(0)], [np.empty(0)]
        for start in range(0, len(cells), BLOCK_CELLS):
            features = cell_features(cells[start : start + BLOCK_CELLS])
            mean, std = self.predict_features(features, return_std)
            means.append(mean)
            stds.append(std)
        joined = np.concatenate(means)
        return (joined, np.concatenate(stds)) if return_std else joined

    def predict_features(
        self, features: CellFeatures, with_std: bool = True
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and standard deviation ``[N]`` (zeros if not asked for)."""
        if not with_std:
            mean = self.posterior_means(features, self.dual_[:, None])[:, 0]
            return mean * self.std_ + self.mean_, np.zeros(len(mean))
        inputs = self._standardised(features) * self.weights_
        between = _matern_and_linear(inputs, self.inputs_, self.variance_, self.linear_)
        mean = (between @ self.dual_).numpy() * self.std_ + self.mean_
        explained = torch.linalg.solve_triangular(self.factor_, between.T, upper=False)
        prior = self.variance_ + self.linear_ * inputs.square().sum(dim=1)
        variance = (prior - explained.square().sum(dim=0)).clamp(min=0) + self.noise_
        return mean, variance.sqrt().numpy() * self.std_

    @torch.no_grad()
    def posterior_means(self, features: CellFeatures, duals: Tensor) -> NDArray[Any]:
        """Return the means of several targets that share the process, ``[N, K]``.

        Args:
            features: Of ``N`` cells.
            duals: ``[n, K]``: the inverse covariance of the ``n`` training cells, noise
                included, times their targets. Covariances are computed in their precision.
        """
        inputs = (self._standardised(features) * self.weights_).to(duals.dtype)
        known = self.inputs_.T.to(duals.dtype)
        # Large terms that cancel: their sums are taken in double precision.
        smooth = self.variance_ * duals.double()
        straight = self.linear_ * (known @ duals)
        # Rows whose product is five times the squared distance.
        ones = torch.ones_like(inputs[:, :1]), torch.ones_like(known[:1])
        left = torch.cat([inputs, inputs.square().sum(dim=1, keepdim=True), ones[0]], dim=1)
        right = 5 * torch.cat([-2 * known, ones[1], known.square().sum(dim=0, keepdim=True)])
        means = []
        # As :func:`_matern_and_linear`, which gradients pass through, but in place: most of the
        # time of scoring many cells. The linear part needs no covariances.
        for rows, part in zip(left.split(_ROWS), inputs.split(_ROWS), strict=True):
            square = (rows @ right).clamp_(min=0)
            root = square.sqrt()
            matern = square.div_(3).add_(root).add_(1).mul_(root.neg_().exp_())
            means.append((matern.double() @ smooth).to(duals.dtype) + part @ straight)
        return np.asarray(torch.cat(means).numpy())

    def get_state(self) -> State:
        """Return what ``fit`` learned, for a model folder."""
        check_is_fitted(self)
        tensors = {
            "columns": torch.as_tensor(self.columns_),
            "centre": torch.as_tensor(self.centre_),
            "scale": torch.as_tensor(self.scale_),
            "weights": self.weights_,
            "inputs": self.inputs_.contiguous(),
            "factor": self.factor_.contiguous(),
            "dual": self.dual_,
            "loo_mean": torch.as_tensor(self.loo_mean_),
            "loo_std": torch.as_tensor(self.loo_std_),
        }
        numbers = {name: getattr(self, f"{name}_") for name in _NUMBERS}
        about = {"space": self.space_.to_dict(), "statistics_version": STATISTICS_VERSION}
        return tensors, {**about, **numbers}

    def set_state(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Take over :meth:`get_state`'s result.

        Raises:
            ModelError: If a tensor or number is missing or does not fit the others, or the
                statistics are others now.
        """
        check_statistics_version(values.get("statistics_version"))
        self.space_ = SearchSpace.from_dict(values.get("space"))
        for name in _NUMBERS:
            value = values.get(name)
            if not isinstance(value, (int, float)) or not math.isfinite(value):
                raise ModelError(f"{name} must be a finite number, got {value!r}")
            setattr(self, f"{name}_", float(value))
        missing = {"columns", *_TENSORS} - set(tensors)
        if missing:
            raise ModelError(f"a Gaussian process lacks {', '.join(sorted(missing))}")
        n, d = len(tensors["dual"]), len(tensors["columns"])
        shapes = {"inputs": (n, d), "factor": (n, n), "dual": (n,), "loo_mean": (n,)}
        shapes |= {"loo_std": (n,), "centre": (d,), "scale": (d,), "weights": (d,)}
        for name, shape in shapes.items():
            if tensors[name].shape != shape:
                raise ModelError(f"{name} must be {shape}, got {tuple(tensors[name].shape)}")
        self.columns_ = tensors["columns"].numpy()
        self.centre_, self.scale_ = tensors["centre"].numpy(), tensors["scale"].numpy()
        self.weights_, self.inputs_ = tensors["weights"], tensors["inputs"]
        self.factor_, self.dual_ = tensors["factor"], tensors["dual"]
        self.loo_mean_, self.loo_std_ = tensors["loo_mean"].numpy(), tensors["loo_std"].numpy()

    def _check_settings(self) -> None:
        known = (*GROUPS, ZERO_COST_GROUP, PRIOR_GROUP)
        if not self.groups or not set(self.groups) <= set(known):
            raise SettingsError(
                f"groups must be some of {', '.join(known)}, got {list(self.groups)!r}"
            )
        for name, least in (("steps", 20), ("tuning_cells", 2), ("random_state", 0)):
            require_number(name, getattr(self, name), whole=True, least=least)

    def _raw(self, features: CellFeatures) -> NDArray[np.float64]:
        groups = [features.groups[name] for name in self.groups]
        return np.concatenate(groups, axis=1, dtype=np.float64)

    def _standardised(self, features: CellFeatures) -> Tensor:
        standard = select_columns(self._raw(features), self.columns_)
        standard -= self.centre_
        standard /= self.scale_
        # A statistic far outside of the training cells' says no more than that.
        return torch.from_numpy(np.clip(standard, -_MOST_SPREAD, _MOST_SPREAD, out=standard))

    def _tune(
        self,
        x: Tensor,
        y: Tensor,
        group: NDArray[np.int64],
        relevant: NDArray[np.bool_],
    ) -> None:
        number = torch.tensor(group)
        sizes = np.bincount(group, minlength=len(self.groups))[group]
        inverse_root = torch.as_tensor(1.0 / np.sqrt(sizes))
        own = torch.as_tensor(relevant, dtype=torch.float64)
        by_group = torch.full((len(self.groups),), -0.5, dtype=torch.float64, requires_grad=True)
        by_column = torch.zeros(len(group), dtype=torch.float64, requires_grad=True)
        variances = torch.tensor([1.0, -1.0], dtype=torch.float64, requires_grad=True)
        noise = torch.tensor(-2.5, dtype=torch.float64, requires_grad=True)
        adam = torch.optim.Adam([by_group, by_column, variances, noise], lr=0.1)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            adam, 0.1, total_steps=self.steps, pct_start=0.1
        )
        for _ in range(self.steps):
            weights = torch.exp(by_group[number] + by_column * own) * inverse_root
            variance, linear = variances.exp()
            covariance = _matern_and_linear(x * weights, x * weights, variance, linear)
            covariance = covariance + (noise.exp() + _LEAST_NOISE) * torch.eye(len(y)).double()
            factor = torch.linalg.cholesky(covariance)
            explained = torch.cholesky_solve(y[:, None], factor).squeeze(1)
            loss = 0.5 * y @ explained + factor.diagonal().log().sum()
            # Priors: log-normal on scales and variances.
            loss = loss + 0.05 * (by_group + 0.5).square().sum() + by_column.square().sum()
            loss = loss + 0.05 * (variances - 1).square().sum()
            adam.zero_grad()
            loss.backward()
            adam.step()
            schedule.step()
        with torch.no_grad():
            self.weights_ = torch.exp(by_group[number] + by_column * own) * inverse_root
            self.variance_, self.linear_ = variances.exp().tolist()
            self.noise_ = float(noise.exp()) + _LEAST_NOISE


_NUMBERS = ("mean", "std", "variance", "linear", "noise")
_TENSORS = ("centre", "scale", "weights", "inputs", "factor", "dual", "loo_mean", "loo_std")


def _matern_and_linear(
    one: Tensor, two: Tensor, variance: Tensor | float, linear: Tensor | float
) -> Tensor:
    """Matérn 5/2 of the distances plus the inner products, ``[n, m]``."""
    product = one @ two.T
    squares = one.square().sum(dim=1)[:, None] + two.square().sum(dim=1) - 2 * product
    distance = torch.sqrt(5 * squares.clamp(min=0) + 1e-10)
    matern = (1 + distance + distance.square() / 3) * torch.exp(-distance)
    return variance * matern + linear * product
