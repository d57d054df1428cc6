"""The recipes best and fast: a Gaussian process with or without residual graph networks."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from scipy.stats import norm
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from pyg_nas.data.shipped import SHIPPED_TASK
from pyg_nas.data.table import Table
from pyg_nas.engine.loop import OnEpoch
from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.features.blocks import Columns, Compute, over_blocks
from pyg_nas.features.graph_statistics import (
    PRIOR_GROUP,
    ZERO_COST_GROUP,
    CellFeatures,
    cell_features,
)
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.metrics.intervals import NORMAL_NODES, NORMAL_WEIGHTS, label_scores
from pyg_nas.predictors.conformal import conformal_quantile
from pyg_nas.predictors.gaussian_process import GROUPS, GaussianProcess, check_not_too_many
from pyg_nas.predictors.gcn import (
    State,
    as_cells,
    check_same_statistics,
    finite_labels,
    require_number,
)
from pyg_nas.predictors.residual_gnn import ResidualGNNRegressor
from pyg_nas.predictors.transfer import prior_columns, prior_digest
from pyg_nas.predictors.zero_cost import zero_cost_columns, zero_cost_digest

_LEAST_RATIO = 0.5
_FAR = 100.0  # no score of a label is
_GRID, _GRID_CHUNK, _MOST_ERRORS = 4_001, 256, 5.0
_NUMBERS = ("ratio", "spread")
# What shipped data tell of a NAS-Bench-101 cell, and the name of those data.
_KNOWLEDGE: dict[str, tuple[Compute, Callable[[], str]]] = {
    ZERO_COST_GROUP: (zero_cost_columns, zero_cost_digest),
    PRIOR_GROUP: (prior_columns, prior_digest),
}


class BestRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """The mean of a Gaussian process and residual graph networks, on scores of labels.

    Labels are replaced by scores of their ranks and of their distances
    (:func:`pyg_nas.metrics.intervals.label_scores`), so that neither their unit nor a few failed
    trainings matter, and predictions are mapped back through the training labels. The map is
    strictly increasing in the ensemble's score.

    Of NAS-Bench-101 cells it also knows what their untrained networks show
    (:mod:`pyg_nas.predictors.zero_cost`), and what another task's measurements say (``prior``).

    Uncertainty starts from the process' standard deviation and is calibrated on residuals of
    training cells that their predictor has not seen: the process' leave-one-out residuals
    with hyper-parameters from other cells, and for the networks those of the cells that each
    member leaves out.

    Args:
        ensemble_size: Networks; 0 for the Gaussian process alone, which is fitted in a second.
        network_share: Weight of the networks' mean, from 0 to 1.
        hidden: Width of the networks; None for their rule by number of cells.
        epochs: Of the networks' training; None for their rule by number of cells.
        learning_rate: Highest of the networks' training.
        prior: Also use what the shipped digits table says of a cell
            (:mod:`pyg_nas.predictors.transfer`); only for NAS-Bench-101 cells, and not where
            ``fit`` is given a table of those digits. Bare cells do not say what their labels were
            measured on: give False for the digits.
        random_state: Seed of all random choices.
        device: A torch device name for the networks, or ``"auto"``.
        progress: Called after each epoch of the networks with its number and the training loss.

    Attributes:
        knowledge_: Digests of the shipped data in use, by group of statistics.
        process_: The fitted Gaussian process.
        networks_: The fitted networks, None where there are none.
        labels_: The training labels in increasing order ``[N]``.
        residuals_: Sizes of calibration residuals in predicted standard deviations ``[N]``.
        ratio_: Residuals of the whole ensemble relative to the process alone.

    Example:
        >>> from pyg_nas.graphs.enumeration import sample_cells
        >>> cells = sample_cells(60, seed=0)
        >>> y = cells.trainable_parameters() / 5e7
        >>> model = BestRegressor(ensemble_size=1, hidden=8, epochs=2).fit(cells, y)
        >>> mean, std = model.predict(cells[:3], return_std=True)
        >>> mean.shape, std.shape
        ((3,), (3,))
    """

    least_cells = 4
    """Training cells that a fit needs."""

    _scores = staticmethod(label_scores)  # an ablation has others

    def __init__(
        self,
        ensemble_size: int = 5,
        network_share: float = 0.4,
        hidden: int | None = None,
        epochs: int | None = None,
        learning_rate: float = 2e-3,
        prior: bool = True,
        random_state: int = 0,
        device: str = "auto",
        progress: OnEpoch | None = None,
    ) -> None:
        self.ensemble_size = ensemble_size
        self.network_share = network_share
        self.hidden = hidden
        self.epochs = epochs
        self.learning_rate = learning_rate
        self.prior = prior
        self.random_state = random_state
        self.device = device
        self.progress = progress

    def fit(self, X: CellArray | Table | Iterable[Cell], y: ArrayLike) -> BestRegressor:
        """Fit to ``N`` cells and their labels ``[N]``, in any unit.

        Raises:
            SettingsError: If a label is not finite, a setting is outside its rule or there are
                fewer than 4 cells or more than 20,000.
        """
        self._check_settings()
        cells = as_cells(X)
        labels = finite_labels(y, len(cells))
        if len(cells) < self.least_cells:
            raise SettingsError(f"at least {self.least_cells} cells are needed, got {len(cells)}")
        check_not_too_many(cells)
        self.space_: SearchSpace = cells.space
        self.labels_ = np.sort(labels)
        scores = self._scores(labels)
        self.knowledge_ = {}
        features = cell_features(cells)
        support = cells.space.support
        of_digits = isinstance(X, Table) and X.about.get("task") == SHIPPED_TASK
        offered = {
            ZERO_COST_GROUP: support.zero_cost_model is not None,
            PRIOR_GROUP: support.transfer_table is not None and self.prior and not of_digits,
        }
        for group, (compute, digest) in _KNOWLEDGE.items():
            if offered[group]:
                self.knowledge_[group] = digest()
                features.groups[group] = compute(cells, features)
        self.process_ = GaussianProcess((*GROUPS, *self.knowledge_), random_state=self.random_state)
        self.process_.fit_features(features, scores)
        self.process_.space_ = cells.space
        self.networks_ = None
        if self.ensemble_size:
            self.networks_ = ResidualGNNRegressor(
                self.ensemble_size,
                self.hidden,
                epochs=self.epochs,
                learning_rate=self.learning_rate,
                random_state=self.random_state,
                device=self.device,
                progress=self.progress,
            ).fit_features(cells, features, scores)
        self._calibrate(scores, self.process_.unseen_residuals(features, scores))
        return self

    def _check_settings(self) -> None:
        require_number("ensemble_size", self.ensemble_size, whole=True, least=0)
        if not 0 <= require_number("network_share", self.network_share, whole=False) <= 1:
            raise SettingsError(f"network_share must be 0 to 1, got {self.network_share!r}")
        for name in ("hidden", "epochs"):
            require_number(name, getattr(self, name), whole=True, least=1, optional=True)
        require_number("learning_rate", self.learning_rate, whole=False, least=0)
        if not isinstance(self.prior, (bool, np.bool_)):
            raise SettingsError(f"prior must be true or false, got {self.prior!r}")
        require_number("random_state", self.random_state, whole=True, least=0)

    def _calibrate(self, scores: NDArray[np.float64], alone: NDArray[np.float64]) -> None:
        process = self.process_
        self.ratio_ = 1.0
        if self.networks_ is not None and len(self.networks_.held_out_):
            rows = self.networks_.held_out_
            others = scores[rows] - self.networks_.held_out_prediction_
            joint = (1 - self.network_share) * alone[rows] + self.network_share * others
            sizes = np.abs(joint).mean(), np.abs(alone[rows]).mean()
            self.ratio_ = float(max(sizes[0] / max(sizes[1], 1e-12), _LEAST_RATIO))
        self.residuals_ = np.sort(np.abs(alone) / process.loo_std_) * self.ratio_
        # One spread for all cells keeps the mean a strictly increasing map of the score.
        self.spread_ = float(np.sqrt(np.mean(alone**2))) * self.ratio_

    def predict(self, X: CellArray | Table | Iterable[Cell], return_std: bool = False) -> Any:
        """Return predictions ``[N]`` in the unit of the labels.

        Args:
            X: The cells.
            return_std: Also return the standard deviation of a measured label, ``[N]``.

        Raises:
            ModelError: If the cells have other operations than the training cells.
        """
        if not return_std:
            return self._mean_labels(self.predict_scores(X, with_std=False)[0])
        score, scale = self.predict_latent(X)
        values = self.label_at(score[:, None] + scale[:, None] * NORMAL_NODES)
        centred = values - (values @ NORMAL_WEIGHTS)[:, None]
        return self._mean_labels(score), np.sqrt(centred**2 @ NORMAL_WEIGHTS)

    def predict_interval(
        self, X: CellArray | Table | Iterable[Cell], coverage: float = 0.8
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return lower and upper ends ``[N]`` of intervals that hold a measured label.

        Args:
            X: The cells.
            coverage: Share of unseen cells whose label lies between the ends.

        Raises:
            SettingsError: If ``coverage`` is not between 0 and 1.
        """
        score, std = self.predict_scores(X)
        width = conformal_quantile(self.residuals_, coverage) * std
        return self.label_at(score - width), self.label_at(score + width)

    def predict_scores(
        self, X: CellArray | Table | Iterable[Cell], with_std: bool = True
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return scores ``[N]`` and the process' standard deviations (zeros if not asked).

        Raises:
            ModelError: If the cells have other operations than the training cells.
        """
        check_is_fitted(self)
        cells = as_cells(X)
        check_same_statistics(cells, self.space_)
        scores, stds = np.empty(len(cells)), np.empty(len(cells))
        names = {group: f"{group}-{digest}" for group, digest in self.knowledge_.items()}

        def predict_block(
            rows: slice, block: CellArray, features: CellFeatures, columns: Columns
        ) -> None:
            features.groups.update({group: columns[name] for group, name in names.items()})
            scores[rows], stds[rows] = self.process_.predict_features(features, with_std)
            if self.networks_ is not None:
                networks = self.networks_.predict_features(block, features).mean(axis=0)
                scores[rows] += self.network_share * (networks - scores[rows])

        over_blocks(cells, {names[g]: _KNOWLEDGE[g][0] for g in names}, predict_block)
        return scores, stds

    def predict_latent(
        self, X: CellArray | Table | Iterable[Cell]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return mean and standard deviation of the scores ``[N]`` of measured labels.

        Their errors are taken as normal; :meth:`label_at` takes scores to labels.

        Raises:
            ModelError: If the cells have other operations than the training cells.
        """
        score, std = self.predict_scores(X)
        return score, std * np.sqrt(np.mean(self.residuals_**2))

    def _mean_labels(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Mean labels at scores that are known up to a normal error of :attr:`spread_`.

        :meth:`label_at` is a sum of hinges, and the mean of a hinge has a closed form. It is
        taken on a fine grid, between whose points the mean is as good as straight.
        """
        known, slopes = self._map()
        spread = max(self.spread_, 1e-6)
        ends = known[0] - _MOST_ERRORS * spread, known[-1] + _MOST_ERRORS * spread
        grid = np.concatenate([[-_FAR], np.linspace(*ends, _GRID), [_FAR]])
        means = self.labels_[0] + slopes[0] * (grid - known[0])
        bends = np.diff(slopes) * spread
        for start in range(0, len(grid), _GRID_CHUNK):
            part = slice(start, start + _GRID_CHUNK)
            errors = (grid[part, None] - known) / spread
            hinges = norm.pdf(errors) + errors * norm.cdf(errors)
            means[part] += hinges @ bends
        return np.asarray(np.interp(scores, grid, means), dtype=np.float64)

    def label_at(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the labels at scores: training quantiles, and straight lines beyond them."""
        known, slopes = self._map()
        inside = np.interp(scores, known, self.labels_)
        beyond = np.maximum(scores - known[-1], 0) * slopes[-1]
        below = np.maximum(known[0] - scores, 0) * slopes[0]
        return np.asarray(inside + beyond - below, dtype=np.float64)

    def _map(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Scores of the training labels ``[N]``, and slopes before, between and past them."""
        total, labels = len(self.labels_), self.labels_
        known = self._scores(labels, ties="ordinal")
        # Past the best label grow as the upper tenth does, past the worst as all labels do.
        tenth = max(1, total // 10)
        upper = (labels[-1] - labels[-1 - tenth]) / (known[-1] - known[-1 - tenth])
        lower = (labels[-1] - labels[0]) / (known[-1] - known[0])
        return known, np.concatenate([[lower], np.diff(labels) / np.diff(known), [upper]])

    def fitted_parts(self) -> dict[str, Any]:
        """Return the fitted estimators inside, for a model folder."""
        parts: dict[str, Any] = {"process": self.process_}
        return parts if self.networks_ is None else {**parts, "networks": self.networks_}

    def set_fitted_parts(self, parts: dict[str, Any]) -> None:
        """Take over :meth:`fitted_parts`' result.

        Raises:
            ModelError: If the process is missing, or there is something else.
        """
        if "process" not in parts or not set(parts) <= {"process", "networks"}:
            raise ModelError(f"this model has a process and perhaps networks, got {sorted(parts)}")
        self.process_ = parts["process"]
        self.networks_ = parts.get("networks")
        self.space_ = self.process_.space_

    def get_state(self) -> State:
        """Return what ``fit`` learned beside the estimators inside, for a model folder."""
        check_is_fitted(self)
        tensors = {
            "labels": torch.as_tensor(self.labels_),
            "residuals": torch.as_tensor(self.residuals_),
        }
        numbers = {name: getattr(self, f"{name}_") for name in _NUMBERS}
        return tensors, {**numbers, "knowledge": self.knowledge_}

    def set_state(self, tensors: dict[str, Tensor], values: dict[str, Any]) -> None:
        """Take over :meth:`get_state`'s result.

        Raises:
            ModelError: If something is missing or not a finite number.
        """
        if not hasattr(self, "process_"):
            raise ModelError("this model needs its process")
        knowledge = values.get("knowledge")
        if not isinstance(knowledge, dict) or not set(knowledge) <= set(_KNOWLEDGE):
            raise ModelError(f"knowledge must name groups of statistics, got {knowledge!r}")
        for group, digest in knowledge.items():
            here = _KNOWLEDGE[group][1]()
            if digest != here:
                raise ModelError(
                    f"this model was trained with another version of the shipped {group} data: "
                    f"{digest!r}, here is {here!r}"
                )
        self.knowledge_ = knowledge
        if list(self.process_.groups) != [*GROUPS, *knowledge]:
            raise ModelError(
                f"the process' groups must be {', '.join([*GROUPS, *knowledge])}, "
                f"got {list(self.process_.groups)!r}"
            )
        for name in ("labels", "residuals"):
            if name not in tensors or len(tensors[name]) != len(self.process_.dual_):
                raise ModelError(f"{name} must be one number a training cell")
            setattr(self, f"{name}_", tensors[name].numpy())
        for name in _NUMBERS:
            value = values.get(name)
            if not isinstance(value, (int, float)) or not np.isfinite(value):
                raise ModelError(f"{name} must be a finite number, got {value!r}")
            setattr(self, f"{name}_", float(value))
