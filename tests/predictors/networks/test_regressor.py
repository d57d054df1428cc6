"""Predictors of whole networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from pyg_nas.data.networks.dataset import NetworkDataset
from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.predictors.networks.regressor import NetworkRegressor, as_networks
from pyg_nas.predictors.storage.folder import load_model, save_model
from tests.spaces.modules.networks import random_network

GRAPHS = [random_network(5 + 7 * seed % 40, seed) for seed in range(80)]
LABELS = np.array([np.log(len(g)) + 0.1 * g.operations.count("conv") for g in GRAPHS])
METHODS = ("gp", "boosted-trees", "random-forest")


@pytest.mark.parametrize("method", METHODS)
def test_unseen_networks_are_ranked_and_a_stored_model_predicts_the_same(
    method: str, tmp_path: Path
) -> None:
    model = NetworkRegressor(method).fit(GRAPHS[:60], LABELS[:60])
    predicted = model.predict(GRAPHS[60:])
    assert kendalltau(predicted, LABELS[60:]).statistic > 0.6
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    np.testing.assert_allclose(loaded.predict(GRAPHS[60:]), predicted, rtol=1e-9)
    assert loaded.get_params() == model.get_params()


@pytest.mark.parametrize("method", ["gp", "random-forest"])
def test_a_dataset_brings_its_labels(method: str, tmp_path: Path) -> None:
    labels = LABELS.copy()
    labels[60:] = np.nan
    dataset = NetworkDataset(tmp_path, GRAPHS, labels)
    predicted = NetworkRegressor(method).fit(dataset).predict(dataset[60:])
    stored = np.float32(LABELS[:60])  # of the dataset
    wanted = NetworkRegressor(method).fit(GRAPHS[:60], stored).predict(GRAPHS[60:])
    np.testing.assert_allclose(predicted, wanted, rtol=1e-6)
    part = NetworkRegressor(method).fit(dataset[:60]).predict(as_networks(GRAPHS[60:]))
    np.testing.assert_allclose(part, wanted, rtol=1e-6)


@pytest.mark.parametrize("method", ["gp", "random-forest"])
def test_networks_of_weight_zero_are_left_out(method: str) -> None:
    weights = np.repeat([1.0, 0.0], 40)
    weighted = NetworkRegressor(method).fit(GRAPHS, LABELS, weights).predict(GRAPHS)
    alone = NetworkRegressor(method).fit(GRAPHS[:40], LABELS[:40], np.ones(40)).predict(GRAPHS)
    np.testing.assert_allclose(weighted, alone)


def test_a_process_has_standard_deviations_that_trees_have_not() -> None:
    process = NetworkRegressor().fit(GRAPHS[:60], LABELS[:60])
    mean, std = process.predict(GRAPHS[:3], return_std=True)
    assert mean.shape == std.shape == (3,)
    assert (std > 0).all()
    assert process.provides_std
    trees = NetworkRegressor("random-forest").fit(GRAPHS[:10], LABELS[:10])
    with pytest.raises(SettingsError, match="has no standard deviations"):
        trees.predict(GRAPHS[:3], return_std=True)
    assert not trees.provides_std
    assert process.predict([]).shape == trees.predict([]).shape == (0,)


def test_what_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="a list of NetworkGraphs, got ndarray"):
        NetworkRegressor().fit(np.zeros((3, 2)), [1, 2, 3])
    with pytest.raises(SettingsError, match="method must be gp, boosted-trees or random-forest"):
        NetworkRegressor("forest").fit(GRAPHS, LABELS)
    with pytest.raises(SettingsError, match="y is missing"):
        NetworkRegressor().fit(GRAPHS)
    with pytest.raises(SettingsError, match="y must be finite"):
        NetworkRegressor().fit(GRAPHS[:2], [1.0, np.nan])
    with pytest.raises(SettingsError, match="y must be numbers, one per cell"):
        NetworkRegressor().fit(GRAPHS[:2], [1.0, "one"])
    with pytest.raises(SettingsError, match="no network of the dataset has a label"):
        NetworkRegressor().fit(NetworkDataset(tmp_path, GRAPHS[:2], [np.nan, np.nan]))
