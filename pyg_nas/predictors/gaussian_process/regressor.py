"""An exact Gaussian process on features of cells, hyper-parameters by marginal likelihood."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from pydantic import FiniteFloat
from sklearn.utils.validation import check_is_fitted
from torch import Tensor
from torch.linalg import vector_norm

from pyg_nas.compute.jit import compiled_enabled
from pyg_nas.compute.threads import single_threaded_pool
from pyg_nas.engine.adam import ADAM_BETAS, ADAM_EPSILON, one_cycle
from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.features.graph_features import (
    BLOCK_CELLS,
    FEATURE_VERSION,
    PATH_GROUP,
    TRANSFER_GROUP,
    ZERO_COST_GROUP,
    CellFeatures,
    cell_features,
    check_columns,
    select_columns,
)
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.predictors.base import CellRegressor
from pyg_nas.predictors.gaussian_process.cholesky import (
    factored_in_place,
    inverse_blocks,
    inverse_diagonal,
    solved,
)
from pyg_nas.predictors.gaussian_process.kept_cells import AddedCells, WhitenedCells
from pyg_nas.predictors.gaussian_process.kernels import MaternLinearKernel, MaternLinearPosterior
from pyg_nas.predictors.parameter_rules import SEED, anything, where, whole
from pyg_nas.predictors.scale import mean_and_scale, mean_and_std
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
_MOST_SPREAD = 5.0
_ADDED_AT_ONCE = 16
_FEWEST_HALVED = 450  # cells of a tuning whose first steps take half of them
_FEWEST_COMPILED = 1_024  # rows of features from which on compiled code is worth its import
MOST_CELLS = 20_000
"""Largest number of training cells: a fit to ``N`` cells needs about 10 ``N``² bytes, here 4 GB."""

_ALL_GROUPS = (*GROUPS, ZERO_COST_GROUP, TRANSFER_GROUP, PATH_GROUP)
_MOST_EXTRA_COLUMNS = 64  # of a group that is not computed from the graph alone


def check_not_too_many(cells: CellArray) -> None:
    """Check that a process can be fitted to cells, before their features are computed.

    Raises:
        SettingsError: If there are more than :data:`MOST_CELLS`.
    """
    if len(cells) > MOST_CELLS:
        raise SettingsError(
            f"a Gaussian process is fitted to at most {MOST_CELLS:,} cells (its matrices grow with "
            f"their square), got {len(cells):,}: train on a part of them"
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
                there are more than :data:`MOST_CELLS` cells.
        """
        cells, labels, weights = weighted_cells(X, y, sample_weight)
        check_not_too_many(cells)
        return self.fit_features(
            cells.space, cell_features(cells), labels, weights, hashes=cells.hashes()
        )

    def fit_features(
        self,
        space: SearchSpace,
        features: CellFeatures,
        y: NDArray[np.float64],
        weights: NDArray[np.float64] | None = None,
        tuning: NDArray[np.int64] | None = None,
        hashes: NDArray[np.bytes_] | None = None,
        gradually: bool = False,
    ) -> GaussianProcess:
        """Fit to cells whose features are known already.

        Args:
            space: Space of the ``N`` cells.
            features: Features of the cells.
            y: Labels ``[N]``.
            weights: Weights above 0 ``[N]``, None for 1.
            tuning: Rows that the hyper-parameters are found on; None to draw them.
            hashes: Hashes of the cells, ``S32 [N]``; None if no graph appears twice.
            gradually: Whether the first half of the tuning, far from the maximum, uses half of
                the cells where there are many.
        """
        self.check_parameters()
        self._gradually = gradually
        self._given_std: float | None = None
        target, weight = self._standardised_labels(y, weights)
        centre, scale = mean_and_std(self._raw(features).astype(np.float64), weights)
        kept = np.flatnonzero(scale > 1e-6)
        self.columns_, self.centre_, self.scale_ = kept, centre[kept], scale[kept]
        inputs = self._standardised(features)
        if tuning is None:
            tuning = np.random.default_rng(self.random_state).permutation(len(y))
        rows = torch.from_numpy(tuning[: self.tuning_cells])
        halved = gradually and len(rows) >= _FEWEST_HALVED
        parts = [rows[: len(rows) // 2], rows] if halved else [rows]
        groups = self._input_groups(features)
        self._tune(
            [
                MaternLinearPosterior(inputs[part], target[part], weight[part], *groups)
                for part in parts
            ]
        )
        return self._fit_tuned(space, inputs, y, target, weight, hashes)

    def fit_features_like(
        self,
        other: GaussianProcess,
        features: CellFeatures,
        y: NDArray[np.float64],
        weights: NDArray[np.float64] | None = None,
        hashes: NDArray[np.bytes_] | None = None,
    ) -> GaussianProcess:
        """Fit to cells with the hyper-parameters of a process of the same space and features.

        The unit of labels and the scale of features are also taken from it.

        Args:
            other: The fitted process, whose label is similar.
            features: Features of ``N`` cells.
            y: Labels ``[N]``.
            weights: Weights above 0 ``[N]``, None for 1.
            hashes: Hashes of the cells, ``S32 [N]``; None if no graph appears twice.
        """
        self.check_parameters()
        self._gradually, self._given_std = False, other.std_
        target, weight = self._standardised_labels(y, weights)
        scales = ("columns", "centre", "scale")
        for name in (*scales, "weights", "variance", "linear", "noise", "kernel"):
            setattr(self, f"{name}_", getattr(other, f"{name}_"))
        inputs = self._standardised(features)
        return self._fit_tuned(other.space_, inputs, y, target, weight, hashes)

    def _standardised_labels(
        self, y: NDArray[np.float64], weights: NDArray[np.float64] | None
    ) -> tuple[Tensor, Tensor]:
        """Set the unit of labels ``[N]``; return them in it, and their weights ``[N]``."""
        self._set_unit(y, weights)
        target = torch.as_tensor((y - self.mean_) / self.std_)
        return target, torch.ones_like(target) if weights is None else torch.as_tensor(weights)

    def _fit_tuned(
        self,
        space: SearchSpace,
        inputs: Tensor,
        y: NDArray[np.float64],
        target: Tensor,
        weight: Tensor,
        hashes: NDArray[np.bytes_] | None,
    ) -> GaussianProcess:
        """Fit to standardised inputs ``[N, d]`` and labels ``[N]`` with known hyper-parameters."""
        self.space_, self.feature_version_ = space, FEATURE_VERSION
        self.inputs_ = self.kernel_.scaled(inputs)
        self.factor_ = factored_in_place(self._covariance(self.inputs_, weight))
        self.hashes_ = None if hashes is None else _as_integers(hashes)
        self._set_targets(y, target, inverse_diagonal(self.factor_), weight)
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
        inputs = self._weighted(features)
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

    def unseen_residuals(
        self,
        space: SearchSpace,
        features: CellFeatures,
        y: NDArray[np.float64],
        weights: NDArray[np.float64] | None = None,
        hashes: NDArray[np.bytes_] | None = None,
    ) -> NDArray[np.float64]:
        """Return residuals ``[N]`` of predictions that do not depend on the cell's own label.

        Leave-one-out residuals with hyper-parameters from the other half of the graphs. If the
        process has many more cells than are tuned on, or the hyper-parameters of another process,
        its own leave-one-out residuals are as good; with one graph they are the only ones.
        """
        graph = np.arange(len(y))
        if hashes is not None:
            graph = np.unique(hashes, return_inverse=True)[1]
        order = np.random.default_rng(self.random_state).permutation(len(y))
        # Graphs in the order of their first cells: the halves are those of the cells themselves
        # where no graph appears twice.
        graphs, first = np.unique(graph[order], return_index=True)
        in_order = graphs[np.argsort(first)]
        if self._given_std is not None or len(y) > 2 * self.tuning_cells or len(graphs) == 1:
            return y - self.loo_mean_
        residuals = np.empty(len(y))
        in_first = np.isin(graph[order], in_order[: len(graphs) // 2])
        halves = order[in_first], order[~in_first]

        def left_out(tuned: NDArray[np.int64]) -> NDArray[np.float64]:
            process = GaussianProcess(**self.get_params())
            process.fit_features(
                space, features, y, weights, tuned, hashes, gradually=self._gradually
            )
            return y - process.loo_mean_

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
        for start in range(0, len(cells), BLOCK_CELLS):
            features = cell_features(cells[start : start + BLOCK_CELLS])
            mean, std = self.predict_features(features, return_std)
            means.append(mean)
            stds.append(std)
        joined = np.concatenate(means)
        return (joined, np.concatenate(stds)) if return_std else joined

    def precision(
        self, features: CellFeatures, weights: NDArray[np.float64] | None = None
    ) -> NDArray[np.float64]:
        """Return the inverse covariance of measured labels before any is known, ``[N, N]``.

        Args:
            features: Of the ``N`` cells.
            weights: The noise of a label is divided by its weight ``[N]``, None for 1.
        """
        inputs = self._weighted(features)
        covariance = self._covariance(inputs, 1.0 if weights is None else torch.as_tensor(weights))
        return np.asarray(torch.linalg.inv(covariance).numpy())

    def predict_features(
        self, features: CellFeatures, with_std: bool = True
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and standard deviation ``[N]`` (zeros if not asked for)."""
        if not with_std:
            mean = self.posterior_means(features, self.dual_[:, None])[:, 0]
            return mean * self.std_ + self.mean_, np.zeros(len(mean))
        inputs = self._weighted(features)
        between = self.kernel_.covariance(inputs, self.inputs_)
        mean = (between @ self.dual_).numpy() * self.std_ + self.mean_
        explained = torch.linalg.solve_triangular(self.factor_, between.T, upper=False)
        prior = self.kernel_.variances(inputs)
        variance = (prior - explained.square().sum(dim=0)).clamp(min=0) + self.noise_
        return mean, variance.sqrt().numpy() * self.std_

    def whitened(self, features: CellFeatures, count: int) -> WhitenedCells:
        """Return whitened covariances of ``N`` cells with the first ``count`` training cells."""
        inputs = self._weighted(features)
        squares = vector_norm(inputs, dim=1).square()
        between = self.kernel_.covariance(self.inputs_[:count], inputs, squares)  # [count, N]
        factor = self.factor_[:count, :count]
        rows = torch.linalg.solve_triangular(factor, between, upper=False).T
        variances = self.kernel_.variances(inputs, squares) - vector_norm(rows, dim=1).square()
        kept = inputs.float()
        # Of the inputs as they are kept: a distance is a difference of large terms.
        squares = vector_norm(kept, dim=1, dtype=torch.float64).square()
        none = rows.new_empty(0, len(kept))
        return WhitenedCells(kept, squares, rows.float(), variances, none, self.inputs_[:0])

    def added_cells(self, count: int) -> AddedCells:
        """Return the training cells after the first ``count``, for :meth:`predict_whitened`."""
        inputs, first = self.inputs_[count:], self.inputs_[:count]
        # LAPACK works on columns: a part of the factor would be copied for each product.
        factor = self.factor_[:count, :count].mT.contiguous().mT
        rows = torch.empty(len(inputs), count, dtype=torch.float64)
        for start in range(0, len(inputs), _ADDED_AT_ONCE):
            part = inputs[start : start + _ADDED_AT_ONCE]
            # Products of one size: rounding depends on the size, not on the other columns.
            filled = inputs.new_zeros(_ADDED_AT_ONCE, inputs.shape[1])
            filled[: len(part)] = part
            between = self.kernel_.covariance(first, filled)
            found = torch.linalg.solve_triangular(factor, between, upper=False)
            rows[start : start + len(part)] = found.T[: len(part)]
        targets = self.factor_[:, :count].T @ self.dual_
        return AddedCells(
            inputs, rows, targets, self.dual_[count:], self.factor_[count:, count:].contiguous()
        )

    def predict_whitened(
        self, cells: WhitenedCells, added: AddedCells, with_std: bool = True
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return :meth:`predict_features` to 1e-6, with covariances of the added cells only.

        The mean is the whitened rows times the whitened targets plus the covariances with the
        added cells, given the others, times their part of the dual vector. The variance follows by
        another whitening of these covariances (Rasmussen and Williams, 2006, algorithm 2.1).
        Covariances that are computed are kept in ``cells``.
        """
        known = cells.num_known(added.inputs)
        cells.added = cells.added[:known]  # an interruption leaves no covariances of others
        mean = self._whitened_means(cells, added, known)
        cells.added = added.inputs
        deviations = torch.zeros_like(cells.variances)
        if with_std:
            covariances = cells.covariances[: len(added.inputs)].double()
            rows = torch.linalg.solve_triangular(added.factor, covariances, upper=False)  # [k, N]
            variances = cells.variances - rows.square().sum(dim=0)
            deviations = (variances.clamp(min=0) + self.noise_).sqrt()
        return mean.numpy() * self.std_ + self.mean_, deviations.numpy() * self.std_

    def _whitened_means(self, cells: WhitenedCells, added: AddedCells, known: int) -> Tensor:
        """Return means ``[N]`` of standardised labels, all but ``known`` covariances being new."""
        new = slice(known, len(added.inputs))
        if compiled_enabled():
            from pyg_nas.engine.numba_whitened import whitened_means

            means = whitened_means(
                cells.inputs.numpy(),
                cells.squares.numpy(),
                cells.rows.numpy(),
                cells.covariances.numpy(),
                added.targets.numpy(),
                added.dual.numpy(),
                added.inputs[new].numpy(),
                added.rows[new].numpy(),
                known,
                float(self.kernel_.variance),
                float(self.kernel_.linear),
            )
            return torch.from_numpy(means)
        rows, inputs = cells.rows.double(), cells.inputs.double()
        between = self.kernel_.covariance(added.inputs[new], inputs, cells.squares)
        cells.covariances[new] = (between - added.rows[new] @ rows.T).float()
        return rows @ added.targets + added.dual @ cells.covariances[: new.stop].double()

    @torch.no_grad()
    def posterior_means(self, features: CellFeatures, duals: Tensor) -> NDArray[Any]:
        """Return the means of several targets that share the process, ``[N, K]``.

        Args:
            features: Features of ``N`` cells.
            duals: ``[n, K]``: the inverse covariance of the ``n`` training cells, noise
                included, times their targets. Covariances are computed in their precision.
        """
        inputs = self._weighted(features)
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
        # Leave-one-out in closed form, Rasmussen and Williams, equations 5.10 to 5.12. The noise
        # of a label of weight 1 is put in place of the label's own.
        residual, variance = self.dual_ / diagonal, 1 / diagonal
        copies = self._copies()
        for rows, block in zip(copies, inverse_blocks(self.factor_, copies), strict=True):
            # The same by blocks: the inverse of the inverse's block is the covariance of these
            # labels given all others.
            covariance = torch.linalg.inv(block)
            residual[rows], variance[rows] = covariance @ self.dual_[rows], covariance.diagonal()
        self.loo_mean_ = y - residual.numpy() * self.std_
        extra = self.noise_ * (1 - 1 / weight)
        self.loo_std_ = (variance + extra).sqrt().numpy() * self.std_

    def _copies(self) -> list[Tensor]:
        """Return the rows of each graph that appears more than once."""
        if self.hashes_ is None:
            return []
        _, graph, count = np.unique(self.hashes_, axis=0, return_inverse=True, return_counts=True)
        rows = np.argsort(graph, kind="stable")
        groups = np.split(rows, np.cumsum(count)[:-1])
        return [torch.from_numpy(group) for group in groups if len(group) > 1]

    def _covariance(self, inputs: Tensor, weight: Tensor | float) -> Tensor:
        """Return the covariance ``[n, n]`` of labels of these weights, noise included."""
        covariance = self.kernel_.covariance(inputs, inputs)
        covariance.diagonal().add_(self.noise_ / weight)
        return covariance

    def _input_groups(self, features: CellFeatures) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
        """Return the group of each input ``[d]``, and of which groups inputs have own scales."""
        widths = [features.groups[name].shape[1] for name in self.groups]
        group = np.repeat(np.arange(len(widths)), widths)[self.columns_]
        return group, np.array([name in _RELEVANCE for name in self.groups])

    def _raw(self, features: CellFeatures) -> NDArray[np.float32]:
        return np.concatenate([features.groups[name] for name in self.groups], axis=1)

    def _standardised(self, features: CellFeatures) -> Tensor:
        # In double precision, as the centre is.
        standard = select_columns(self._raw(features), self.columns_) - self.centre_
        standard /= self.scale_
        # A feature far outside the range of the training cells has no further information.
        return torch.from_numpy(np.clip(standard, -_MOST_SPREAD, _MOST_SPREAD, out=standard))

    def _weighted(self, features: CellFeatures) -> Tensor:
        """Return weighted inputs ``[N, d]``, the same to the last bit in compiled code."""
        raw = self._raw(features)
        if len(raw) < _FEWEST_COMPILED or not compiled_enabled():
            return self.kernel_.scaled(self._standardised(features))
        from pyg_nas.engine.numba_inputs import weighted_inputs

        check_columns(self.columns_, raw.shape[1])
        scales = self.centre_, self.scale_, self.weights_.numpy()
        return torch.from_numpy(weighted_inputs(raw, self.columns_, *scales, _MOST_SPREAD))

    @torch.no_grad()
    def _tune(self, posteriors: list[MaternLinearPosterior]) -> None:
        """Maximise the posterior of the hyper-parameters.

        Args:
            posteriors: The last one is maximised. Each takes an equal part of the steps.
        """
        posterior = posteriors[-1]
        logarithms = posterior.start()
        mean, square = torch.zeros_like(logarithms), torch.zeros_like(logarithms)
        beta2 = ADAM_BETAS[1]
        rates, betas = one_cycle(self.steps, highest=0.1, rising=0.1)
        for step, (rate, beta1) in enumerate(zip(rates, betas, strict=True), 1):
            current = posteriors[(step - 1) * len(posteriors) // self.steps]
            # A posterior grows with its cells: in the unit of the last one.
            scale = len(posterior.targets) / len(current.targets)
            gradient = scale * current.loss_and_gradient(logarithms)[1]
            mean = beta1 * mean + (1 - beta1) * gradient
            square = beta2 * square + (1 - beta2) * gradient**2
            root = (square / (1 - beta2**step)).sqrt() + ADAM_EPSILON
            logarithms = logarithms - rate / (1 - beta1**step) * mean / root
        kernel = posterior.kernel(logarithms)
        self.weights_ = kernel.weights
        self.variance_, self.linear_ = float(kernel.variance), float(kernel.linear)
        self.noise_ = float(posterior.noise(logarithms))
        self.kernel_ = MaternLinearKernel(self.weights_, self.variance_, self.linear_)


def _as_integers(hashes: NDArray[np.bytes_]) -> NDArray[np.int64]:
    """Return the bytes of hashes ``S32 [n]`` as int64 ``[n, 4]``."""
    return np.ascontiguousarray(hashes, "S32").view("<i8").reshape(-1, 4)
