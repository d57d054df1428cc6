"""Predictions of logarithms come back in the unit of the labels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.predictors.cost.log_labels import LogRegressor
from pyg_nas.predictors.networks.regressor import NetworkRegressor
from pyg_nas.predictors.storage.folder import load_model, save_model
from tests.predictors.networks.test_regressor import GRAPHS, LABELS

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


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1.0, 0.0], r"labels must be above 0, .*; label 1 is 0\.0"),
        ([1.0, np.inf], "y must be finite, got inf at 1"),
        ([1.0, "one"], "y must be numbers"),
        ([[1.0, 2.0]], r"y must be \[2\] .*, got \[1, 2\]"),
    ],
)
def test_labels_must_be_positive_numbers(labels: list[object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        LogRegressor(NetworkRegressor()).fit(GRAPHS[:2], labels)  # type: ignore[arg-type]
