"""Estimators and all that holds cells as citizens of scikit-learn."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.ensemble import (
    AdaBoostRegressor,
    BaggingRegressor,
    StackingRegressor,
    VotingRegressor,
)
from sklearn.inspection import permutation_importance
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score, learning_curve
from sklearn.utils.estimator_checks import (
    check_estimator_cloneable,
    check_estimator_repr,
    check_get_params_invariance,
    check_mixin_order,
    check_no_attributes_set_in_init,
    check_set_params,
    check_valid_tag_types,
)

from pyg_nas.data import NASBench101
from pyg_nas.data.table import Table
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors.baselines import ParameterCountRegressor, random_forest
from pyg_nas.predictors.gaussian_process import GaussianProcess
from pyg_nas.predictors.gcn import GCNClassifier, GCNRegressor
from pyg_nas.predictors.hybrid import HybridRegressor
from pyg_nas.predictors.residual_gnn import ResidualGNNRegressor
from pyg_nas.predictors.training_time import TimeRegressor
from pyg_nas.predictors.two_stage import TwoStageRegressor

CELLS = sample_cells(40, seed=0)
Y = 0.8 + 0.02 * np.log10(CELLS.trainable_parameters())
PROCESS = GaussianProcess(("graph",), steps=20)
SMALL = {"hidden": 4, "epochs": 2, "device": "cpu"}
REGRESSORS = {
    "gcn": GCNRegressor(**SMALL),
    "residual": ResidualGNNRegressor(1, **SMALL),
    "process": PROCESS,
    "hybrid": HybridRegressor(0),
    "two-stage": TwoStageRegressor(GCNClassifier(**SMALL), GCNRegressor(**SMALL)),
    "parameters": ParameterCountRegressor(),
    "forest": random_forest(),
    "time": TimeRegressor(),
}


@pytest.fixture(scope="module", params=["cells", "table", "dataset", "list", "array"], name="X")
def all_that_holds_cells(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    if request.param == "dataset":
        return NASBench101(tmp_path_factory.mktemp("root"), CELLS)
    metrics = np.full((40, 1, 1, 2, 4), 0.5, np.float32)
    kinds = {"cells": CELLS, "table": Table(CELLS, metrics, (108,)), "list": list(CELLS)}
    return kinds.get(request.param, np.asarray(CELLS))


def test_splitters_and_searches_take_all_that_holds_cells(X: Any) -> None:
    folds = KFold(3, shuffle=True, random_state=0)
    expected = cross_val_score(PROCESS, CELLS, Y, cv=folds)
    np.testing.assert_allclose(cross_val_score(PROCESS, X, Y, cv=folds), expected, rtol=1e-9)
    search = GridSearchCV(PROCESS, {"random_state": [0, 1]}, cv=2).fit(X, Y)
    assert search.predict(X).shape == (40,)
    _, _, scores = learning_curve(PROCESS, X, Y, train_sizes=[10, 20], cv=2)
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(
    "make",
    [
        lambda: BaggingRegressor(PROCESS, n_estimators=2, random_state=0),
        lambda: AdaBoostRegressor(PROCESS, n_estimators=2, random_state=0),
        lambda: VotingRegressor([("a", PROCESS), ("b", ParameterCountRegressor())]),
        lambda: StackingRegressor([("a", PROCESS)], LinearRegression(), cv=2),
        lambda: TransformedTargetRegressor(PROCESS, func=np.log, inverse_func=np.exp),
    ],
    ids=["bagging", "boosting", "voting", "stacking", "transformed"],
)
def test_meta_estimators_take_all_that_holds_cells(make: Any, X: Any) -> None:
    if isinstance(X, list) and isinstance(make(), (BaggingRegressor, AdaBoostRegressor)):
        with pytest.raises(ValueError, match="Expected 2D array, got 1D array"):
            make().fit(X, Y)
        X = CellArray.from_cells(X)
    predicted = make().fit(X, Y).predict(X)
    expected = make().fit(CELLS, Y).predict(CELLS)
    np.testing.assert_allclose(predicted, expected, rtol=1e-9)
    assert np.corrcoef(predicted, Y)[0, 1] > 0.8


def test_the_importance_of_the_cell_is_all(X: Any) -> None:
    if isinstance(X, list):
        X = CellArray.from_cells(X)
    fitted = PROCESS.fit(CELLS, Y)
    found = permutation_importance(fitted, X, Y, n_repeats=2, random_state=0)
    assert found.importances_mean.shape == (1,)
    assert found.importances_mean[0] > 0.5


@pytest.mark.parametrize("name", REGRESSORS)
def test_weights_of_zero_leave_cells_out(name: str) -> None:
    weights = np.ones(40)
    weights[::4] = 0
    kept = np.flatnonzero(weights)
    weighted = clone(REGRESSORS[name]).fit(CELLS, Y, sample_weight=weights)
    without = clone(REGRESSORS[name]).fit(CELLS[kept], Y[kept])
    np.testing.assert_allclose(weighted.predict(CELLS), without.predict(CELLS), rtol=1e-12)


@pytest.mark.parametrize("name", REGRESSORS)
def test_weights_matter(name: str) -> None:
    noisy = Y + np.random.default_rng(1).normal(0, 0.003, 40)
    plain = clone(REGRESSORS[name]).fit(CELLS, noisy)
    weights = np.where(np.arange(40) < 20, 5.0, 0.2)
    weighted = clone(REGRESSORS[name]).fit(CELLS, noisy, weights)
    assert np.abs(weighted.predict(CELLS) - plain.predict(CELLS)).max() > 1e-9


@pytest.mark.parametrize("name", ["process", "parameters"])
def test_a_whole_weight_is_as_many_copies(name: str) -> None:
    counts = np.random.default_rng(0).integers(1, 4, 40)
    noisy = Y + np.random.default_rng(1).normal(0, 0.003, 40)
    rows = np.repeat(np.arange(40), counts)
    weighted = clone(REGRESSORS[name]).fit(CELLS, noisy, counts.astype(float))
    repeated = clone(REGRESSORS[name]).fit(CELLS[rows], noisy[rows])
    np.testing.assert_allclose(weighted.predict(CELLS), repeated.predict(CELLS), atol=1e-7)


def test_weights_are_routed() -> None:
    weights = np.where(np.arange(40) < 20, 5.0, 0.2)
    with sklearn.config_context(enable_metadata_routing=True):
        process = clone(PROCESS).set_fit_request(sample_weight=True)
        process.set_score_request(sample_weight=False)
        search = GridSearchCV(process, {"random_state": [0]}, cv=2)
        found = search.fit(CELLS, Y, sample_weight=weights).best_estimator_
    expected = clone(PROCESS).fit(CELLS, Y, weights)
    np.testing.assert_allclose(found.predict(CELLS), expected.predict(CELLS))


# Checks that fit to matrices of numbers cannot apply: X holds cells. That leaves those of the
# constructor, parameters, tags and cloning; fitting is checked above.
CHECKS = (
    check_estimator_cloneable,
    check_estimator_repr,
    check_mixin_order,
    check_no_attributes_set_in_init,
    check_get_params_invariance,
    check_set_params,
    check_valid_tag_types,
)


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize("name", REGRESSORS)
def test_scikit_learns_checks(name: str, check: Any) -> None:
    check(name, clone(REGRESSORS[name]))
