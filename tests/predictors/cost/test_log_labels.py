"""Predictions of logarithms come back in the unit of the labels."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import gmean

from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.errors import SettingsError
from pyg_nas.predictors.base import CellRegressor
from pyg_nas.predictors.cost.log_labels import LogRegressor
from pyg_nas.predictors.networks.regressor import NetworkRegressor
from pyg_nas.predictors.recipes import make_estimator
from pyg_nas.predictors.storage.folder import load_model, save_model, settings_checksum
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
    # A model that was saved before labels as they are could be learned.
    settings = json.loads((tmp_path / "settings.json").read_text())
    del settings["model"]["values"]["has_logarithms"]
    settings["settings_sha256"] = settings_checksum(settings)
    (tmp_path / "settings.json").write_text(json.dumps(settings))
    np.testing.assert_allclose(load_model(tmp_path).predict(GRAPHS[60:]), predicted, rtol=1e-9)


def test_labels_that_are_not_all_positive_are_learned_as_they_are(tmp_path: Path) -> None:
    for labels in (LABELS - LABELS.min(), LABELS - np.median(LABELS)):
        model = make_estimator("networks", LabelPolicy("regret")).fit(GRAPHS[:60], labels[:60])
        wanted = NetworkRegressor().fit(GRAPHS[:60], labels[:60]).predict(GRAPHS[60:], True)
        save_model(model, tmp_path)
        for found in (model, load_model(tmp_path)):
            np.testing.assert_allclose(found.predict(GRAPHS[60:], True), wanted, rtol=1e-9)
            np.testing.assert_allclose(found.predict(GRAPHS[60:]), wanted[0], rtol=1e-9)


class Mean(CellRegressor):
    """Predicts the mean label, without standard deviations."""

    def fit(self, X: list[int], y: np.ndarray) -> Mean:
        self.mean_ = float(np.mean(y))
        return self

    def predict(self, X: list[int]) -> np.ndarray:
        return np.full(len(X), self.mean_)


@given(st.lists(st.floats(-1e3, 1e3).filter(lambda y: not 0 < y < 1e-300), min_size=1))
def test_the_mean_is_geometric_where_all_labels_are_positive(labels: list[float]) -> None:
    (found,) = LogRegressor(Mean()).fit([0] * len(labels), labels).predict([0])
    mean = gmean(labels) if min(labels) > 0 else np.mean(labels)
    assert found == pytest.approx(mean, rel=1e-9, abs=1e-300)


def test_networks_of_weight_zero_have_no_influence() -> None:
    weights, labels = np.repeat([1.0, 0.0], [60, 20]), SECONDS.copy()
    labels[60:] = -1
    found = LogRegressor(NetworkRegressor()).fit(GRAPHS, torch.from_numpy(labels), weights)
    wanted = LogRegressor(NetworkRegressor()).fit(GRAPHS[:60], SECONDS[:60])
    np.testing.assert_allclose(found.predict(GRAPHS), wanted.predict(GRAPHS), rtol=1e-9)


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ([1.0, np.inf], "y must be finite, got inf at 1"),
        ([1.0, "one"], "y must be numbers"),
        ([[1.0, 2.0]], r"y must be \[2\] .*, got \[1, 2\]"),
    ],
)
def test_labels_must_be_numbers(labels: list[object], message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        LogRegressor(NetworkRegressor()).fit(GRAPHS[:2], labels)  # type: ignore[arg-type]
