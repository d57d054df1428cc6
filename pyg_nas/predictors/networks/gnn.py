"""The residual graph network as an estimator of whole networks, by sparse message passing."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from pydantic import FiniteFloat
from sklearn.utils.validation import check_is_fitted

from pyg_nas.compute.device import pick_device
from pyg_nas.compute.generators import seeded_generator
from pyg_nas.engine.residual import ResidualTrainingConfig
from pyg_nas.engine.sparse_residual import (
    SparseGraphs,
    predict_sparse_residual,
    train_sparse_residual,
)
from pyg_nas.features.networks import NETWORK_FEATURE_VERSION, network_features
from pyg_nas.nn.residual_gnn import ResidualGNN
from pyg_nas.predictors.gnn.residual import SCALES, ResidualEnsemble
from pyg_nas.predictors.networks.regressor import (
    NetworkFeatureVersion,
    Networks,
    as_networks,
    labelled_networks,
)
from pyg_nas.predictors.parameter_rules import EPOCHS, WIDTH
from pyg_nas.predictors.scale import mean_and_scale
from pyg_nas.predictors.storage.state import FittedState
from pyg_nas.predictors.storage.state import Networks as FittedNetworks
from pyg_nas.predictors.validation import check_converged
from pyg_nas.spaces.modules.network_array import NetworkArray
from pyg_nas.spaces.modules.vocabulary import NUM_COLUMNS


@dataclass(eq=False, repr=False)
class NetworkGNNRegressor(ResidualEnsemble):
    """An ensemble of residual graph networks (:class:`~pyg_nas.nn.residual_gnn.ResidualGNN`).

    Time and memory are linear in the edges. The readout also takes the features of
    :mod:`pyg_nas.features.networks`. Members are trained together (AdamW, one cycle).

    The arguments are those of :class:`~pyg_nas.predictors.ResidualGNNRegressor`.

    Attributes:
        network_: The fitted :class:`~pyg_nas.nn.residual_gnn.ResidualGNN`.
    """

    ensemble_size: int = 2
    hidden: int = 64
    epochs: int = 60

    parameter_rules: ClassVar = {
        **ResidualEnsemble.parameter_rules,
        "hidden": WIDTH,
        "epochs": EPOCHS,
    }
    fitted_state: ClassVar = FittedState(
        arrays=SCALES,
        values={"mean": FiniteFloat, "std": FiniteFloat, "feature_version": NetworkFeatureVersion},
        networks=FittedNetworks("network_", build="_empty_network", prefix="network."),
    )

    def fit(
        self, X: Networks, y: ArrayLike | None = None, sample_weight: ArrayLike | None = None
    ) -> NetworkGNNRegressor:
        """Fit to ``N`` networks; arguments as of :meth:`NetworkRegressor.fit`.

        Raises:
            SettingsError: If a label or weight is not finite, there is no label, a setting is
                outside its rule or the training diverges.
            ModelError: If ``X`` contains no networks.
        """
        self.check_parameters()
        networks, labels, weights = labelled_networks(X, y, sample_weight)
        self.mean_, self.std_ = map(float, mean_and_scale(labels, weights))
        self.feature_version_ = NETWORK_FEATURE_VERSION
        features = network_features(networks).joined()
        self._fit_scales(networks.attributes, features)
        generator = seeded_generator(self.random_state)
        self.network_ = self._new_network(generator).to(pick_device(self.device))
        relative = np.ones(len(labels)) if weights is None else weights / weights.mean()
        loss = train_sparse_residual(
            self.network_,
            self._graphs(networks, features),
            ((labels - self.mean_) / self.std_).astype(np.float32),
            relative.astype(np.float32),
            ResidualTrainingConfig(
                self.epochs, self.batch_size, self.learning_rate, self.weight_decay
            ),
            self.random_state,
            self.progress,
        )
        check_converged(loss, self.learning_rate)
        return self

    def predict(self, X: Networks, return_std: bool = False) -> Any:
        """Return the members' mean ``[N]``, and their standard deviation where asked for.

        Raises:
            ModelError: If ``X`` contains something else than networks.
        """
        check_is_fitted(self)
        networks = as_networks(X)
        graphs = self._graphs(networks, network_features(networks).joined())
        outputs = predict_sparse_residual(self.network_, graphs).astype(np.float64)
        members = outputs * self.std_ + self.mean_
        mean = members.mean(axis=0)
        return (mean, members.std(axis=0)) if return_std else mean

    def _graphs(self, networks: NetworkArray, features: NDArray[np.float32]) -> SparseGraphs:
        attributes, graph = self._standardised(networks.attributes, features)
        return SparseGraphs(replace(networks, attributes=attributes), graph)

    def _new_network(self, generator: torch.Generator | None = None) -> ResidualGNN:
        return ResidualGNN(
            self.ensemble_size,
            NUM_COLUMNS + len(self.vertex_centre_),
            len(self.columns_),
            hidden=self.hidden,
            depth=self.depth,
            dropout=self.dropout,
            generator=generator,
        )
