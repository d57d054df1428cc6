"""Predictors of whole networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import kendalltau
from sklearn.ensemble import BaggingRegressor, StackingRegressor
from sklearn.inspection import permutation_importance
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from torch import nn
from torch_geometric.data import Data

from pyg_nas.data.networks.dataset import NetworkDataset
from pyg_nas.data.networks.table import NetworkTable
from pyg_nas.errors import ModelError, SettingsError, TableError
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


def two_labels(graph: Data) -> Data:
    graph.y = torch.cat([graph.y, -graph.y])
    return graph


def test_several_labels_of_a_network_are_refused(tmp_path: Path) -> None:
    dataset = NetworkDataset(tmp_path, GRAPHS[:9], LABELS[:9], pre_transform=two_labels)
    with pytest.raises(TableError, match=r"y has the shape \[18\] for 9 networks"):
        NetworkRegressor().fit(dataset[:5])


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
    with pytest.raises(ModelError, match="got list with Linear; graph_of makes a NetworkGraph"):
        NetworkRegressor().fit([*GRAPHS[:2], nn.Linear(2, 2)], [1, 2, 3])
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


@pytest.fixture(scope="module", params=["dataset", "table", "array", "objects"], name="X")
def all_that_holds_networks(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Any:
    if request.param == "dataset":
        return NetworkDataset(tmp_path_factory.mktemp("root"), GRAPHS)
    array = as_networks(GRAPHS)
    kinds = {"array": array, "table": NetworkTable(array, [str(i) for i in range(80)])}
    return kinds.get(request.param, np.asarray(array))


def test_scikit_learn_takes_all_that_has_networks(X: Any) -> None:
    trees, folds = NetworkRegressor("random-forest"), KFold(3)
    expected = [
        NetworkRegressor("random-forest")
        .fit([GRAPHS[row] for row in train], LABELS[train])
        .score([GRAPHS[row] for row in rest], LABELS[rest])
        for train, rest in folds.split(LABELS)
    ]
    np.testing.assert_allclose(cross_val_score(trees, X, LABELS, cv=folds), expected)
    search = GridSearchCV(trees, {"random_state": [0, 1]}, cv=2).fit(X, LABELS)
    assert search.predict(X).shape == (80,)
    fitted = NetworkRegressor().fit(GRAPHS, LABELS)
    found = permutation_importance(fitted, X, LABELS, n_repeats=2, random_state=0)
    assert found.importances_mean[0] > 0.5


@pytest.mark.parametrize(
    "make",
    [
        lambda: BaggingRegressor(NetworkRegressor(), n_estimators=2, random_state=0),
        lambda: StackingRegressor([("a", NetworkRegressor())], cv=2),
    ],
    ids=["bagging", "stacking"],
)
def test_meta_estimators_take_all_that_has_networks(make: Any, X: Any) -> None:
    expected = make().fit(as_networks(GRAPHS), LABELS).predict(as_networks(GRAPHS))
    np.testing.assert_allclose(make().fit(X, LABELS).predict(X), expected, rtol=1e-9)
    assert np.corrcoef(expected, LABELS)[0, 1] > 0.8


def test_networks_are_joined_from_all_forms() -> None:
    array = as_networks(GRAPHS[:5])
    mixed = [array[0], GRAPHS[1], array[[2, 3]], array[-1]]
    assert as_networks(mixed).digest == array.digest
    assert as_networks(np.asarray(array)).digest == array.digest
    assert [graph.hashes.tolist() for graph in array] == [[g.hash.encode()] for g in GRAPHS[:5]]
