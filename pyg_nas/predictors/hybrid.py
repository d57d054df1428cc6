"""The regressor of the recipes best and fast: a Gaussian process, with or without networks."""

from __future__ import annotations

import math
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import FiniteFloat
from sklearn.utils.validation import check_is_fitted

from pyg_nas.compute.threads import single_threaded, single_threaded_pool
from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.features.blocks import ExtraGroup, extended_features, map_blocks
from pyg_nas.features.graph_features import FEATURE_BLOCK, PATH_GROUP, CellFeatures
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.metrics.thresholds import accuracy_unit
from pyg_nas.predictors.base import CellRegressor
from pyg_nas.predictors.conformal import conformal_quantile
from pyg_nas.predictors.extra_features import (
    EXTRA_GROUPS,
    PATHS,
    check_digests,
    offered_groups,
)
from pyg_nas.predictors.forest import FeatureForest
from pyg_nas.predictors.gaussian_process.kept_cells import (
    KeptBlock,
    KeptCells,
    KeptMemory,
    fits_memory,
    kept_rows,
)
from pyg_nas.predictors.gaussian_process.regressor import (
    GROUPS,
    GaussianProcess,
    check_not_too_many,
)
from pyg_nas.predictors.gaussian_process.whitened import (
    added_cells,
    predict_whitened,
    whitened_cells,
)
from pyg_nas.predictors.label_transform import LabelTransform
from pyg_nas.predictors.labelled_features import LabelledFeatures
from pyg_nas.predictors.parameter_rules import HYBRID_RULES
from pyg_nas.predictors.refit_schedule import REFIT_GROWTH, cells_of_last_fit
from pyg_nas.predictors.storage.state import Array, FittedState
from pyg_nas.predictors.validation import Cells, cells_to_predict, check_cells, weighted_cells

if TYPE_CHECKING:  # the networks import PyG, which takes half a second and `fast` does not need
    from pyg_nas.engine.progress import OnEpoch
    from pyg_nas.predictors.gnn.residual import ResidualGNNRegressor

Others = tuple[NDArray[np.floating[Any]] | None, ...]

_LEAST_RATIO = 0.5
# By cross validation inside training architectures of NAS-Bench-201: 156 for the forest, 78 to
# 1,563 for the second process: on some data set worse than none at 78 to 350, on none from 469.
_FOREST_SHARE = 0.3
_PATHS_SHARE, _LEAST_PATHS_CELLS = 0.5, 400
# Up to so many cells one thread fits the process in less time than several threads train the
# networks, and torch's own threads, which wait for each other at every small matrix, are not used.
_MOST_BESIDE = 5_000


