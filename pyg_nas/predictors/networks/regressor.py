"""Predictors of whole networks on their features, with the estimators' interface."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import AfterValidator
from sklearn.utils.validation import check_is_fitted

from pyg_nas.data.networks.table import NetworkTable
from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.features.graph_features import check_feature_version
from pyg_nas.features.networks import NETWORK_FEATURE_VERSION, network_features
from pyg_nas.predictors.base import CellRegressor
from pyg_nas.predictors.baselines import FeatureRegressor, boosted_trees, random_forest
from pyg_nas.predictors.gaussian_process.regressor import MOST_TRAINING_CELLS, GaussianProcess
from pyg_nas.predictors.labelled_features import LabelledFeatures
from pyg_nas.predictors.parameter_rules import NETWORKS_RULES
from pyg_nas.predictors.storage.state import Array, FittedState
from pyg_nas.predictors.validation import checked_weights, finite_labels
from pyg_nas.spaces.modules.network_array import NetworkArray
from pyg_nas.spaces.modules.network_graph import NetworkGraph
from pyg_nas.spaces.modules.space import NETWORKS

if TYPE_CHECKING:  # imports PyG, which commands do not need
    from pyg_nas.data.networks.dataset import NetworkDataset

Networks: TypeAlias = (
    "NetworkDataset | NetworkTable | NetworkArray | Iterable[NetworkGraph | NetworkArray]"
)
"""Accepted types of ``X`` of an estimator of networks."""


NetworkFeatureVersion = Annotated[
    Any, AfterValidator(partial(check_feature_version, current=NETWORK_FEATURE_VERSION))
]
"""The version of the features of networks in a fit; a model of another version is refused."""

_PROCESS = "gp"
_TREES: Mapping[str, Callable[[int], FeatureRegressor]] = {
    "boosted-trees": boosted_trees,
    "random-forest": random_forest,
}


def as_networks(X: Networks) -> NetworkArray:
    """Return graphs of networks, in any accepted form, as arrays.

    Raises:
        ModelError: If it contains something else.
    """
    networks = getattr(X, "networks", X)
    if isinstance(networks, NetworkArray):
        return networks
    if isinstance(X, np.ndarray) and X.ndim == 2 and X.shape[1] == 1:  # as scikit-learn makes it
        X = X[:, 0]
    listed: list[Any] = list(X) if isinstance(X, Iterable) else [X]
    others = [item for item in listed if not isinstance(item, (NetworkGraph, NetworkArray))]
    if others:
        raise ModelError(
            f"X must be a NetworkDataset, a NetworkTable, a NetworkArray or a list of "
            f"NetworkGraphs, got {type(X).__name__} with {type(others[0]).__name__}; graph_of "
            f"makes a NetworkGraph of a module"
        )
    if any(isinstance(graph, NetworkArray) for graph in listed):
        return NetworkArray.join([as_networks(graph) for graph in listed])
    return NetworkArray.from_graphs(listed)


def labelled_networks(
    X: Networks, y: ArrayLike | None, sample_weight: ArrayLike | None
) -> tuple[NetworkArray, NDArray[np.float64], NDArray[np.float64] | None]:
    """Return networks ``[N]``, labels ``[N]`` and weights ``[N]`` of a fit.

    Networks of weight zero are left out, and those without a label where a dataset has them.

    Raises:
        ModelError: If ``X`` contains no networks.
        SettingsError: If labels or weights are not finite numbers ``[N]``, or there are none.
        TableError: If the labels of a dataset are not one number per network.
    """
    networks = as_networks(X)
    weights = checked_weights(sample_weight, len(networks))
    kept = np.ones(len(networks), dtype=bool) if weights is None else weights > 0
    if y is None:
        own = getattr(X, "labels", None)
        if own is None:
            raise SettingsError("y is missing, and X is no NetworkDataset with labels")
        kept &= ~np.isnan(own)
        if not kept.any():
            raise SettingsError("no network of the dataset has a label")
        y = np.where(kept, own, 0.0)
    labels = finite_labels(y, len(networks))[kept]
    weights = None if weights is None else weights[kept]
    if not kept.all():
        networks = networks.select(np.flatnonzero(kept))
    return networks, labels, weights


@dataclass(eq=False, repr=False)
class NetworkRegressor(CellRegressor):
    """A Gaussian process or trees on the features of whole networks.

    Features are those of :mod:`pyg_nas.features.networks`, in time linear in the edges.
    Labels that span orders of magnitude, such as latencies, are better fitted as logarithms.

    Args:
        method: ``"gp"`` (:class:`~pyg_nas.predictors.gaussian_process.regressor.GaussianProcess`),
            ``"boosted-trees"`` or ``"random-forest"`` (:mod:`pyg_nas.predictors.baselines`). A
            stored model of trees has its training data, to which it is fitted again when it is
            loaded: they are smaller than the trees, and boosted trees have no plain arrays.
        random_state: Random seed of the fit.

    Example:
        >>> from torch import nn, zeros
        >>> from pyg_nas.spaces.modules import graph_of
        >>> graphs = [graph_of(nn.Linear(4, n), zeros(1, 4)) for n in range(1, 30)]
        >>> model = NetworkRegressor().fit(graphs, [float(g.parameters) for g in graphs])
        >>> model.predict(graphs[:2]).shape
        (2,)
    """

    parameter_rules: ClassVar = NETWORKS_RULES
    fitted_state: ClassVar = FittedState(
        arrays={
            "inputs": Array("float32", ("n", "d"), optional=True),
            "targets": Array("float64", ("n",), optional=True),
            "weights": Array("float64", ("n",), optional=True),
        },
        values={"feature_version": NetworkFeatureVersion},
        parts={"process": False},
    )

    method: str = _PROCESS
    random_state: int = 0

    @property
    def provides_std(self) -> bool:
        """Whether ``predict`` can return standard deviations: that of a Gaussian process can."""
        return self.method == _PROCESS

    def fit(
        self, X: Networks, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> NetworkRegressor:
        """Fit to ``N`` networks.

        Args:
            X: The networks.
            y: Their labels ``[N]``; None for a dataset's own labels, where networks without one
                are left out.
            sample_weight: Weight of each network ``[N]``; networks of weight 0 are left out.

        Raises:
            SettingsError: If a label or weight is not finite, there is no label, or a setting is
                outside its rule.
            ModelError: If ``X`` contains no networks.
        """
        self.check_parameters()
        networks, labels, weights = labelled_networks(X, y, sample_weight)
        self.feature_version_ = NETWORK_FEATURE_VERSION
        self.process_ = self.inputs_ = self.targets_ = self.weights_ = None
        if self.method != _PROCESS:
            self.inputs_ = network_features(networks).joined()
            self.targets_, self.weights_ = labels, weights
            self._fit_trees()
            return self
        if len(networks) > MOST_TRAINING_CELLS:
            raise SettingsError(
                f"a Gaussian process is fitted to at most {MOST_TRAINING_CELLS:,} networks, "
                f"got {len(networks):,}: train on a part of them, or use boosted-trees"
            )
        self.process_ = GaussianProcess(random_state=self.random_state).fit_features(
            NETWORKS, LabelledFeatures(network_features(networks), labels, weights)
        )
        return self

    def predict(self, X: Networks, return_std: bool = False) -> Any:
        """Return predictions ``[N]`` in the unit of the labels.

        With ``return_std`` also the standard deviation of a measured label, for ``method`` "gp".

        Raises:
            SettingsError: If standard deviations are asked of trees.
            ModelError: If ``X`` contains something else than networks.
        """
        check_is_fitted(self)
        if return_std and not self.provides_std:
            raise SettingsError(f"method {self.method!r} has no standard deviations, 'gp' has")
        features = network_features(as_networks(X))
        if self.process_ is not None:
            mean, std = self.process_.predict_features(features, return_std)
            return (mean, std) if return_std else mean
        return self.trees_.predict_inputs(features.joined())

    def check_fitted_state(self) -> None:
        """Fit the trees again to the training data that were read.

        Raises:
            ModelError: If the state lacks what its method needs.
        """
        is_process = self.method == _PROCESS
        if (self.process_ is not None) != is_process or (self.inputs_ is None) != is_process:
            raise ModelError(f"the fitted state is not that of method {self.method!r}")
        if not is_process:
            if self.targets_ is None:
                raise ModelError("the labels of the trees are missing")
            self._fit_trees()

    def _fit_trees(self) -> None:
        given: Any = self.inputs_, self.targets_, self.weights_
        self.trees_ = _TREES[self.method](self.random_state).fit_inputs(*given)
