"""Estimators and all that holds cells as citizens of scikit-learn."""

from __future__ import annotations

import contextlib
import pickle
from typing import Any
from unittest import SkipTest

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
from sklearn.utils import estimator_checks

from pyg_nas.data import NASBench101
from pyg_nas.data.tables.table import Table
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors.baselines import ParameterCountRegressor, random_forest
from pyg_nas.predictors.cost.training_time import TimeRegressor
from pyg_nas.predictors.gaussian_process.regressor import GaussianProcess
from pyg_nas.predictors.gnn.gcn import GCNClassifier, GCNRegressor
from pyg_nas.predictors.gnn.residual import ResidualGNNRegressor
from pyg_nas.predictors.gnn.two_stage import TwoStageRegressor
from pyg_nas.predictors.hybrid import HybridRegressor

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


def test_splitters_and_searches_take_all_that_has_cells(X: Any) -> None:
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
def test_meta_estimators_take_all_that_has_cells(make: Any, X: Any) -> None:
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


MATRIX = "fits to a matrix of numbers, where X holds cells"
SPARSE = "fits to a sparse matrix of numbers, where X holds cells"
CANNOT_APPLY = {
    **dict.fromkeys(
        (
            "check_all_zero_sample_weights_error",
            "check_dict_unchanged",
            "check_dont_overwrite_parameters",
            "check_estimators_dtypes",
            "check_estimators_fit_returns_self",
            "check_estimators_overwrite_params",
            "check_estimators_pickle",
            "check_f_contiguous_array_estimator",
            "check_fit_check_is_fitted",
            "check_fit_idempotent",
            "check_fit_score_takes_y",
            "check_fit2d_1feature",
            "check_fit2d_1sample",
            "check_methods_sample_order_invariance",
            "check_methods_subset_invariance",
            "check_pipeline_consistency",
            "check_positive_only_tag_during_fit",
            "check_readonly_memmap_input",
            "check_regressor_data_not_an_array",
            "check_regressors_int",
            "check_regressors_no_decision_function",
            "check_regressors_train",
            "check_sample_weight_equivalence_on_dense_data",
            "check_sample_weights_list",
            "check_sample_weights_not_an_array",
            "check_sample_weights_not_overwritten",
            "check_sample_weights_pandas_series",
            "check_sample_weights_shape",
        ),
        MATRIX,
    ),
    **dict.fromkeys(
        (
            "check_estimator_sparse_array",
            "check_estimator_sparse_matrix",
            "check_estimator_sparse_tag",
            "check_sample_weight_equivalence_on_sparse_data",
        ),
        SPARSE,
    ),
}
"""Checks of scikit-learn that cannot apply to estimators on graphs, and why. What those on matrices
check of fitting is checked above, on cells."""


def as_if_of_matrices(estimator: Any) -> Any:
    """The estimator with the tag of matrices, without which scikit-learn skips all its checks."""
    kind = type(estimator)

    def tags(self: Any) -> Any:
        found = kind.__sklearn_tags__(self)
        found.input_tags.two_d_array = True
        return found

    content = {"__sklearn_tags__": tags, "__init__": kind.__init__, "__module__": kind.__module__}
    return type(kind.__name__, (kind,), content)(**estimator.get_params(deep=False))


@pytest.mark.parametrize("name", REGRESSORS)
def test_scikit_learns_checks(name: str) -> None:
    if not hasattr(estimator_checks, "estimator_checks_generator"):
        pytest.skip("needs scikit-learn 1.6")
    passed = set()
    for estimator, check in estimator_checks.estimator_checks_generator(
        as_if_of_matrices(REGRESSORS[name])
    ):
        if check.func.__name__ in CANNOT_APPLY:
            with pytest.raises(Exception):  # noqa: B017, PT011 - of many classes
                check(estimator)
            continue
        with contextlib.suppress(SkipTest):
            check(estimator)
            passed.add(check.func.__name__)
    assert {"check_estimators_unfitted", "check_no_attributes_set_in_init"} <= passed
    assert len(passed) >= 12


@pytest.mark.parametrize("name", REGRESSORS)
def test_a_fit_can_be_repeated_and_pickled_and_changes_nothing(name: str) -> None:
    """As checks on matrices demand: predictions of parts, order, state, settings, y and weights."""
    fitted, weights, labels = clone(REGRESSORS[name]), np.linspace(0.5, 1.5, 40), Y.copy()
    settings = repr(fitted.get_params())
    assert fitted.fit(CELLS, labels, sample_weight=weights) is fitted
    first = fitted.predict(CELLS)
    before = set(vars(fitted))
    np.testing.assert_allclose(fitted.predict(CELLS[10:13]), first[10:13], rtol=1e-6)
    np.testing.assert_allclose(fitted.predict(CELLS[::-1]), first[::-1], rtol=1e-6)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(fitted)).predict(CELLS), first)
    assert set(vars(fitted)) == before
    assert repr(fitted.get_params()) == settings
    listed = fitted.fit(CELLS, labels.tolist(), sample_weight=weights.tolist())
    np.testing.assert_allclose(listed.predict(CELLS), first, rtol=1e-9)
    np.testing.assert_array_equal(labels, Y)
    np.testing.assert_array_equal(weights, np.linspace(0.5, 1.5, 40))
