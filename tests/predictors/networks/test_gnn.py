"""The residual graph network on whole networks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from pyg_nas.errors import SettingsError
from pyg_nas.predictors.networks.gnn import NetworkGNNRegressor
from pyg_nas.predictors.storage.folder import load_model, save_model
from tests.spaces.modules.networks import random_network

GRAPHS = [random_network(5 + 7 * seed % 40, seed) for seed in range(80)]
LABELS = np.array([np.log(len(g)) + 0.1 * g.operations.count("conv") for g in GRAPHS])
SETTINGS = {"hidden": 16, "epochs": 20, "batch_size": 16, "device": "cpu"}


def test_unseen_networks_are_ranked_and_a_stored_model_predicts_the_same(tmp_path: Path) -> None:
    model = NetworkGNNRegressor(**SETTINGS).fit(GRAPHS[:60], LABELS[:60])
    mean, std = model.predict(GRAPHS[60:], return_std=True)
    assert kendalltau(mean, LABELS[60:]).statistic > 0.6
    assert (std > 0).all()
    save_model(model, tmp_path)
    loaded = load_model(tmp_path, device="cpu")
    np.testing.assert_allclose(loaded.predict(GRAPHS[60:]), mean, rtol=1e-6)
    # A network's prediction does not depend on those beside it.
    np.testing.assert_allclose(model.predict(GRAPHS[70:71]), mean[10:11], rtol=1e-4)
    assert model.predict([]).shape == (0,)


def test_settings_are_checked() -> None:
    with pytest.raises(SettingsError, match="hidden must be a whole number"):
        NetworkGNNRegressor(hidden=0).fit(GRAPHS, LABELS)
    assert not NetworkGNNRegressor(ensemble_size=1).provides_std