@dataclass(eq=False, repr=False)
class HybridRegressor(CellRegressor):
    """The mean of a Gaussian process and residual graph networks, on transformed labels.

    Labels become latent labels (:mod:`pyg_nas.predictors.label_transform`), so that neither their
    unit nor a few failed runs matter, and predictions are mapped back through the training labels.
    The map is strictly increasing in the ensemble's latent prediction.

    NAS-Bench-101 cells have extra features: zero-cost numbers of their untrained networks
    (:mod:`pyg_nas.predictors.zero_cost`) and, with ``transfer``, predictions from the shipped
    table of another task.

    In spaces with path features (:mod:`pyg_nas.features.paths`), a forest
    (:mod:`pyg_nas.predictors.forest`) has a weight of 0.3. From 400 cells on, the process is there
    the mean of two, of which the second has path features in place of zero-cost numbers.

    Intervals start from the process' standard deviation and are calibrated on residuals of
    training cells that were left out: the process' leave-one-out residuals with hyper-parameters
    from other cells, and residuals of the cells that each network or tree left out.

    Args:
        ensemble_size: Networks; 0 for the Gaussian process alone, which is fitted in a second.
        network_share: Weight of the networks' mean, from 0 to 1.
        hidden: Width of the networks; None for a width by the number of cells.
        epochs: Passes over the training cells; None for a number by the number of cells.
        learning_rate: Highest learning rate of the networks.
        transfer: Whether features are transferred from the shipped digits table
            (:mod:`pyg_nas.predictors.transfer.digits`). They are left out for other spaces than
            NAS-Bench-101, and where the training labels are that table's own.
        accuracies: Whether labels are accuracies. If all are fractions or all in percent,
            predictions and intervals are not outside of 0 to 1, or 0 to 100.
        random_state: Random seed of all choices.
        device: A torch device name for the networks, or ``"auto"``.
        progress: Called after each epoch of the networks with its number and the training loss.

    Attributes:
        extra_features_: Digests of the shipped data in use, by group of features.
        process_: The fitted Gaussian process.
        paths_: The fitted second process, None where there is none.
        networks_: The fitted networks, None where there are none.
        forest_: The fitted trees, None where there are none.
        transform_: The fitted label transform.
        residuals_: Sizes of calibration residuals in predicted standard deviations ``[N]``.
        ratio_: Residuals of the whole ensemble relative to the process alone.
        spread_: Standard deviation of the ensemble's errors of latent labels.

    Example:
        >>> from pyg_nas.graphs.enumeration import sample_cells
        >>> cells = sample_cells(60, seed=0)
        >>> y = cells.trainable_parameters() / 5e7
        >>> model = HybridRegressor(ensemble_size=1, hidden=8, epochs=2).fit(cells, y)
        >>> mean, std = model.predict(cells[:3], return_std=True)
        >>> mean.shape, std.shape
        ((3,), (3,))
    """

    provides_std = True
    least_cells = 4
    parameter_rules: ClassVar = HYBRID_RULES
    fitted_state: ClassVar = FittedState(
        arrays={
            "labels": Array("float64", ("k",)),
            "latent": Array("float64", ("k",), optional=True),
            "residuals": Array("float64", ("n",)),
        },
        values={"ratio": FiniteFloat, "spread": FiniteFloat, "extra_features": dict[str, str]},
        parts={"process": True, "paths": False, "networks": False, "forest": False},
    )

    ensemble_size: int = 5
    network_share: float = 0.4
    hidden: int | None = None
    epochs: int | None = None
    learning_rate: float = 2e-3
    transfer: bool = False
    accuracies: bool = False
    random_state: int = 0
    device: str = "auto"
    progress: OnEpoch | None = None

    def fit(
        self, X: Cells, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> HybridRegressor:
        """Fit to ``N`` cells and their labels ``[N]``, in any unit.

        Weights ``[N]`` are those of the ranks, in the process and in the loss of the networks;
        cells of weight 0 are left out.

        Raises:
            SettingsError: If a label or weight is not finite, a setting is outside its rule or
                there are fewer than 4 cells or more than 20,000.
        """
        self.check_parameters()
        cells, labels, weights = weighted_cells(X, y, sample_weight)
        if len(cells) < self.least_cells:
            raise SettingsError(f"at least {self.least_cells} cells are needed, got {len(cells)}")
        check_not_too_many(cells)
        transform = self._new_transform(labels).fit(labels, weights)
        latent = transform.forward(labels, weights)
        self._set_transform(transform, weights is not None)
        self.extra_features_ = offered_groups(cells, labels, self.transfer)
        features = extended_features(cells, self._all_groups(cells.space))
        data = LabelledFeatures(features, latent, weights, cells.hashes())
        like = self._fit_prior(cells, labels, data)
        data = replace(data, labels=latent - self._prior_mean(cells))
        self.networks_ = self._new_networks()
        if self.networks_ is None or len(cells) > _MOST_BESIDE:
            alone, by_paths = self._fit_processes(cells, data, like)
            if self.networks_ is not None:
                self.networks_.fit_features(cells, data)
        else:
            with single_threaded_pool(1) as pool:
                found = pool.submit(self._fit_processes, cells, data, like)
                self.networks_.fit_features(cells, data)
                alone, by_paths = found.result()
        self.forest_ = None
        if cells.space.support.path_operations:
            self.forest_ = FeatureForest(random_state=self.random_state).fit_features(cells, data)
        self._set_ratio(data.labels, alone, by_paths, cells.hashes())
        self._unseen = alone, self.process_.loo_std_
        self._calibrate(*self._unseen)
        self._training, self._first = (cells, labels, weights), len(cells)
        self._kept = KeptCells()
        return self

    def epochs_for(self, cells: int) -> int | None:
        """Return the passes over a number of training cells; None without networks."""
        networks = self._new_networks()
        return None if networks is None else networks.epochs_for(cells)

    def _new_networks(self) -> ResidualGNNRegressor | None:
        if not self.ensemble_size:
            return None
        from pyg_nas.predictors.gnn.residual import ResidualGNNRegressor  # torch

        return ResidualGNNRegressor(
            self.ensemble_size,
            self.hidden,
            epochs=self.epochs,
            learning_rate=self.learning_rate,
            random_state=self.random_state,
            device=self.device,
            progress=self.progress,
        )

    def update(self, X: Cells, y: ArrayLike) -> HybridRegressor:
        """Add ``k`` cells of weight 1 and their labels ``[k]``, usually in milliseconds.

        The process is updated with all labels; latent labels, which are ranks and standard scores,
        are computed again from all of them. Hyper-parameters, the scale of the features, networks
        and the ratio of residuals stay until the number of cells has grown by a factor of 1.25;
        then the model is fitted again (:mod:`pyg_nas.predictors.refit_schedule`). Predictions
        depend on the sequence of labels after a fit, not on its division into updates.

        After an update, intermediate results of the cells that were scored last are cached, in at
        most 1 GiB, and 0.25 GiB for updates: after the next update, scoring the same cells computes
        only the effect of the new labels, equal to 1e-6. The cache is not used where it would need
        more memory (for the whole of NAS-Bench-101 with more than about 400 training cells).
        Without networks and trees, the features of the cells that were scored last are cached since
        the fit, if they are at most 500,000 (0.4 GB).

        Raises:
            ModelError: If the cells have other operations than the training cells, or the model
                was read from a folder, which does not keep the training cells.
            SettingsError: If a label is not finite or there would be more than 20,000 cells.
        """
        check_is_fitted(self)
        if not hasattr(self, "_training"):
            raise ModelError(
                "a model from a folder cannot be updated, because a folder does not keep the "
                "training cells: fit it again to all cells"
            )
        added, new_labels, _ = weighted_cells(X, y)
        check_cells(added, self.space_, features=True)
        cells, labels, weights = self._training
        cells, labels = CellArray.concatenate([cells, added]), np.concatenate([labels, new_labels])
        check_not_too_many(cells)
        if weights is not None:
            weights = np.concatenate([weights, np.ones(len(added))])
        fitted = cells_of_last_fit(self._first, len(cells))
        if fitted > len(self._unseen[0]):
            kept = None if weights is None else weights[:fitted]
            again = type(self)(**self.get_params(deep=False))
            again.fit(cells[:fitted], labels[:fitted], kept)
            again._first, added = self._first, cells[fitted:]
            self.__dict__.update(again.__dict__)
        if len(added):
            # Several threads would take as long for so few cells, and longer on a busy machine.
            with single_threaded() if len(cells) <= _MOST_BESIDE else nullcontext():
                self._extend(cells, labels, weights, len(added))
        return self

    def _extend(
        self,
        cells: CellArray,
        labels: NDArray[np.float64],
        weights: NDArray[np.float64] | None,
        added: int,
    ) -> None:
        """Set all cells and labels, of which the last ``added`` are new to the process."""
        features = extended_features(cells[-added:], self._extra_groups())
        transform = self._new_transform(labels).fit(labels, weights)
        latent = transform.forward(labels, weights) - self._prior_mean(cells)
        self.process_.update_features(features, latent, True, cells[-added:].hashes())
        self._set_transform(transform, weights is not None)
        self._training = cells, labels, weights
        # The old fit did not use the new cells, so that their residuals are unseen ones.
        alone, std = self._unseen
        later = slice(len(alone), None)
        residuals = (latent - self.process_.loo_mean_)[later]
        self._calibrate(
            np.concatenate([alone, residuals]),
            np.concatenate([std, self.process_.loo_std_[later]]),
        )

    def _fit_prior(
        self, cells: CellArray, labels: NDArray[np.float64], data: LabelledFeatures
    ) -> GaussianProcess | None:
        """Fit the prior mean to cells, their labels ``[N]`` and latent labels.

        Returns:
            A process with the hyper-parameters, or None to tune them.
        """
        return None

    def _fit_processes(
        self, cells: CellArray, data: LabelledFeatures, like: GaussianProcess | None
    ) -> tuple[NDArray[np.float64], NDArray[np.float64] | None]:
        """Fit the processes to latent labels; return their unseen residuals, ``[N]`` each.

        Args:
            cells: ``N`` cells.
            data: Their features and latent labels.
            like: A process with the hyper-parameters; None to tune them.
        """
        process = GaussianProcess((*GROUPS, *self.extra_features_), random_state=self.random_state)
        if like is None:
            process.fit_features(cells.space, data, gradually=True)
        else:
            process.fit_features_like(like, data)
        self.process_ = process
        self.paths_ = self._fit_paths(cells, data)
        by_paths = None if self.paths_ is None else self.paths_.unseen_residuals(data)
        return process.unseen_residuals(data), by_paths

    def _fit_paths(self, cells: CellArray, data: LabelledFeatures) -> GaussianProcess | None:
        """Fit the process on path features; None in spaces without these, and to few cells."""
        if PATH_GROUP not in data.features.groups or len(cells) < _LEAST_PATHS_CELLS:
            return None
        process = GaussianProcess((*GROUPS, PATH_GROUP), random_state=self.random_state)
        return process.fit_features(cells.space, data, gradually=True)

    def _prior_mean(self, cells: CellArray) -> NDArray[np.float64] | float:
        """Return the mean of the latent labels ``[N]`` of cells before the process is fitted."""
        return 0.0

    def _extra_groups(self) -> list[ExtraGroup]:
        """The extra groups of the process."""
        return [EXTRA_GROUPS[group] for group in self.extra_features_]

    def _all_groups(self, space: SearchSpace) -> list[ExtraGroup]:
        """The extra groups of all parts."""
        return [*self._extra_groups(), *([PATHS] if space.support.path_operations else [])]

    def _new_transform(self, labels: NDArray[np.float64]) -> LabelTransform:
        unit = accuracy_unit(labels) if self.accuracies else None
        return LabelTransform() if unit is None else LabelTransform(limits=(0.0, unit))

    def _set_transform(self, transform: LabelTransform, weighted: bool) -> None:
        self.transform_ = transform
        self.labels_ = transform.labels_
        self.latent_ = transform.latent_ if weighted else None

    def _set_ratio(
        self,
        latent: NDArray[np.float64],
        alone: NDArray[np.float64],
        by_paths: NDArray[np.float64] | None,
        hashes: NDArray[np.bytes_],
    ) -> None:
        """Set the ratio by residuals ``[N]`` of the process and of that on path features."""
        self.ratio_ = 1.0
        if self.networks_ is None and self.forest_ is None:
            return
        held_out = np.arange(len(latent)) if self.networks_ is None else self.networks_.held_out_
        # A network or tree may have been trained on another cell of a repeated graph.
        _, graph, count = np.unique(hashes, return_inverse=True, return_counts=True)
        unseen = count[graph[held_out]] == 1
        if not unseen.any():
            return
        rows = held_out[unseen]
        others = (
            None if by_paths is None else by_paths[rows],
            None
            if self.networks_ is None
            else latent[rows] - self.networks_.held_out_prediction_[unseen],
            None if self.forest_ is None else latent[rows] - self.forest_.out_of_bag_[rows],
        )
        joint = self._joined(alone[rows], others)
        sizes = np.abs(joint).mean(), np.abs(alone[rows]).mean()
        self.ratio_ = float(max(sizes[0] / max(sizes[1], 1e-12), _LEAST_RATIO))

    def _calibrate(self, alone: NDArray[np.float64], std: NDArray[np.float64]) -> None:
        """Calibrate by unseen residuals of the process ``[N]`` and their standard deviations."""
        self.residuals_ = np.sort(np.abs(alone) / std) * self.ratio_
        # One spread for all cells keeps the mean a strictly increasing map of the latent label.
        self.spread_ = float(np.sqrt(np.mean(alone**2))) * self.ratio_

    @property
    def space_(self) -> SearchSpace:
        """Search space of the training cells."""
        space: SearchSpace = self.process_.space_
        return space

    def predict(self, X: Cells, return_std: bool = False) -> Any:
        """Return predictions ``[N]`` in the unit of the labels.

        With ``return_std`` also the standard deviation of a measured label, ``[N]``.

        Raises:
            ModelError: If the cells have other operations than the training cells.
        """
        check_is_fitted(self)
        if not return_std:
            return self.transform_.expected_inverse(
                self.predict_scores(X, with_std=False)[0], self.spread_
            )
        latent, std = self.predict_latent(X)
        mean = self.transform_.expected_inverse(latent, self.spread_)
        return mean, self.transform_.inverse_std(latent, std)

    def predict_interval(
        self, X: Cells, coverage: float = 0.8
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return lower and upper ends ``[N]`` of intervals that contain a measured label.

        ``coverage`` is the share of unseen cells whose label lies between the ends.

        Raises:
            SettingsError: If ``coverage`` is not between 0 and 1.
        """
        latent, std = self.predict_scores(X)
        width = conformal_quantile(self.residuals_, coverage) * std
        return self.label_at(latent - width), self.label_at(latent + width)

    def predict_scores(
        self, X: Cells, with_std: bool = True
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return latent labels ``[N]`` and the process' standard deviations (zeros if not asked).

        Equal cells have equal ones, see :attr:`~pyg_nas.graphs.cell_array.CellArray.distinct`.

        Raises:
            ModelError: If the cells have other operations than the training cells.
        """
        cells, places = cells_to_predict(self, X).distinct
        latent, stds = self._scores_once(cells, with_std)
        return latent[places], stds[places]

    def _scores_once(
        self, cells: CellArray, with_std: bool
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        latent, stds = np.empty(len(cells)), np.empty(len(cells))

        def predict_block(rows: slice, block: CellArray, features: CellFeatures) -> None:
            mean, stds[rows] = self.process_.predict_features(features, with_std)
            latent[rows] = self._joined(mean, self._others(block, features))

        if self._is_kept(cells):
            added = added_cells(self.process_, len(self._unseen[0]))

            def predict_kept(kept: KeptBlock) -> None:
                found = predict_whitened(self.process_, kept.whitened, added, with_std)
                latent[kept.rows] = self._joined(found[0], kept.others)
                stds[kept.rows] = found[1]

            self._kept.map_blocks(cells, lambda: self._kept_blocks(cells), predict_kept)
        else:
            groups, again = self._all_groups(cells.space), self._scores_again()
            map_blocks(cells, groups, predict_block, self._is_process_alone(), again)
        return latent + self._prior_mean(cells), stds

    def _scores_again(self) -> bool:
        """Return whether cells that are scored will be scored again, as a search does."""
        return hasattr(self, "_training")

    def _is_process_alone(self) -> bool:
        return self.networks_ is None and self.forest_ is None

    def _others(self, block: CellArray, features: CellFeatures) -> Others:
        """Return the means of the second process, networks and trees, ``[N]`` each."""
        paths = networks = trees = None
        if self.paths_ is not None:
            paths, _ = self.paths_.predict_features(features, with_std=False)
        if self.networks_ is not None:
            networks = self.networks_.predict_features(block, features).mean(axis=0)
        if self.forest_ is not None:
            trees = self.forest_.predict_features(block, features)
        return paths, networks, trees

    def _joined(self, mean: NDArray[np.float64], others: Others) -> NDArray[np.float64]:
        shares = _PATHS_SHARE, self.network_share, _FOREST_SHARE
        for share_, other in zip(shares, others, strict=True):
            if other is not None:
                mean = mean + share_ * (other - mean)
        return mean

    def _is_kept(self, cells: CellArray) -> bool:
        """Return whether cells are scored with the cache of :meth:`update`.

        This depends only on the training cells and the given cells, so that predictions are
        reproducible to the last bit.
        """
        total, inputs = self.process_.inputs_.shape
        fitted = len(self._unseen[0]) if hasattr(self, "_unseen") else total
        many = len(cells) > FEATURE_BLOCK
        return fitted < total and many and fits_memory(len(cells), fitted, inputs)

    def _kept_blocks(self, cells: CellArray) -> list[KeptBlock]:
        parts: dict[int, Others] = {}
        fitted = len(self._unseen[0])
        most = math.ceil(fitted * REFIT_GROWTH) - fitted
        memory = KeptMemory(len(cells), fitted, self.process_.inputs_.shape[1], most)

        def keep(rows: slice, block: CellArray, features: CellFeatures) -> None:
            memory.fill(rows, whitened_cells(self.process_, features, fitted))
            parts[rows.start] = self._others(block, features)

        # The next fit of the search needs their features again.
        groups = self._all_groups(cells.space)
        map_blocks(cells, groups, keep, self._is_process_alone(), again=True)
        others = [
            None if found[0] is None else np.concatenate(found)
            for found in zip(*(parts[start] for start in sorted(parts)), strict=True)
        ]
        return [
            KeptBlock(
                rows,
                memory.block(rows),
                tuple(None if other is None else other[rows] for other in others),
            )
            for rows in kept_rows(len(cells))
        ]

    def predict_latent(self, X: Cells) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and standard deviation of the latent labels ``[N]`` of measured labels.

        Their errors are taken as normal; :meth:`label_at` maps latent labels to labels.

        Raises:
            ModelError: If the cells have other operations than the training cells.
        """
        latent, std = self.predict_scores(X)
        return latent, std * np.sqrt(np.mean(self.residuals_**2))

    def label_at(self, latent: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the labels at latent labels: the inverse of the label transform."""
        return self.transform_.inverse(latent)

    def check_fitted_state(self) -> None:
        """Check a state that was read against its parts and the shipped data here.

        Raises:
            ModelError: If they do not fit.
        """
        check_digests(self.extra_features_, self.space_)
        _check_groups(self.process_, "process", list(self.extra_features_))
        if self.paths_ is not None:
            _check_groups(self.paths_, "second process", [PATH_GROUP])
        total = len(self.process_.dual_)
        if len(self.residuals_) != total or (self.latent_ is None and len(self.labels_) != total):
            raise ModelError(f"labels and residuals must be one number a training cell, {total}")
        increasing = self.latent_ is None or (np.diff(self.latent_) > 0).all()
        if not increasing or (np.diff(self.labels_) < 0).any():
            raise ModelError("labels and latent labels must be in increasing order")
        transform = self._new_transform(self.labels_).set_knots(self.labels_, self.latent_)
        self._set_transform(transform, self.latent_ is not None)


def _check_groups(process: GaussianProcess, name: str, extra: list[str]) -> None:
    expected = [*GROUPS, *extra]
    if list(process.groups) != expected:
        raise ModelError(
            f"the groups of the {name} must be {', '.join(expected)}, got {list(process.groups)!r}"
        )


BestRegressor = HybridRegressor  # the name of version 0.1
