"""The recipe latency: seconds of a network on a device, from its work and its graph."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field
from scipy.optimize import nnls
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.utils.validation import check_is_fitted

from pyg_nas.errors import SettingsError
from pyg_nas.features.graph_features import CellFeatures
from pyg_nas.features.network_costs import network_cost_totals, network_costs
from pyg_nas.features.network_operations import NetworkOperations, network_operations
from pyg_nas.features.networks import NETWORK_FEATURE_VERSION, network_features
from pyg_nas.predictors.base import CellRegressor
from pyg_nas.predictors.conformal import conformal_quantile
from pyg_nas.predictors.cost.operation_times import OperationTimes, other_labels
from pyg_nas.predictors.gaussian_process.regressor import MOST_TRAINING_CELLS, GaussianProcess
from pyg_nas.predictors.labelled_features import LabelledFeatures
from pyg_nas.predictors.networks.regressor import NetworkFeatureVersion, Networks, as_networks
from pyg_nas.predictors.parameter_rules import LATENCY_RULES
from pyg_nas.predictors.storage.state import Array, FittedState
from pyg_nas.predictors.validation import positive_labels, weighted_rows
from pyg_nas.spaces.modules.network_array import NetworkArray
from pyg_nas.spaces.modules.space import NETWORKS

Floats = NDArray[np.float64]

_REWEIGHTINGS = 5
_RIDGE = 1e-3
_LEAST_RESIDUAL = 0.05
_KNOWN_SHARE = 0.99
# More shares to choose from made the choice noisier (families of an even CRC-32 of their name).
_SHARES = (0.0, 0.5)
_NORMAL_90 = 1.6448536269514722  # 90 % of normal numbers are within this number of deviations


@dataclass(eq=False, repr=False)
class LatencyRegressor(CellRegressor):
    """Latencies, or other positive costs, of whole networks on one device.

    The device takes a time for each unit of work of each kind
    (:mod:`pyg_nas.features.network_costs`): non-negative weights, fitted to relative errors. Units
    beyond the amount that nearly all training networks have of a kind (for an unknown kind, all
    units) take the mean time of a unit of all kinds. The mean of a Gaussian process and of trees
    predicts the logarithm of the remaining ratio, from the shares of the kinds in that time and the
    features of the graph.

    A second model predicts a time of each operation
    (:class:`~pyg_nas.predictors.cost.operation_times.OperationTimes`). It has half of the weight of
    the logarithm, or none, whichever was better for groups that were left out of a fit.

    Intervals come from networks of groups that a fit left out.

    Args:
        folds: Parts into which the groups are divided to calibrate intervals.
        random_state: Random seed of the fit.
        compiled: Whether the latencies are of compiled networks (``torch.compile``). Then both
            models take the bytes that are left where operations are joined
            (:mod:`pyg_nas.features.fusion`).

    Attributes:
        weights_: Seconds for each unit of work ``[c]``, the last for one pass.
        limits_: Units up to which these weights hold ``[c]``.
        common_: Seconds for each unit beyond ``[c]``.
        operations_: The times of operations.
        share_: Share of their logarithm.
        scores_: Residuals of left-out networks, divided by predicted standard deviations ``[n]``.
        errors_: Relative errors of left-out networks ``[n]``: prediction divided by label, minus
            one. None in models of earlier versions.

    Example:
        >>> from torch import nn, zeros
        >>> from pyg_nas.spaces.modules import graph_of
        >>> graphs = [graph_of(nn.Linear(4, n), zeros(1, 4)) for n in range(1, 30)]
        >>> model = LatencyRegressor().fit(graphs, [1e-6 * g.macs + 1e-5 for g in graphs])
        >>> low, high = model.predict_interval(graphs[:2], coverage=0.9)
        >>> low.shape, high.shape
        ((2,), (2,))
    """

    provides_std = True
    least_cells = 4
    parameter_rules: ClassVar = LATENCY_RULES
    fitted_state: ClassVar = FittedState(
        arrays={
            **dict.fromkeys(("weights", "limits", "common"), Array("float64", ("c",))),
            "scores": Array("float64", ("n",)),
            "errors": Array("float64", ("n",), optional=True),
            "inputs": Array("float32", ("n", "d")),
            "targets": Array("float64", ("n",)),
            "sample_weights": Array("float64", ("n",), optional=True),
        },
        values={
            "feature_version": NetworkFeatureVersion,
            "share": Annotated[float, Field(ge=0, le=1)],
        },
        parts={"process": True, "operations": True},
    )

    folds: int = 3
    random_state: int = 0
    compiled: bool = False

    def fit(
        self,
        X: Networks,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        others: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> LatencyRegressor:
        """Fit to ``N`` networks.

        Args:
            X: The networks.
            y: Their latencies ``[N]``, above 0.
            groups: Group of each network ``[N]``, such as its family: intervals are calibrated for
                networks of unseen groups. None for a group of each graph.
            others: Their latencies in ``S`` other settings ``[N, S]``, NaN where not measured: on
                devices of the same kind, or with other versions of the software. The times of
                operations are learned for all together.
            sample_weight: Weight of each network ``[N]``; networks of weight 0 are left out.

        Raises:
            SettingsError: If a label is not above 0, groups or weights are not ``[N]``, there are
                fewer than two groups, others are not ``[N, S]`` or not above 0, or there are fewer
                than 4 or too many networks.
            ModelError: If ``X`` contains no networks.
        """
        self.check_parameters()
        networks = as_networks(X)
        labels = positive_labels(y, len(networks))
        elsewhere = other_labels(others, len(networks))
        listed = np.asarray(networks.hashes if groups is None else groups)
        if listed.shape != labels.shape:
            raise SettingsError(f"groups must be [{len(labels)}], got {list(listed.shape)}")
        rows, weights = weighted_rows(sample_weight, len(networks))
        networks, labels, listed = networks[rows], labels[rows], listed[rows]
        elsewhere = None if elsewhere is None else elsewhere[rows]
        if not self.least_cells <= len(networks) <= MOST_TRAINING_CELLS:
            raise SettingsError(
                f"{self.least_cells} to {MOST_TRAINING_CELLS:,} networks are needed, got "
                f"{len(networks):,}"
            )
        data = _Measured(_Work.of(networks, self.compiled), labels, listed, elsewhere, weights)
        found = np.empty((3, len(labels)))
        for unseen in self._folds(listed):
            part = LatencyRegressor(random_state=self.random_state, compiled=self.compiled)
            part._learn(data.take(~unseen))
            found[:, unseen] = part._both_logarithms(data.work.take(unseen))
        self.share_ = _best_share(found[0], found[1], labels, weights)
        mean, std = _joined(found[0], found[1], found[2], self.share_)
        self.scores_ = np.abs(np.log(labels) - mean) / std
        self.errors_ = np.exp(mean) / labels - 1
        self._learn(data)
        return self

    def predict(self, X: Networks, return_std: bool = False) -> Any:
        """Return latencies ``[N]`` in the unit of the labels.

        With ``return_std`` also their standard deviations, calibrated on left-out groups.

        Raises:
            ModelError: If ``X`` contains something else than networks.
        """
        mean, std = self._predict_networks(X)
        if not return_std:
            return np.exp(mean)
        return np.exp(mean), np.exp(mean) * std * self._quantile(0.9) / _NORMAL_90

    def predict_interval(self, X: Networks, coverage: float = 0.9) -> tuple[Floats, Floats]:
        """Return the ends ``[N]`` of intervals that contain a measured latency.

        ``coverage`` is the share of the networks of unseen groups whose latency is inside.

        Raises:
            SettingsError: If ``coverage`` is not between 0 and 1.
            ModelError: If ``X`` contains something else than networks.
        """
        mean, std = self._predict_networks(X)
        half = std * conformal_quantile(self.scores_, coverage)
        return np.exp(mean - half), np.exp(mean + half)

    def check_fitted_state(self) -> None:
        """Fit the trees again to the stored training data, which are smaller than the trees."""
        self._fit_trees()

    def _quantile(self, coverage: float) -> float:
        with warnings.catch_warnings():  # with few networks, which matter only for intervals
            warnings.simplefilter("ignore", UserWarning)
            return conformal_quantile(self.scores_, coverage)

    def _folds(self, listed: NDArray[Any]) -> Iterator[NDArray[np.bool_]]:
        """Yield which networks ``[N]`` are left out."""
        number = np.unique(listed, return_inverse=True)[1]
        count = int(number.max()) + 1
        if count < 2:
            raise SettingsError("at least two groups are needed to calibrate intervals")
        folds = min(self.folds, count)
        fold = np.random.default_rng(self.random_state).permutation(count) % folds
        for left_out in range(folds):
            yield fold[number] == left_out

    def _predict_networks(self, X: Networks) -> tuple[Floats, Floats]:
        """Return means and uncalibrated standard deviations of the logarithms, ``[N]`` each."""
        check_is_fitted(self)
        networks = as_networks(X)
        if not len(networks):
            return np.empty(0), np.empty(0)
        return _joined(*self._both_logarithms(_Work.of(networks, self.compiled)), self.share_)

    def _learn(self, data: _Measured) -> None:
        work, labels, weights = data.work, data.labels, data.weights
        self.feature_version_ = NETWORK_FEATURE_VERSION
        self.weights_ = _fitted_weights(work.costs, labels, weights)
        self.limits_, self.common_ = _limits(work.costs, labels, weights)
        seconds, features = self._explained(work)
        self.targets_ = np.log(labels) - np.log(seconds)
        self.process_ = GaussianProcess(tuple(features.groups), random_state=self.random_state)
        self.process_.fit_features(NETWORKS, LabelledFeatures(features, self.targets_, weights))
        self.inputs_, self.sample_weights_ = features.joined(), weights
        self._fit_trees()
        self.operations_ = OperationTimes(self.random_state, self.compiled)
        self.operations_.fit_operations(work.operations, labels, data.groups, data.others, weights)

    def _fit_trees(self) -> None:
        self.trees_ = ExtraTreesRegressor(
            150, max_features=0.3, min_samples_leaf=2, random_state=self.random_state
        ).fit(self.inputs_, self.targets_, self.sample_weights_)

    def _explained(self, work: _Work) -> tuple[Floats, CellFeatures]:
        within = np.minimum(work.costs, self.limits_)
        parts = within * self.weights_ + (work.costs - within) * self.common_
        return work.explained(parts)

    def _both_logarithms(self, work: _Work) -> tuple[Floats, Floats, Floats]:
        """Return logarithms by kinds of work and by operations, and deviations, ``[N]`` each."""
        seconds, features = self._explained(work)
        mean, std = self.process_.predict_features(features, True)
        by_kinds = np.log(seconds) + (mean + self.trees_.predict(features.joined())) / 2
        return by_kinds, self.operations_.predict_operations(work.operations), std


@dataclass(frozen=True)
class _Work:
    """Inputs that are computed from ``N`` networks.

    Attributes:
        costs: :func:`~pyg_nas.features.network_costs.network_costs`, and 1 for a pass, ``[N, c]``.
        graph: Features of the graph ``[N, d]``.
        operations: The different operations of all.
    """

    costs: Floats
    graph: NDArray[np.float32]
    operations: NetworkOperations

    @classmethod
    def of(cls, networks: NetworkArray, compiled: bool) -> _Work:
        costs = network_costs(networks, compiled)
        graph = network_features(networks).groups["graph"]
        costs = np.column_stack([costs, np.ones(len(costs))])
        return cls(costs, graph, network_operations(networks, compiled))

    def take(self, rows: NDArray[np.bool_]) -> _Work:
        return _Work(self.costs[rows], self.graph[rows], self.operations.take(rows))

    def explained(self, parts: Floats) -> tuple[Floats, CellFeatures]:
        """Return the seconds ``[N]`` of all parts ``[N, c]``, and features of their residuals."""
        seconds = np.maximum(parts.sum(axis=1), np.finfo(float).tiny)
        logs = np.log1p(self.costs)
        groups = {
            "graph": np.column_stack([logs, np.log(seconds)]),
            "walks": np.column_stack([parts / seconds[:, None], self.graph]),
        }
        found = {name: values.astype(np.float32) for name, values in groups.items()}
        return seconds, CellFeatures(found, np.zeros((len(seconds), 0, 0), dtype=np.float32))


@dataclass(frozen=True)
class _Measured:
    """``N`` measured networks: arguments of :meth:`LatencyRegressor.fit`, without weights of 0."""

    work: _Work
    labels: Floats
    groups: NDArray[Any]
    others: Floats | None
    weights: Floats | None

    def take(self, rows: NDArray[np.bool_]) -> _Measured:
        others, weights = (None if v is None else v[rows] for v in (self.others, self.weights))
        return _Measured(
            self.work.take(rows), self.labels[rows], self.groups[rows], others, weights
        )


def _best_share(
    by_kinds: Floats, by_operations: Floats, labels: Floats, weights: Floats | None
) -> float:
    """Return the share of ``by_operations`` with the smallest mean relative error."""

    def error(share: float) -> float:
        mean = (1 - share) * by_kinds + share * by_operations
        return float(np.average(np.abs(labels * np.exp(-mean) - 1), weights=weights))

    return min(_SHARES, key=error)


def _joined(
    by_kinds: Floats, by_operations: Floats, std: Floats, share: float
) -> tuple[Floats, Floats]:
    """Return the mean of both logarithms and its deviation, larger where the two differ."""
    apart = share * (1 - share) * (by_operations - by_kinds) ** 2
    return (1 - share) * by_kinds + share * by_operations, np.sqrt(std**2 + apart)


def _limits(costs: Floats, labels: Floats, weights: Floats | None) -> tuple[Floats, Floats]:
    """Return the units up to which weights hold, and the weights beyond, ``[c]`` each.

    A weight that was fitted to small amounts of work is valid for these amounts alone.
    """
    limits = np.full(costs.shape[1], np.finfo(np.float64).max)
    common = np.zeros(costs.shape[1])
    totals = network_cost_totals()
    in_totals = totals.any(axis=0).nonzero()[0]
    limits[in_totals] = np.quantile(costs[:, in_totals], _KNOWN_SHARE, axis=0)
    sums = [costs[:, :-1] @ total for total in totals]
    joint = _fitted_weights(np.column_stack([*sums, costs[:, -1]]), labels, weights)
    common[:-1] = joint[:-1] @ totals
    return limits, common


def _fitted_weights(costs: Floats, labels: Floats, weights: Floats | None) -> Floats:
    """Return weights ``[c]`` of costs ``[N, c]``, none negative, with small relative errors.

    Non-negative least squares, reweighted towards least absolute errors of the logarithms.
    """
    relative = costs / labels[:, None]
    scale = np.average(relative, axis=0, weights=weights)
    scale[scale == 0] = np.inf
    relative = relative / scale
    given = np.ones(len(labels)) if weights is None else np.sqrt(weights)
    ridge = _RIDGE * (given @ given) ** 0.5 * np.eye(relative.shape[1])
    importance = given
    for _ in range(_REWEIGHTINGS + 1):
        found, _ = nnls(
            np.vstack([relative * importance[:, None], ridge]),
            np.concatenate([importance, np.zeros(len(ridge))]),
        )
        missed = np.abs(np.log(np.maximum(relative @ found, 1e-6)))
        importance = given / np.sqrt(np.maximum(missed, _LEAST_RESIDUAL))
    return np.asarray(found / scale)
