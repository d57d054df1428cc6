"""An exact Gaussian process on features of cells, hyper-parameters by marginal likelihood."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from pydantic import FiniteFloat
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from pyg_nas.compute.threads import single_threaded_pool
from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.features.graph_features import (
    FEATURE_BLOCK,
    FEATURE_VERSION,
    PATH_GROUP,
    TRANSFER_GROUP,
    ZERO_COST_GROUP,
    CellFeatures,
    cell_features,
)
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.predictors.base import CellRegressor
from pyg_nas.predictors.gaussian_process.cholesky import (
    factored_in_place,
    inverse_diagonal,
    solved,
)
from pyg_nas.predictors.gaussian_process.inputs import InputScale
from pyg_nas.predictors.gaussian_process.kernels import MaternLinearKernel, MaternLinearPosterior
from pyg_nas.predictors.gaussian_process.leave_one_out import halves_of_graphs, left_out_errors
from pyg_nas.predictors.gaussian_process.tuning import most_likely
from pyg_nas.predictors.labelled_features import LabelledFeatures
from pyg_nas.predictors.parameter_rules import SEED, anything, where, whole
from pyg_nas.predictors.scale import mean_and_scale
from pyg_nas.predictors.storage.state import Array, FeatureVersion, FittedState, Space
from pyg_nas.predictors.validation import (
    Cells,
    cells_to_predict,
    check_cells,
    weighted_cells,
)
from pyg_nas.spaces.modules.space import NETWORKS

GROUPS = ("graph", "walks", "flow", "pooled")
_RELEVANCE = ("graph", "walks")
_FEWEST_HALVED = 450  # cells of a tuning whose first steps take half of them
MOST_TRAINING_CELLS = 20_000
"""Largest number of training cells: a fit to ``N`` cells needs about 10 ``N``² bytes, here 4 GB."""

_ALL_GROUPS = (*GROUPS, ZERO_COST_GROUP, TRANSFER_GROUP, PATH_GROUP)
_MOST_EXTRA_COLUMNS = 64  # of a group that is not computed from the graph alone


def check_not_too_many(cells: CellArray) -> None:
    """Check that a process can be fitted to cells, before their features are computed.

    Raises:
        SettingsError: If there are more than :data:`MOST_TRAINING_CELLS`.
    """
    if len(cells) > MOST_TRAINING_CELLS:
        raise SettingsError(
            f"a Gaussian process is fitted to at most {MOST_TRAINING_CELLS:,} cells (its matrices "
            f"grow with their square), got {len(cells):,}: train on a part of them"
        )


@dataclass(eq=False, repr=False)
class GaussianProcess(CellRegressor):
    """Gaussian process over cells (Rasmussen and Williams, 2006, chapters 2 and 5).

    A Matérn 5/2 kernel plus a linear one (:mod:`pyg_nas.predictors.gaussian_process.kernels`) on
    standardised features (:mod:`pyg_nas.features.graph_features`). Each group of features has a
    length scale, and the features of the groups ``graph`` and ``walks`` have one each besides.
    Kernels and noise maximise the posterior (marginal likelihood times priors) by Adam in float64.

    A graph may appear several times among the training cells, with different labels. All its cells
    are then left out together.

    Args:
        groups: Names of the groups of features.
        steps: Number of steps of Adam.
        tuning_cells: Largest number of training cells on which hyper-parameters are tuned; the
            process itself is fitted to all.
        random_state: Random seed of the choice of these cells.

    Attributes:
        space_: Search space of the training cells.
        kernel_: The kernel with its hyper-parameters.
        noise_: Variance of the noise, relative to that of the labels.
        loo_mean_: Leave-one-out means of the training labels ``[n]``.
        loo_std_: Standard deviations of these predictions, noise included ``[n]``.
        hashes_: Hashes of the training cells, their bytes as int64 ``[n, 4]``; None where they were
            not given, and in models of version 0.1: each cell then counts as another graph.

    Example:
        >>> from pyg_nas.graphs.enumeration import sample_cells
        >>> cells = sample_cells(60, seed=0)
        >>> y = cells.trainable_parameters() / 5e7
        >>> mean, std = GaussianProcess(steps=20).fit(cells, y).predict(cells[:3], return_std=True)
        >>> mean.shape, std.shape
        ((3,), (3,))
    """

    provides_std = True
    parameter_rules: ClassVar = {
        "groups": where(
            anything,
            lambda value: bool(value) and set(value) <= set(_ALL_GROUPS),
            f"some of {', '.join(_ALL_GROUPS)}",
        ),
        "steps": whole(least=20),
        "tuning_cells": whole(least=2),
        "random_state": SEED,
    }
    fitted_state: ClassVar = FittedState(
        arrays={
            "dual": Array("float64", ("n",), torch=True),
            "columns": Array("int64", ("d",)),
            "centre": Array("float64", ("d",)),
            "scale": Array("float64", ("d",)),
            "weights": Array("float64", ("d",), torch=True),
            "inputs": Array("float64", ("n", "d"), torch=True),
            "factor": Array("float64", ("n", "n"), torch=True),
            "loo_mean": Array("float64", ("n",)),
            "loo_std": Array("float64", ("n",)),
            "hashes": Array("int64", ("n", 4), optional=True),
        },
        values={
            "space": Space,
            "feature_version": FeatureVersion,
            **dict.fromkeys(("mean", "std", "variance", "linear", "noise"), FiniteFloat),
        },
    )

    groups: tuple[str, ...] = GROUPS
    steps: int = 60
    tuning_cells: int = 500
    random_state: int = 0

    def fit(
        self, X: Cells, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> GaussianProcess:
        """Fit to ``N`` cells and their labels ``[N]``.

        The noise of a label is divided by its ``sample_weight`` ``[N]``: a weight of 2 has the
        effect of two equal labels of the cell, and 0 leaves it out.

        Raises:
            SettingsError: If a label or weight is not finite, a setting is outside its rule or
                there are more than :data:`MOST_TRAINING_CELLS` cells.
        """
        cells, labels, weights = weighted_cells(X, y, sample_weight)
        check_not_too_many(cells)
        data = LabelledFeatures(cell_features(cells), labels, weights, cells.hashes())
        return self.fit_features(cells.space, data)

    def fit_features(
        self,
        space: SearchSpace,
        data: LabelledFeatures,
        tuning: NDArray[np.int64] | None = None,
        gradually: bool = False,
    ) -> GaussianProcess:
        """Fit to cells whose features are known already.

        Args:
            space: Space of the ``N`` cells.
            data: Their features and labels ``[N]``.
            tuning: Rows that the hyper-parameters are found on; None to draw them.
            gradually: Whether the first half of the tuning, far from the maximum, uses half of
                the cells where there are many.
        """
        self.check_parameters()
        self._gradually = gradually
        self._given_std: float | None = None
        target, weight = self._standardised_labels(data)
        scale = InputScale.fitted(tuple(self.groups), data.features, data.weights)
        self.columns_, self.centre_, self.scale_ = scale.columns, scale.centre, scale.scale
        inputs = scale.standardised(data.features)
        if tuning is None:
            tuning = np.random.default_rng(self.random_state).permutation(len(data))
        rows = torch.from_numpy(tuning[: self.tuning_cells])
        halved = gradually and len(rows) >= _FEWEST_HALVED
        parts = [rows[: len(rows) // 2], rows] if halved else [rows]
        groups = scale.group_of_each(data.features), np.isin(self.groups, _RELEVANCE)
        self._tune(
            [
                MaternLinearPosterior(inputs[part], target[part], weight[part], *groups)
                for part in parts
            ]
        )
        return self._fit_tuned(space, data, inputs, target, weight)

    def fit_features_like(self, other: GaussianProcess, data: LabelledFeatures) -> GaussianProcess:
        """Fit to cells with the hyper-parameters of a process of the same space and features.

        The unit of labels and the scale of features are also taken from it.

        Args:
            other: The fitted process, whose label is similar.
            data: Features and labels of ``N`` cells.
        """
        self.check_parameters()
        self._gradually, self._given_std = False, other.std_
        target, weight = self._standardised_labels(data)
        scales = ("columns", "centre", "scale")
        for name in (*scales, "weights", "variance", "linear", "noise", "kernel"):
            setattr(self, f"{name}_", getattr(other, f"{name}_"))
        inputs = self._input_scale.standardised(data.features)
        return self._fit_tuned(other.space_, data, inputs, target, weight)

    def _standardised_labels(self, data: LabelledFeatures) -> tuple[Tensor, Tensor]:
        """Set the unit of labels ``[N]``; return them in it, and their weights ``[N]``."""
        self._set_unit(data.labels, data.weights)
        target = torch.as_tensor((data.labels - self.mean_) / self.std_)
        if data.weights is None:
            return target, torch.ones_like(target)
        return target, torch.as_tensor(data.weights)

    def _fit_tuned(
        self,
        space: SearchSpace,
        data: LabelledFeatures,
        inputs: Tensor,
        target: Tensor,
        weight: Tensor,
    ) -> GaussianProcess:
        """Fit to standardised inputs ``[N, d]`` and labels ``[N]`` with known hyper-parameters."""
        self.space_, self.feature_version_ = space, FEATURE_VERSION
        self.inputs_ = self.kernel_.scaled(inputs)
        self.factor_ = factored_in_place(self._covariance(self.inputs_, weight))
        self.hashes_ = None if data.hashes is None else _as_integers(data.hashes)
        self._set_targets(data.labels, target, inverse_diagonal(self.factor_), weight)
        return self

    def update_features(
        self,
        features: CellFeatures,
        y: NDArray[np.float64],
        rescale: bool = False,
        hashes: NDArray[np.bytes_] | None = None,
    ) -> GaussianProcess:
        """Add ``k`` cells to a fitted process with the same hyper-parameters, in ``O(n² k)``.

        New rows are added to the Cholesky factor, which is then equal to that of a fit to all cells
        with these hyper-parameters. The new cells have weight 1.

        Args:
            features: Features of the ``k`` new cells.
            y: Labels of all cells ``[n + k]``, the new ones last; the old ones may have changed.
            rescale: Whether the mean and standard deviation of the labels are computed again.
            hashes: Hashes of the new cells, ``S32 [k]``; None if no graph appears twice.
        """
        check_is_fitted(self)
        self._restore_training()
        n, k = len(self.dual_), len(features.vertex)
        inputs = self.weighted_inputs(features)
        between = self.kernel_.covariance(self.inputs_, inputs)  # [n, k]
        corner = self._covariance(inputs, 1.0)
        new_rows = torch.linalg.solve_triangular(self.factor_, between, upper=False)  # [n, k]
        new_factor = torch.linalg.cholesky(corner - new_rows.T @ new_rows)
        factor = torch.zeros(n + k, n + k, dtype=torch.float64)
        factor[:n, :n], factor[n:, :n], factor[n:, n:] = self.factor_, new_rows.T, new_factor
        # Diagonal of the inverse by blocks: the inverse of the Schur complement, and its effect.
        solved = torch.linalg.solve_triangular(self.factor_.T, new_rows, upper=True)  # [n, k]
        spread = torch.linalg.solve_triangular(new_factor, solved.T, upper=False)  # [k, n]
        before = self._inverse + spread.square().sum(dim=0)
        inverse = torch.cat([before, torch.cholesky_inverse(new_factor).diagonal()])
        self.factor_, self.inputs_ = factor, torch.cat([self.inputs_, inputs])
        if self.hashes_ is not None and hashes is not None:
            self.hashes_ = np.concatenate([self.hashes_, _as_integers(hashes)])
        else:
            self.hashes_ = None
        weight = torch.cat([self._weight, torch.ones(k, dtype=torch.float64)])
        if rescale:
            self._set_unit(y, weight.numpy())
        target = torch.as_tensor((y - self.mean_) / self.std_)
        self._set_targets(y, target, inverse, weight)
        return self

    def update(self, X: Cells, y: ArrayLike) -> GaussianProcess:
        """Add more cells and their labels ``[k]`` with the same hyper-parameters.

        Raises:
            ModelError: If the cells have other operations than the training cells.
            SettingsError: If a label is not finite.
        """
        check_is_fitted(self)
        cells, labels, _ = weighted_cells(X, y)
        check_cells(cells, self.space_, features=True)
        return self.update_features(
            cell_features(cells),
            np.concatenate([self.training_labels(), labels]),
            hashes=cells.hashes(),
        )

    def training_labels(self) -> NDArray[np.float64]:
        """Return the training labels ``[n]``, of a process that was read from a folder too."""
        check_is_fitted(self)
        self._restore_training()
        labels: NDArray[np.float64] = self._labels
        return labels

    def unseen_residuals(self, data: LabelledFeatures) -> NDArray[np.float64]:
        """Return residuals ``[N]`` of predictions that do not depend on the cell's own label.

        Leave-one-out residuals with hyper-parameters from the other half of the graphs. If the
        process has many more cells than are tuned on, or the hyper-parameters of another process,
        its own leave-one-out residuals are as good; with one graph they are the only ones.

        Args:
            data: What the process was fitted to.
        """
        order = np.random.default_rng(self.random_state).permutation(len(data))
        halves = halves_of_graphs(data.hashes, order)
        is_large = len(data) > 2 * self.tuning_cells
        if self._given_std is not None or is_large or not len(halves[0]):
            return data.labels - self.loo_mean_
        residuals = np.empty(len(data))

        def left_out(tuned: NDArray[np.int64]) -> NDArray[np.float64]:
            process = GaussianProcess(**self.get_params())
            process.fit_features(self.space_, data, tuned, gradually=self._gradually)
            return data.labels - process.loo_mean_

        # In parallel: matrices of this size gain little from torch's own threads.
        with single_threaded_pool(min(2, torch.get_num_threads())) as pool:
            for found, others in zip(pool.map(left_out, halves), halves[::-1], strict=True):
                residuals[others] = found[others]
        return residuals

    def predict(self, X: Cells, return_std: bool = False) -> Any:
        """Return the mean ``[N]`` in the unit of the labels.

        With ``return_std`` also the standard deviation of a measured label, noise included.

        Raises:
            ModelError: If the cells have other operations than the training cells.
        """
        cells = cells_to_predict(self, X)
        means, stds = [np.empty(0)], [np.empty(0)]
        for start in range(0, len(cells), FEATURE_BLOCK):
            features = cell_features(cells[start : start + FEATURE_BLOCK])
            mean, std = self.predict_features(features, return_std)
            means.append(mean)
            stds.append(std)
        joined = np.concatenate(means)
        return (joined, np.concatenate(stds)) if return_std else joined

    def covariance(self, features: CellFeatures) -> NDArray[np.float64]:
        """Return the covariance of ``N`` cells' labels before any is known, noise excluded.

        ``[N, N]``, in the square of the unit of the labels.
        """
        inputs = self.weighted_inputs(features)
        return np.asarray(self.kernel_.covariance(inputs, inputs).numpy()) * self.std_**2

    @property
    def label_noise(self) -> float:
        """Variance of the noise of a label of weight 1, in the square of the unit of the labels."""
        return float(self.noise_ * self.std_**2)

    def with_variance(self, factor: float) -> GaussianProcess:
        """Return a process with these hyper-parameters for ``fit_features_like``, other variances.

        Args:
            factor: Of the covariances without noise.
        """
        other = copy(self)
        other.variance_, other.linear_ = factor * self.variance_, factor * self.linear_
        other.check_fitted_state()
        return other

    def weighted_inputs(self, features: CellFeatures) -> Tensor:
        """Return the inputs of the kernel's methods, ``[N, d]``, from features of ``N`` cells."""
        return self._input_scale.weighted(features, self.weights_)

    def predict_features(
        self, features: CellFeatures, with_std: bool = True
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and standard deviation ``[N]`` (zeros if not asked for)."""
        if not with_std:
            mean = self.posterior_means(features, self.dual_[:, None])[:, 0]
            return mean * self.std_ + self.mean_, np.zeros(len(mean))
        inputs = self.weighted_inputs(features)
        between = self.kernel_.covariance(inputs, self.inputs_)
        mean = (between @ self.dual_).numpy() * self.std_ + self.mean_
        explained = torch.linalg.solve_triangular(self.factor_, between.T, upper=False)
        prior = self.kernel_.variances(inputs)
        variance = (prior - explained.square().sum(dim=0)).clamp(min=0) + self.noise_
        return mean, variance.sqrt().numpy() * self.std_

    @torch.no_grad()
    def posterior_means(self, features: CellFeatures, duals: Tensor) -> NDArray[Any]:
        """Return the means of several targets that share the process, ``[N, K]``.

        Args:
            features: Features of ``N`` cells.
            duals: ``[n, K]``: the inverse covariance of the ``n`` training cells, noise
                included, times their targets. Covariances are computed in their precision.
        """
        inputs = self.weighted_inputs(features)
        return np.asarray(self.kernel_.posterior_means(inputs, self.inputs_, duals).numpy())

    def check_shapes(self) -> None:
        """Check that a state to be read has no more columns than the cells have features.

        Whole networks have other features, whose columns are checked when they are selected.
        """
        if self.space_ == NETWORKS:
            return
        features = cell_features(CellArray.from_cells([], self.space_))
        widths = {name: group.shape[1] for name, group in features.groups.items()}
        width = sum(widths.get(name, _MOST_EXTRA_COLUMNS) for name in self.groups)
        if len(self.columns_) > width:
            raise ModelError(f"{len(self.columns_):,} columns of {width:,} features")

    def check_fitted_state(self) -> None:
        """Compute all attributes that follow from a state that was read."""
        self.kernel_ = MaternLinearKernel(self.weights_, self.variance_, self.linear_)

    @property
    def _input_scale(self) -> InputScale:
        return InputScale(tuple(self.groups), self.columns_, self.centre_, self.scale_)

    def _set_unit(self, y: NDArray[np.float64], weights: NDArray[np.float64] | None) -> None:
        self.mean_, self.std_ = map(float, mean_and_scale(y, weights))
        if self._given_std is not None:
            self.std_ = self._given_std

    def _restore_training(self) -> None:
        """Compute what is not stored: labels, their weights and the inverse's diagonal."""
        if hasattr(self, "_labels"):
            return
        self._given_std = None
        self._inverse = inverse_diagonal(self.factor_)
        own_noise = self.factor_.square().sum(dim=1) - self.kernel_.variances(self.inputs_)
        self._weight = self.noise_ / own_noise
        target = self.factor_ @ (self.factor_.T @ self.dual_)
        self._labels = target.numpy() * self.std_ + self.mean_

    def _set_targets(
        self,
        y: NDArray[np.float64],
        target: Tensor,
        diagonal: Tensor,
        weight: Tensor,
    ) -> None:
        """Take labels ``[n]``, standardised too, and the diagonal of the inverse covariance."""
        self._labels, self._inverse, self._weight = y, diagonal, weight
        self.dual_: Tensor = solved(self.factor_, target)
        residual, variance = left_out_errors(self.factor_, self.dual_, diagonal, self.hashes_)
        self.loo_mean_ = y - residual.numpy() * self.std_
        # The noise of a label of weight 1 is put in place of the label's own.
        extra = self.noise_ * (1 - 1 / weight)
        self.loo_std_ = (variance + extra).sqrt().numpy() * self.std_

    def _covariance(self, inputs: Tensor, weight: Tensor | float) -> Tensor:
        """Return the covariance ``[n, n]`` of labels of these weights, noise included."""
        covariance = self.kernel_.covariance(inputs, inputs)
        covariance.diagonal().add_(self.noise_ / weight)
        return covariance

    @torch.no_grad()
    def _tune(self, posteriors: list[MaternLinearPosterior]) -> None:
        """Set the hyper-parameters that maximise the last of posteriors."""
        logarithms = most_likely(posteriors, self.steps)
        kernel = posteriors[-1].kernel(logarithms)
        self.weights_ = kernel.weights
        self.variance_, self.linear_ = float(kernel.variance), float(kernel.linear)
        self.noise_ = float(posteriors[-1].noise(logarithms))
        self.kernel_ = MaternLinearKernel(self.weights_, self.variance_, self.linear_)


def _as_integers(hashes: NDArray[np.bytes_]) -> NDArray[np.int64]:
    """Return the bytes of hashes ``S32 [n]`` as int64 ``[n, 4]``."""
    return np.ascontiguousarray(hashes, "S32").view("<i8").reshape(-1, 4)
