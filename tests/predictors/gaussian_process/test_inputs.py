"""Standardised inputs, against scikit-learn's scaler."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from pyg_nas.compute.jit import ENGINE_VARIABLE
from pyg_nas.errors import ModelError
from pyg_nas.features.graph_features import CellFeatures, cell_features
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors.gaussian_process.inputs import InputScale

CELLS = sample_cells(80, seed=0)
GROUPS = ("walks", "graph")
WEIGHTS = np.random.default_rng(0).uniform(0.5, 2, 60)


def of_training_cells() -> CellFeatures:
    features = cell_features(CELLS[:60])
    walks = features.groups["walks"].copy()
    walks[:, 2] = 0.5
    return replace(features, groups={**features.groups, "walks": walks})


@pytest.fixture(scope="module")
def scale() -> InputScale:
    return InputScale.fitted(GROUPS, of_training_cells(), WEIGHTS)


def test_inputs_are_columns_that_vary_standardised_and_clipped(scale: InputScale) -> None:
    features = cell_features(CELLS)
    train, joined = (
        np.hstack([part.groups[name] for name in GROUPS]).astype(np.float64)
        for part in (of_training_cells(), features)
    )
    columns = np.delete(np.arange(train.shape[1]), 2)
    scaler = StandardScaler().fit(train[:, columns], sample_weight=WEIGHTS)
    expected = scaler.transform(joined[:, columns]).clip(-5, 5)
    np.testing.assert_allclose(scale.standardised(features).numpy(), expected, atol=1e-9)
    in_graph = columns >= features.groups["walks"].shape[1]
    np.testing.assert_array_equal(scale.group_of_each(features), in_graph)


def test_many_cells_have_the_inputs_of_few_to_the_last_bit(
    scale: InputScale, monkeypatch: pytest.MonkeyPatch
) -> None:
    features = cell_features(sample_cells(1_100, seed=1))
    weights = torch.linspace(0.1, 3, len(scale.columns), dtype=torch.float64)
    compiled = scale.weighted(features, weights)
    monkeypatch.setenv(ENGINE_VARIABLE, "torch")
    np.testing.assert_array_equal(scale.weighted(features, weights), compiled)


@pytest.mark.parametrize("count", [10, 1_100])
def test_columns_that_features_do_not_have_are_refused(scale: InputScale, count: int) -> None:
    columns = scale.columns.copy()
    columns[3] = 58
    features = cell_features(sample_cells(count, seed=1))
    weights = torch.ones(len(columns), dtype=torch.float64)
    with pytest.raises(ModelError, match="a model's columns must be whole numbers from 0 to 57"):
        replace(scale, columns=columns).weighted(features, weights)
