"""Predictions of logarithms come back in the unit of the labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.predictors.log_labels import LogRegressor
from pyg_nas.predictors.networks import NetworkRegressor
from pyg_nas.predictors.storage import load_model, save_model
from tests.predictors.test_networks import GRAPHS, LABELS

SECONDS = np.exp(3 * LABELS)


def test_a_fit_to_logarithms_is_stored(tmp_path: Path) -> None:
    model = LogRegressor(NetworkRegressor()).fit(GRAPHS[:60], SECONDS[:60])
    inner = NetworkRegressor().fit(GRAPHS[:60], 3 * LABELS[:60])
    mean, std = inner.predict(GRAPHS[60:], return_std=True)
    predicted, spread = model.predict(GRAPHS[60:], return_std=True)
    np.testing.assert_allclose(predicted, np.exp(mean), rtol=1e-9)
    np.testing.assert_allclose(spread, np.exp(mean) * std, rtol=1e-9)
    save_model(model, tmp_path)
    np.testing.assert_allclose(load_model(tmp_path).predict(GRAPHS[60:]), predicted, rtol=1e-9)
    assert model.provides_std
    assert not LogRegressor(NetworkRegressor("random-forest")).provides_std


def test_labels_must_be_positive() -> None:
    with pytest.raises(SettingsError, match=r"label 1 is 0\.0"):
        LogRegressor(NetworkRegressor()).fit(GRAPHS[:2], [1.0, 0.0])
