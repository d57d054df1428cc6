"""The forest against scikit-learn's own trees, and damaged copies of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.ensemble import ExtraTreesRegressor

from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.features.graph_features import PATH_GROUP, cell_features
from pyg_nas.features.paths import path_features
from pyg_nas.graphs import sample_cells
from pyg_nas.predictors import forest as module
from pyg_nas.predictors.forest import FeatureForest
from pyg_nas.predictors.storage.folder import load_model, save_model
from pyg_nas.predictors.storage.state import read_state, write_state
from pyg_nas.spaces.nasbench201 import NASBENCH201

CELLS = sample_cells(120, seed=0, cells=NASBENCH201.support.cells())
Y = np.log(CELLS.trainable_parameters()) + np.random.default_rng(0).normal(0, 0.1, 120)


@pytest.fixture(scope="module")
def fitted() -> FeatureForest:
    return FeatureForest(30, random_state=3).fit(CELLS[:80], Y[:80])


def test_predictions_are_those_of_scikit_learn(
    fitted: FeatureForest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_CELLS", 7)
    inputs = module._inputs(CELLS, cell_features(CELLS))
    reference = ExtraTreesRegressor(
        30, max_features=1 / 3, bootstrap=True, oob_score=True, random_state=3
    ).fit(inputs[:80], Y[:80])
    np.testing.assert_allclose(fitted.predict(CELLS), reference.predict(inputs), rtol=1e-12)
    np.testing.assert_allclose(fitted.out_of_bag_, reference.oob_prediction_, rtol=1e-12)


def test_path_features_that_are_known_are_not_computed_again(fitted: FeatureForest) -> None:
    known = cell_features(CELLS).with_groups({PATH_GROUP: path_features(CELLS)})
    np.testing.assert_array_equal(fitted.predict_features(CELLS, known), fitted.predict(CELLS))


def test_it_survives_a_folder(fitted: FeatureForest, tmp_path: Path) -> None:
    save_model(fitted, tmp_path / "m")
    again = load_model(tmp_path / "m")
    np.testing.assert_array_equal(again.predict(CELLS), fitted.predict(CELLS))


def test_a_weight_is_that_of_an_error() -> None:
    weights = np.where(np.arange(80) < 40, 1.0, 1e-9)
    y = np.where(np.arange(80) < 40, 0.0, 100.0)
    weighted = FeatureForest(30).fit(CELLS[:80], y, weights).predict(CELLS[80:])
    assert weighted.mean() < FeatureForest(30).fit(CELLS[:80], y).predict(CELLS[80:]).mean() / 2


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("left", 0, "leaf or lead to two later nodes"),
        ("right", 10**6, "leaf or lead to two later nodes"),
        ("split", -1, "split by features"),
        ("split", 10**6, "split by features"),
        ("roots", -1, "roots of trees"),
        ("roots", 10**6, "roots of trees"),
    ],
)
def test_damaged_trees_are_refused(
    fitted: FeatureForest, name: str, value: int, message: str
) -> None:
    tensors, values = read_state(fitted)
    tensors = {**tensors, name: tensors[name].clone()}
    tensors[name][1] = value  # the second node, or the second root
    with pytest.raises(ModelError, match=message):
        write_state(FeatureForest(30), tensors, values)


def test_other_features_and_settings_are_refused(fitted: FeatureForest) -> None:
    other = sample_cells(5, seed=0)
    with pytest.raises(ModelError, match="operations"):
        fitted.predict(other)
    with pytest.raises(ModelError, match=r"features, got"):
        fitted.predict_features(other, cell_features(other))
    with pytest.raises(SettingsError, match="num_trees"):
        FeatureForest(0).fit(CELLS, Y)
