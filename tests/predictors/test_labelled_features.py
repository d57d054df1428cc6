"""Fits to features that are known already, against fits to the cells themselves."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.features.graph_features import cell_features
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors.forest import FeatureForest
from pyg_nas.predictors.gaussian_process.regressor import GaussianProcess
from pyg_nas.predictors.gnn.residual import ResidualGNNRegressor
from pyg_nas.predictors.labelled_features import LabelledFeatures

CELLS = sample_cells(40, seed=0)[np.r_[0:40, 5, 5]]  # one graph three times
Y = np.random.default_rng(0).normal(size=42)
WEIGHTS = np.random.default_rng(1).uniform(0.5, 2, 42)


@pytest.mark.parametrize("weights", [None, WEIGHTS], ids=["alike", "weighted"])
def test_every_part_fits_to_features_as_to_their_cells(weights: np.ndarray | None) -> None:
    data = LabelledFeatures(cell_features(CELLS), Y, weights, CELLS.hashes())
    assert len(data) == 42
    process = GaussianProcess(steps=20).fit_features(CELLS.space, data)
    expected = GaussianProcess(steps=20).fit(CELLS, Y, weights)
    np.testing.assert_array_equal(process.loo_mean_, expected.loo_mean_)
    parts = (FeatureForest(num_trees=50), ResidualGNNRegressor(1, hidden=8, epochs=2))
    for part in parts:
        by_cells = type(part)(**part.get_params()).fit(CELLS, Y, weights)
        by_features = part.fit_features(CELLS, data)
        np.testing.assert_allclose(by_features.predict(CELLS), by_cells.predict(CELLS), rtol=1e-6)
