"""Time of every operation of a network, learned from the times of whole networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from pydantic import FiniteFloat
from scipy.sparse import csr_array
from sklearn.utils.validation import check_is_fitted
from torch import Tensor, nn

from pyg_nas.compute.light_optimizer import light_optimizer
from pyg_nas.errors import SettingsError
from pyg_nas.features.network_operations import (
    BYTES_OF_A_CALL,
    NetworkOperations,
    network_operations,
)
from pyg_nas.predictors.base import CellRegressor
from pyg_nas.predictors.networks.regressor import Networks, as_networks
from pyg_nas.predictors.parameter_rules import FLAG, SEED
from pyg_nas.predictors.storage.state import Array, FittedState
from pyg_nas.predictors.storage.state import Networks as FittedNetworks
from pyg_nas.predictors.validation import positive_labels
from pyg_nas.spaces.modules.vocabulary import NUM_COLUMNS

Floats = NDArray[np.float64]

_HIDDEN = 32
_DROPOUT = 0.1
_STEPS = 100
_LEARNING_RATE = 1e-2
_WEIGHT_DECAY = 3e-3
_LARGEST_GRADIENT = 1.0
_HUBER = 0.1  # absolute errors of the logarithm above this count linearly
_MOST_DEVIATIONS = 4.0


@dataclass(eq=False, repr=False)
class OperationTimes(CellRegressor):
    """Times, or other positive costs, of operations, whose sums are those of whole networks.

    A small network gives the logarithm of the time of every operation from its kind and numbers
    about it (:mod:`pyg_nas.features.network_operations`); the time of a network is their sum. It is
    fitted to the logarithms of such sums alone: times of single operations are not needed. Where
    the networks were measured in other settings too, all but the last layer is shared by all.

    Args:
        random_state: Random seed of the fit.
        compiled: Whether a compiler joins operations, see
            :class:`~pyg_nas.predictors.cost.latency.LatencyRegressor`.

    Attributes:
        network_: The fitted small network.

    Example:
        >>> from torch import nn, zeros
        >>> from pyg_nas.spaces.modules import graph_of
        >>> graphs = [graph_of(nn.Linear(4, n), zeros(1, 4)) for n in range(1, 30)]
        >>> model = OperationTimes().fit(graphs, [1e-6 * g.macs + 1e-5 for g in graphs])
        >>> model.times(graphs[0]).shape  # of input, linear and output
        (3,)
    """

    parameter_rules: ClassVar = {"random_state": SEED, "compiled": FLAG}
    fitted_state: ClassVar = FittedState(
        arrays={"centre": Array("float64", ("d",)), "scale": Array("float64", ("d",))},
        values={"offset": FiniteFloat},
        networks=FittedNetworks("network_", "build_network"),
    )

    random_state: int = 0
    compiled: bool = False

    def fit(
        self,
        X: Networks,
        y: ArrayLike,
        groups: ArrayLike | None = None,
        others: ArrayLike | None = None,
    ) -> OperationTimes:
        """Fit to ``N`` networks.

        Args:
            X: The networks.
            y: Their times ``[N]``, above 0.
            groups: Group of each network ``[N]``, such as its family; a network of a group of ``n``
                weighs ``n ** -0.5``. None for equal weights.
            others: Their times in ``S`` other settings ``[N, S]``, NaN where not measured.

        Raises:
            SettingsError: If a label or another time is not finite or not above 0, or there are not
                as many as networks.
            ModelError: If ``X`` contains no networks.
        """
        self.check_parameters()
        networks = as_networks(X)
        labels = positive_labels(y, len(networks))
        found = other_labels(others, len(networks))
        operations = network_operations(networks, self.compiled)
        return self.fit_operations(operations, labels, groups, found)

    def fit_operations(
        self,
        operations: NetworkOperations,
        labels: Floats,
        groups: ArrayLike | None = None,
        others: Floats | None = None,
        weights: Floats | None = None,
    ) -> OperationTimes:
        """As :meth:`fit`, to the operations of ``N`` networks, with their weights ``[N]``."""
        self.centre_ = operations.inputs.mean(axis=0)
        deviation = operations.inputs.std(axis=0)
        self.scale_ = np.where(deviation > 1e-6, deviation, 1.0)
        rough = np.log(np.maximum(operations.counts @ operations.bytes, BYTES_OF_A_CALL))
        logarithms = np.log(labels)[:, None]
        if others is not None:
            measured = np.isfinite(others).any(axis=0)
            logarithms = np.column_stack([logarithms, np.log(others[:, measured])])
        offsets = np.nanmedian(logarithms - rough[:, None], axis=0)
        self.offset_ = float(offsets[0])
        inputs = self._inputs(operations)
        rough_times = torch.from_numpy(np.log(operations.bytes).astype(np.float32))
        targets = torch.from_numpy((logarithms - offsets).astype(np.float32))
        shares = _shares(groups, np.isfinite(logarithms), weights).astype(np.float32)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(int(self.random_state))
            network = _network(operations.inputs.shape[1], len(offsets))
            _train(
                network, inputs, rough_times, operations.counts, targets, torch.from_numpy(shares)
            )
        first: Any = network[0]
        last: Any = network[-1]
        with torch.no_grad():  # of operations that no training network has
            first.weight[:, np.setdiff1d(np.arange(NUM_COLUMNS), operations.columns)] = 0
            last.out_features = 1  # for this setting alone
            last.weight, last.bias = (
                nn.Parameter(values[:1].clone()) for values in (last.weight, last.bias)
            )
        self.network_ = network.eval()
        return self

    def predict(self, X: Networks) -> Floats:
        """Return the times ``[N]`` of networks, in the unit of the labels.

        Raises:
            ModelError: If ``X`` contains something else than networks.
        """
        return np.exp(self.predict_operations(network_operations(as_networks(X), self.compiled)))

    def predict_operations(self, operations: NetworkOperations) -> Floats:
        """Return the logarithms ``[N]`` of the times of ``N`` networks."""
        least = np.exp(self.offset_) * BYTES_OF_A_CALL  # of a network without operations
        return np.asarray(np.log(np.maximum(operations.counts @ self._times(operations), least)))

    def times(self, X: Networks) -> Floats:
        """Return the time of every vertex of all networks ``[V]``, 0 where nothing is computed.

        Raises:
            ModelError: If ``X`` contains something else than networks.
        """
        operations = network_operations(as_networks(X), self.compiled)
        return np.append(self._times(operations), 0.0)[operations.of_vertex]

    def build_network(self) -> nn.Sequential:
        """Return the network without weights."""
        with torch.device("meta"):
            return _network(len(self.centre_))

    def _inputs(self, operations: NetworkOperations) -> Tensor:
        numbers = (operations.inputs - self.centre_) / self.scale_
        numbers = numbers.clip(-_MOST_DEVIATIONS, _MOST_DEVIATIONS)
        kinds = 2.0 * np.eye(NUM_COLUMNS)[operations.columns]
        return torch.from_numpy(np.hstack([kinds, numbers]).astype(np.float32))

    def _times(self, operations: NetworkOperations) -> Floats:
        """Return the times ``[U]`` of operations."""
        check_is_fitted(self)
        with torch.no_grad():
            found = self.network_(self._inputs(operations))[:, 0].double().numpy()
        return np.asarray(np.exp(found + self.offset_) * operations.bytes)


def other_labels(others: ArrayLike | None, total: int) -> Floats | None:
    """Return costs in other settings ``[total, S]``, NaN where not measured.

    Raises:
        SettingsError: If the shape is another one, or a number is infinite or not above 0.
    """
    if others is None:
        return None
    found = np.asarray(others, dtype=np.float64)
    if found.ndim != 2 or len(found) != total:
        raise SettingsError(f"others must be [{total}, settings], got {list(found.shape)}")
    wrong = found[~np.isnan(found) & ~((found > 0) & np.isfinite(found))]
    if len(wrong):
        raise SettingsError(f"others must be above 0, or NaN where not measured, got {wrong[0]:g}")
    return found


def _network(numbers: int, settings: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(NUM_COLUMNS + numbers, _HIDDEN),
        nn.SiLU(),
        nn.Dropout(_DROPOUT),
        nn.Linear(_HIDDEN, _HIDDEN),
        nn.SiLU(),
        nn.Dropout(_DROPOUT),
        nn.Linear(_HIDDEN, settings),
    )


def _train(
    network: nn.Sequential,
    inputs: Tensor,
    rough: Tensor,
    counts: csr_array,
    targets: Tensor,
    weights: Tensor,
) -> None:
    """Fit the logarithms of sums over operations to ``targets`` ``[N, S]``, where weights are."""
    settings = targets.shape[1]
    # One-dimensional indices: of them alone sums are fast on a CPU.
    columns = torch.arange(settings)
    rows, operations = (
        (torch.from_numpy(part.astype(np.int64))[:, None] * settings + columns).flatten()
        for part in counts.nonzero()
    )
    counted = torch.from_numpy(counts.data.astype(np.float32)).repeat_interleave(settings)
    used = weights > 0
    targets, weights = targets[used], weights[used]
    last: Any = network[-1]
    with torch.no_grad():  # begin near the rough times
        last.weight.mul_(0.1)
        last.bias.zero_()
    optimizer = light_optimizer(torch.optim.AdamW)(
        network.parameters(), lr=_LEARNING_RATE, weight_decay=_WEIGHT_DECAY
    )
    cycle = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, _LEARNING_RATE, total_steps=_STEPS, pct_start=0.1
    )
    for _ in range(_STEPS):
        times = torch.exp(network(inputs) + rough[:, None]).flatten()
        sums = torch.zeros(used.numel()).index_add(0, rows, times[operations] * counted)
        missed = torch.log(sums[used.flatten()].clamp_min(BYTES_OF_A_CALL)) - targets
        errors = nn.functional.huber_loss(
            missed, torch.zeros_like(missed), reduction="none", delta=_HUBER
        )
        optimizer.zero_grad()
        (errors @ weights / _HUBER).backward()
        nn.utils.clip_grad_norm_(network.parameters(), _LARGEST_GRADIENT)
        optimizer.step()
        cycle.step()


def _shares(
    groups: ArrayLike | None, measured: NDArray[np.bool_], weights: Floats | None
) -> Floats:
    """Return the weight of each number ``[N, S]``, of equal sums for all settings, together 1."""
    shares: Floats = np.ones(len(measured)) if weights is None else weights
    if groups is not None:
        _, number = np.unique(groups, return_inverse=True)
        shares = np.asarray(shares * np.bincount(number, shares)[number] ** -0.5)
    shares = shares[:, None] * measured
    return np.asarray(shares / shares.sum(axis=0) / measured.shape[1])
