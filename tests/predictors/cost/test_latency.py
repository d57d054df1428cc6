"""Latencies of networks: a made-up device whose seconds are known."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr
from sklearn.linear_model import LinearRegression

from pyg_nas.data.tables.shipped import shipped_latencies
from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.features.network_costs import network_costs
from pyg_nas.predictors.cost.latency import LatencyRegressor, _Work
from pyg_nas.predictors.networks.regressor import as_networks
from pyg_nas.predictors.storage.folder import load_model, save_model
from pyg_nas.predictors.storage.state import read_state, write_state
from tests.spaces.modules.networks import random_network

GRAPHS = [random_network(5 + 7 * seed % 40, seed) for seed in range(90)]
COSTS = network_costs(as_networks(GRAPHS))
SPEEDS = np.random.default_rng(0).uniform(size=COSTS.shape[1]) / COSTS.mean(axis=0).clip(1)
LATENCIES = COSTS @ SPEEDS * 1e-3 + 1e-3
FAMILIES = np.arange(90) % 15


@pytest.fixture(scope="module")
def model() -> LatencyRegressor:
    return LatencyRegressor(folds=3).fit(GRAPHS[:70], LATENCIES[:70], FAMILIES[:70])


def test_unseen_networks_are_predicted_where_the_device_adds_up(model: LatencyRegressor) -> None:
    assert (model.weights_ >= 0).all()
    predicted = model.predict(GRAPHS[70:])
    error = np.abs(predicted / LATENCIES[70:] - 1).mean()
    line = LinearRegression().fit(COSTS[:70], LATENCIES[:70]).predict(COSTS[70:])
    assert error < 0.05
    assert error < np.abs(line / LATENCIES[70:] - 1).mean() + 0.02


def test_intervals_and_deviations_are_those_of_left_out_groups(model: LatencyRegressor) -> None:
    mean, std = model.predict(GRAPHS[70:], return_std=True)
    low, high = model.predict_interval(GRAPHS[70:])
    np.testing.assert_allclose(np.sqrt(low * high), mean, rtol=1e-9)  # even in logarithms
    np.testing.assert_allclose(np.log(high / mean), std / mean * 1.6448536, rtol=1e-6)
    wider = model.predict_interval(GRAPHS[70:], coverage=0.95)
    assert (wider[1] >= high).all()
    assert len(model.scores_) == 70


def test_weights_are_those_of_networks(tmp_path: Path) -> None:
    weights = np.repeat([1.0, 0.0], 45)
    labels = np.where(weights, LATENCIES, 1e3)
    others = labels[:, None]
    left_out = LatencyRegressor().fit(GRAPHS, labels, FAMILIES, others, sample_weight=weights)
    alone = LatencyRegressor().fit(GRAPHS[:45], labels[:45], FAMILIES[:45], others[:45])
    np.testing.assert_array_equal(left_out.predict(GRAPHS), alone.predict(GRAPHS))
    weights[45:] = 1e-3
    little = LatencyRegressor().fit(GRAPHS, labels, FAMILIES, sample_weight=weights)
    equal = LatencyRegressor().fit(GRAPHS, labels, FAMILIES)
    errors = [np.abs(np.log(m.predict(GRAPHS[:45]) / labels[:45])).mean() for m in (little, equal)]
    assert errors[0] < errors[1] / 3
    save_model(little, tmp_path)
    np.testing.assert_allclose(
        load_model(tmp_path).predict(GRAPHS), little.predict(GRAPHS), rtol=1e-9
    )
    with pytest.raises(SettingsError, match="sample_weight must be"):
        LatencyRegressor().fit(GRAPHS, labels, sample_weight=[1.0, 2.0])


def test_errors_are_of_networks_that_were_left_out(model: LatencyRegressor) -> None:
    found = np.abs(model.errors_)
    unseen = np.abs(model.predict(GRAPHS[70:]) / LATENCIES[70:] - 1)
    fitted = np.abs(model.predict(GRAPHS[:70]) / LATENCIES[:70] - 1)
    assert np.median(found) == pytest.approx(np.median(unseen), rel=1)
    assert np.median(found) > 2 * np.median(fitted)


def test_work_that_training_networks_hardly_have_is_not_extrapolated() -> None:
    table = shipped_latencies()
    seconds = table.targets["latency"]
    families = np.array([json.loads(name)["family"] for name in table.names])
    known = np.isfinite(seconds)
    # Classifiers are the only matrix products of these families.
    train = np.flatnonzero(known & np.isin(families, ["resnet", "nasbench101"]))[::3]
    attention = np.flatnonzero(known & (families == "transformer"))[::6]
    model = LatencyRegressor().fit(table.networks[train], seconds[train])
    predicted = model.predict(table.networks[attention])
    assert np.median(np.abs(predicted / seconds[attention] - 1)) < 1
    assert spearmanr(predicted, seconds[attention]).statistic > 0.8


def test_a_stored_model_predicts_the_same(model: LatencyRegressor, tmp_path: Path) -> None:
    save_model(model, tmp_path)
    loaded = load_model(tmp_path)
    np.testing.assert_array_equal(loaded.errors_, model.errors_)
    for one, two in zip(
        loaded.predict(GRAPHS[70:], return_std=True),
        model.predict(GRAPHS[70:], return_std=True),
        strict=True,
    ):
        np.testing.assert_allclose(one, two, rtol=1e-9)


def test_a_model_of_other_features_is_refused(model: LatencyRegressor) -> None:
    tensors, values = read_state(model)
    parts = {"process": model.process_, "operations": model.operations_}
    with pytest.raises(ModelError, match=r"to version 2 of the features, this package has .* 3"):
        write_state(LatencyRegressor(folds=3), tensors, {**values, "feature_version": 2}, parts)


def test_other_settings_change_the_times_of_operations_alone(model: LatencyRegressor) -> None:
    others = np.column_stack([2 * LATENCIES[:70], np.where(FAMILIES[:70] < 5, np.nan, 1e-2)])
    together = LatencyRegressor().fit(GRAPHS[:70], LATENCIES[:70], FAMILIES[:70], others)
    work = _Work.of(as_networks(GRAPHS[70:]), compiled=False)
    one, two = together._both_logarithms(work), model._both_logarithms(work)
    np.testing.assert_array_equal(one[0], two[0])
    assert np.abs(one[1] - two[1]).max() > 1e-3
    with pytest.raises(SettingsError, match=r"others must be \[5, settings\]"):
        LatencyRegressor().fit(GRAPHS[:5], LATENCIES[:5], None, others)


def test_latencies_of_compiled_networks_are_those_of_joined_operations(tmp_path: Path) -> None:
    joined = network_costs(as_networks(GRAPHS), fused=True)
    seconds = joined @ SPEEDS * 1e-3 + 1e-3
    models = [
        LatencyRegressor(compiled=c).fit(GRAPHS[:70], seconds[:70], FAMILIES[:70])
        for c in (False, True)
    ]
    plain, compiled = (np.abs(m.predict(GRAPHS[70:]) / seconds[70:] - 1).mean() for m in models)
    assert compiled < 0.05
    assert compiled < plain / 1.5
    save_model(models[1], tmp_path)
    loaded = load_model(tmp_path)
    np.testing.assert_allclose(loaded.predict(GRAPHS), models[1].predict(GRAPHS), rtol=1e-9)
    with pytest.raises(SettingsError, match="compiled must be true or false"):
        LatencyRegressor(compiled="yes").fit(GRAPHS[:5], LATENCIES[:5])


def test_seconds_and_milliseconds_give_the_same_model() -> None:
    one = LatencyRegressor(folds=2).fit(GRAPHS[:30], LATENCIES[:30]).predict(GRAPHS[30:40])
    two = LatencyRegressor(folds=2).fit(GRAPHS[:30], 1e3 * LATENCIES[:30]).predict(GRAPHS[30:40])
    np.testing.assert_allclose(1e3 * one, two, rtol=1e-5)


def test_what_is_refused(model: LatencyRegressor) -> None:
    with pytest.raises(SettingsError, match=r"must be above 0, as .*; label 1 is -1"):
        LatencyRegressor().fit(GRAPHS[:5], [1, -1, 1, 1, 1])
    with pytest.raises(SettingsError, match="4 to 20,000 networks are needed, got 2"):
        LatencyRegressor().fit(GRAPHS[:2], [1, 2])
    with pytest.raises(SettingsError, match=r"groups must be \[5\]"):
        LatencyRegressor().fit(GRAPHS[:5], LATENCIES[:5], groups=["a"])
    with pytest.raises(SettingsError, match="at least two groups"):
        LatencyRegressor().fit(GRAPHS[:5], LATENCIES[:5], groups=["a"] * 5)
    assert model.predict([]).shape == (0,)
