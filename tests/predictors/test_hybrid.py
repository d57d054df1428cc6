"""The recipe best: units, order, calibration, storage and failures."""

from __future__ import annotations

import pickle
import threading
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from scipy.stats import norm
from sklearn.exceptions import NotFittedError

from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.features import blocks as cell_blocks
from pyg_nas.features.blocks import extended_features
from pyg_nas.features.graph_features import (
    FEATURE_BLOCK,
    PATH_GROUP,
    TRANSFER_GROUP,
    ZERO_COST_GROUP,
    CellFeatures,
    cell_features,
)
from pyg_nas.features.paths import path_features
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.predictors import hybrid
from pyg_nas.predictors.extra_features import EXTRA_GROUPS
from pyg_nas.predictors.forest import FeatureForest
from pyg_nas.predictors.gaussian_process.regressor import GROUPS, GaussianProcess
from pyg_nas.predictors.gnn.residual import ResidualGNNRegressor
from pyg_nas.predictors.hybrid import HybridRegressor
from pyg_nas.predictors.label_transform import LabelTransform, latent_labels
from pyg_nas.predictors.labelled_features import LabelledFeatures
from pyg_nas.predictors.recipes import make_estimator
from pyg_nas.predictors.storage.folder import load_model, save_model
from pyg_nas.predictors.zero_cost import zero_cost_features
from pyg_nas.spaces.nasbench101 import nasbench101_cells
from pyg_nas.spaces.nasbench201 import NASBENCH201
from tests.renumbered import all_renumbered

CELLS = sample_cells(400, seed=0)
SIZE = np.log(CELLS.trainable_parameters())
Y = 0.9 + 0.02 * (SIZE - SIZE.mean()) + np.random.default_rng(0).normal(0, 0.004, 400)
PLAIN = SearchSpace("plain", ("a", "b"), max_vertices=5, max_edges=10)


@pytest.fixture(scope="module")
def model() -> HybridRegressor:
    return HybridRegressor(ensemble_size=2, hidden=8, epochs=5, transfer=True).fit(
        CELLS[:150], Y[:150]
    )


def test_predicts_in_the_unit_of_the_labels(model: HybridRegressor) -> None:
    predicted = model.predict(CELLS[150:])
    assert np.abs(predicted - Y[150:]).mean() < np.abs(Y[150:] - Y.mean()).mean()
    seconds = HybridRegressor(ensemble_size=0).fit(CELLS[:150], 1000 * Y[:150])
    fractions = HybridRegressor(ensemble_size=0).fit(CELLS[:150], Y[:150])
    np.testing.assert_allclose(
        seconds.predict(CELLS[150:]), 1000 * fractions.predict(CELLS[150:]), rtol=1e-9
    )


def test_the_process_beside_the_networks_is_that_before_them(
    model: HybridRegressor, monkeypatch: pytest.MonkeyPatch
) -> None:
    alone = HybridRegressor(ensemble_size=0, transfer=True).fit(CELLS[:150], Y[:150])
    np.testing.assert_allclose(model.process_.dual_, alone.process_.dual_, rtol=1e-6, atol=1e-9)
    monkeypatch.setattr(hybrid, "_MOST_BESIDE", 149)
    again = HybridRegressor(**model.get_params(deep=False)).fit(CELLS[:150], Y[:150])
    for found, expected in zip(
        again.predict(CELLS, return_std=True), model.predict(CELLS, return_std=True), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-8)
    np.testing.assert_allclose(again.residuals_, model.residuals_, rtol=1e-6, atol=1e-9)


class Stopped(BaseException):
    """Raised where a user stops a fit, as KeyboardInterrupt is."""


@pytest.mark.parametrize("failing", ["process", "progress"])
def test_an_error_of_either_thread_ends_the_fit(
    failing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The networks are trained in the caller's thread, which receives the progress."""
    callers: list[threading.Thread] = []

    def progress(epoch: int, loss: float) -> None:
        callers.append(threading.current_thread())
        if failing == "progress":
            raise Stopped

    def fails(self: HybridRegressor, *arguments: Any) -> None:
        assert threading.current_thread() is not threading.main_thread()
        raise Stopped

    if failing == "process":
        monkeypatch.setattr(HybridRegressor, "_fit_processes", fails)
    threads, torch_threads = set(threading.enumerate()), torch.get_num_threads()
    regressor = HybridRegressor(ensemble_size=1, hidden=8, epochs=3, progress=progress)
    with pytest.raises(Stopped):
        regressor.fit(CELLS[:40], Y[:40])
    assert callers == [threading.current_thread()] * (3 if failing == "process" else 1)
    assert set(threading.enumerate()) == threads
    assert torch.get_num_threads() == torch_threads


def test_order_is_that_of_the_scores(model: HybridRegressor) -> None:
    scores, _ = model.predict_scores(CELLS)
    order = np.argsort(scores)
    assert (np.diff(model.predict(CELLS)[order]) >= 0).all()


@pytest.mark.parametrize("unit", [1.0, 100.0])
def test_accuracies_stay_in_their_range_in_the_same_order(unit: float, tmp_path: Path) -> None:
    known = np.argsort(SIZE)[100:300:20]
    labels = unit * np.linspace(0.3, 0.99, len(known))
    straight = HybridRegressor(ensemble_size=0).fit(CELLS[known], labels)
    limited = HybridRegressor(ensemble_size=0, accuracies=True).fit(CELLS[known], labels)
    with pytest.warns(UserWarning, match="too few"):
        assert straight.predict_interval(CELLS, 0.99)[1].max() > unit
    save_model(limited, tmp_path / "model")
    for model in (limited, load_model(tmp_path / "model")):
        predicted = model.predict(CELLS)
        with pytest.warns(UserWarning, match="too few"):
            low, high = model.predict_interval(CELLS, 0.99)
        for values in (predicted, low, high):
            assert 0 <= values.min() <= values.max() <= unit
        order = np.argsort(straight.predict(CELLS))
        assert (np.diff(predicted[order]) >= 0).all()
        assert len(np.unique(predicted)) == len(np.unique(straight.predict(CELLS)))
    # Neither fractions nor percent: the recipe's label says accuracies, these numbers do not.
    other = make_estimator("fast", LabelPolicy(), transfer=False).fit(CELLS[known], labels - 50)
    assert np.ptp(other.predict(CELLS)) > 0
    np.testing.assert_allclose(other.predict(CELLS), straight.predict(CELLS) - 50, atol=1e-6)


def test_numbering_of_inner_vertices_changes_no_prediction(model: HybridRegressor) -> None:
    drawn, _ = all_renumbered(CELLS, seed=0)
    assert (drawn.trainable_parameters() != CELLS.trainable_parameters()).any()
    for found, expected in zip(
        model.predict(drawn, return_std=True), model.predict(CELLS, return_std=True), strict=True
    ):
        # Of labels whose standard deviation is 0.02.
        np.testing.assert_allclose(found, expected, atol=2e-6)


def test_intervals_cover_and_nest(model: HybridRegressor) -> None:
    covered, widths = [], []
    for coverage in (0.5, 0.8, 0.95):
        low, high = model.predict_interval(CELLS[150:], coverage)
        covered.append(((low <= Y[150:]) & (Y[150:] <= high)).mean())
        widths.append(high - low)
    # 150 calibration residuals and 250 cells: three standard deviations are 0.16 at one half.
    assert np.abs(np.array(covered) - [0.5, 0.8, 0.95]).max() < 0.16
    assert (widths[0] <= widths[1]).all()
    assert (widths[1] <= widths[2]).all()
    with pytest.raises(SettingsError, match="coverage"):
        model.predict_interval(CELLS[:2], 1.0)


def test_no_cells_no_predictions(model: HybridRegressor) -> None:
    assert all(part.shape == (0,) for part in model.predict(CELLS[:0], return_std=True))


def test_std_is_that_of_a_label(model: HybridRegressor) -> None:
    mean, std = model.predict(CELLS[150:], return_std=True)
    assert (std > 0).all()
    assert 0.5 < np.std(Y[150:] - mean) / np.sqrt(np.mean(std**2)) < 2


@pytest.mark.parametrize("members", [0, 2])
def test_round_trip(members: int, tmp_path: Path) -> None:
    fitted = HybridRegressor(ensemble_size=members, hidden=8, epochs=2).fit(CELLS[:60], Y[:60])
    save_model(fitted, tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    for one, two in zip(
        loaded.predict(CELLS, return_std=True), fitted.predict(CELLS, return_std=True), strict=True
    ):
        np.testing.assert_allclose(one, two, rtol=1e-9)
    for one, two in zip(
        loaded.predict_interval(CELLS), fitted.predict_interval(CELLS), strict=True
    ):
        np.testing.assert_allclose(one, two, rtol=1e-9)


def test_same_seed_same_numbers(model: HybridRegressor) -> None:
    again = HybridRegressor(ensemble_size=2, hidden=8, epochs=5, transfer=True).fit(
        CELLS[:150], Y[:150]
    )
    assert np.array_equal(again.predict(CELLS), model.predict(CELLS))


def test_plain_graphs_and_failed_runs() -> None:
    rng = np.random.default_rng(0)
    adjacency = np.triu(rng.random((60, 5, 5)) < 0.4, 1).astype(np.int8)
    cells = CellArray(
        adjacency, rng.integers(0, 2, (60, 5)).astype(np.int8), np.full(60, 5, np.int8), PLAIN
    )
    y = cells.num_edges + 0.1 * rng.normal(size=60)
    y[:2] = -1e6
    fitted = HybridRegressor(ensemble_size=1, hidden=8, epochs=3).fit(cells[:40], y[:40])
    assert np.corrcoef(fitted.predict_scores(cells[40:])[0], y[40:])[0, 1] > 0.7


@pytest.mark.parametrize("epochs", [None, 3])
def test_the_number_of_epochs_is_known_before_the_fit(epochs: int | None) -> None:
    reported: list[int] = []
    model = HybridRegressor(
        1, hidden=8, epochs=epochs, progress=lambda epoch, loss: reported.append(epoch)
    )
    expected = model.epochs_for(20)
    model.fit(CELLS[:20], Y[:20])
    assert reported == list(range(1, len(reported) + 1))
    assert expected == len(reported)
    assert HybridRegressor(0, epochs=epochs).epochs_for(20) is None


def test_refused() -> None:
    wrong = {"hidden": 0, "epochs": 0, "learning_rate": -1.0, "random_state": -1}
    for name, value in {**wrong, "network_share": 1.5, "ensemble_size": -1}.items():
        with pytest.raises(SettingsError, match=name):
            # Without networks their settings are checked all the same.
            HybridRegressor(**{"ensemble_size": 0, name: value}).fit(CELLS[:20], Y[:20])
    for name, value in {**wrong, "weight_decay": float("nan"), "depth": 0}.items():
        with pytest.raises(SettingsError, match=name):
            ResidualGNNRegressor(**{name: value}).fit(CELLS[:20], Y[:20])
    with pytest.raises(SettingsError, match="at least 4"):
        HybridRegressor().fit(CELLS[:2], Y[:2])
    fitted = HybridRegressor(ensemble_size=0).fit(CELLS[:20], Y[:20])
    other = CellArray(
        np.zeros((1, 5, 5), np.int8), np.zeros((1, 5), np.int8), np.ones(1, np.int8), PLAIN
    )
    with pytest.raises(ModelError, match="operations"):
        fitted.predict(other)


@pytest.mark.parametrize("regressor", [HybridRegressor(), GaussianProcess()])
def test_more_cells_than_fit_into_memory_are_refused(regressor: Any) -> None:
    cells = nasbench101_cells()[:20_001]
    with pytest.raises(SettingsError, match=r"at most 20,000 cells .* got 20,001"):
        regressor.fit(cells, np.zeros(len(cells)))


def test_the_mean_is_that_of_the_labels_around_the_score() -> None:
    cells = sample_cells(60, seed=5)
    y = np.random.default_rng(0).gumbel(size=60)
    model = HybridRegressor(ensemble_size=0).fit(cells, y)
    unseen = sample_cells(30, seed=6)
    scores, _ = model.predict_scores(unseen)
    errors = np.linspace(-8, 8, 100_001)
    weights = norm.pdf(errors) * (errors[1] - errors[0])
    expected = [weights @ model.label_at(score + errors * model.spread_) for score in scores]
    np.testing.assert_allclose(model.predict(unseen), expected, atol=1e-5)


def known_features(cells: CellArray) -> CellFeatures:
    return extended_features(cells, list(EXTRA_GROUPS.values()))


def test_every_setting_reaches_the_parts() -> None:
    heard: list[int] = []
    fitted = HybridRegressor(
        2, hidden=8, epochs=3, learning_rate=1e-3, random_state=7, device="cpu",
        progress=lambda epoch, loss: heard.append(epoch),
    ).fit(CELLS[:40], Y[:40])  # fmt: skip
    assert fitted.networks_ is not None
    given = fitted.networks_.get_params()
    expected = {"ensemble_size": 2, "hidden": 8, "epochs": 3, "learning_rate": 1e-3}
    for name, value in {**expected, "random_state": 7, "device": "cpu"}.items():
        assert given[name] == value, name
    assert fitted.process_.random_state == 7
    assert heard == [1, 2, 3]


def test_scores_are_the_weighed_mean_of_process_and_networks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(cell_blocks, "FEATURE_BLOCK", 16)
    fitted = HybridRegressor(2, 0.3, hidden=8, epochs=3, transfer=True).fit(CELLS[:60], Y[:60])
    unseen = CELLS[60:100]
    features = known_features(unseen)
    process, std = fitted.process_.predict_features(features)
    assert fitted.networks_ is not None
    networks = fitted.networks_.predict_features(unseen, features).mean(axis=0)
    scores, stds = fitted.predict_scores(unseen)
    np.testing.assert_allclose(scores, 0.7 * process + 0.3 * networks, atol=1e-3)
    np.testing.assert_allclose(stds, std, rtol=1e-3)
    _, latent = fitted.predict_latent(unseen)
    np.testing.assert_allclose(latent / stds, np.sqrt(np.mean(fitted.residuals_**2)), rtol=1e-9)


def test_calibration_takes_residuals_that_the_process_did_not_see() -> None:
    fitted = HybridRegressor(ensemble_size=0, transfer=True).fit(CELLS[:60], Y[:60])
    cells = CELLS[:60]
    unseen = fitted.process_.unseen_residuals(
        LabelledFeatures(known_features(cells), latent_labels(Y[:60]))
    )
    expected = np.sort(np.abs(unseen) / fitted.process_.loo_std_)
    np.testing.assert_allclose(fitted.residuals_, expected, rtol=1e-3)
    assert fitted.spread_ == pytest.approx(np.sqrt(np.mean(unseen**2)), rel=1e-3)


def test_calibration_skips_cells_whose_graph_the_networks_may_have_seen() -> None:
    rows = np.r_[0:60, 0:30]
    y = Y[rows] + np.random.default_rng(0).normal(0, 0.01, 90)
    fitted = HybridRegressor(2, hidden=8, epochs=3).fit(CELLS[rows], y)
    latent, networks = latent_labels(y), fitted.networks_
    assert networks is not None
    features = extended_features(CELLS[rows], fitted._extra_groups())
    alone = fitted.process_.unseen_residuals(
        LabelledFeatures(features, latent, hashes=CELLS[rows].hashes())
    )
    once = [i for i, row in enumerate(networks.held_out_) if row in range(30, 60)]
    assert 0 < len(once) < len(networks.held_out_)
    held_out = networks.held_out_[once]
    others = latent[held_out] - networks.held_out_prediction_[once]
    joint = 0.6 * alone[held_out] + 0.4 * others
    ratio = np.abs(joint).mean() / np.abs(alone[held_out]).mean()
    assert fitted.ratio_ == pytest.approx(max(ratio, 0.5), rel=1e-3)


@pytest.mark.parametrize("weighted", [False, True])
def test_an_update_is_a_process_with_the_same_hyper_parameters_on_all_cells(
    weighted: bool,
) -> None:
    weights = np.concatenate([np.linspace(0.5, 2, 60), np.ones(10)]) if weighted else np.ones(70)
    updated = HybridRegressor(ensemble_size=0, transfer=True).fit(
        CELLS[:60], Y[:60], weights[:60] if weighted else None
    )
    kept = updated.process_.kernel_, updated.process_.noise_
    assert updated.update(CELLS[60:64], Y[60:64]).update(CELLS[64:70], Y[64:70]) is updated
    process = updated.process_
    assert (process.kernel_, process.noise_) == kept
    # Latent labels of all labels, in float64 from formulas of a process with a known kernel.
    transform = LabelTransform().fit(Y[:70], weights if weighted else None)
    latent = transform.forward(Y[:70], weights if weighted else None)
    mean = np.average(latent, weights=weights)
    std = np.sqrt(np.average((latent - mean) ** 2, weights=weights))
    covariance = kept[0].covariance(process.inputs_, process.inputs_).numpy()
    inverse = np.linalg.inv(covariance + np.diag(kept[1] / weights))
    unseen = CELLS[70:]
    inputs = process.weighted_inputs(known_features(unseen))
    between = kept[0].covariance(inputs, process.inputs_).numpy()
    scores, stds = updated.predict_scores(unseen)
    np.testing.assert_allclose(scores, mean + std * between @ inverse @ ((latent - mean) / std),
        atol=1e-6)  # fmt: skip
    prior = kept[0].variances(inputs).numpy()
    variance = prior - ((between @ inverse) * between).sum(axis=1) + kept[1]
    np.testing.assert_allclose(stds, std * np.sqrt(variance), atol=1e-6)
    np.testing.assert_array_equal(updated.labels_[0], Y[:70].min())
    assert len(updated.residuals_) == 70
    assert (updated.predict(unseen, return_std=True)[1] > 0).all()


@pytest.mark.parametrize("members", [0, 1])
def test_an_update_by_a_quarter_is_a_fit(members: int, tmp_path: Path) -> None:
    def make() -> HybridRegressor:
        return HybridRegressor(members, hidden=8, epochs=2, transfer=True, random_state=3)

    updated = make().fit(CELLS[:40], Y[:40])
    networks = updated.networks_
    updated.update(CELLS[40:48], Y[40:48])
    assert updated.networks_ is networks
    updated.update(CELLS[48:55], Y[48:55])  # beyond 50 = 1.25 * 40
    # However the labels after the fit are divided: the last fit is to the first 50.
    expected = make().fit(CELLS[:50], Y[:50])
    fitted = make().fit(CELLS[:40], Y[:40]).update(CELLS[40:50], Y[40:50])
    for one, two in zip(
        fitted.predict(CELLS, return_std=True), expected.predict(CELLS, return_std=True),
        strict=True,
    ):  # fmt: skip
        np.testing.assert_array_equal(one, two)
    expected.update(CELLS[50:55], Y[50:55])
    for one, two in zip(
        updated.predict(CELLS, return_std=True), expected.predict(CELLS, return_std=True),
        strict=True,
    ):  # fmt: skip
        np.testing.assert_allclose(one, two, rtol=1e-9)
    save_model(updated, tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    np.testing.assert_allclose(loaded.predict(CELLS), updated.predict(CELLS), rtol=1e-9)
    with pytest.raises(ModelError, match="does not keep the training cells"):
        loaded.update(CELLS[55:56], Y[55:56])
    # The next fit is at 62.5 cells: the schedule is that of the first fit.
    assert updated.update(CELLS[55:62], Y[55:62])._unseen[0].shape == (50,)
    assert updated.update(CELLS[62:63], Y[62:63])._unseen[0].shape == (63,)


def test_features_are_computed_once_between_a_fit_and_its_updates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = HybridRegressor(ensemble_size=0).fit(CELLS[:60], Y[:60])
    save_model(fitted, tmp_path / "m")
    monkeypatch.setattr(cell_blocks, "FEATURE_BLOCK", 16)
    monkeypatch.setattr("pyg_nas.predictors.hybrid.FEATURE_BLOCK", 16)
    computed: list[CellArray] = []

    def counted(cells: CellArray) -> CellFeatures:
        computed.append(cells)
        return cell_features(cells)

    monkeypatch.setattr(cell_blocks, "cell_features", counted)
    many = sample_cells(100, seed=3)
    fitted.predict_scores(many)  # computes the extra features, which takes features of vertices
    # A model from a folder cannot be updated, and keeps no features.
    for _ in range(2):
        load_model(tmp_path / "m").predict_scores(many)
    assert sum(map(len, computed)) == 300
    computed.clear()
    fitted.predict_scores(many)
    deepcopy(fitted).update(CELLS[60:63], Y[60:63]).predict_scores(many)
    assert sum(map(len, computed)) == 100 + 3


@pytest.mark.parametrize("members", [0, 1])
def test_cells_that_are_kept_between_updates_have_the_same_predictions(
    members: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    fitted = HybridRegressor(ensemble_size=members, hidden=8, epochs=2).fit(CELLS[:60], Y[:60])
    many = sample_cells(FEATURE_BLOCK + 100, seed=1)
    kept = fitted._kept
    before = fitted.predict_scores(many)
    assert kept._last is None
    one = deepcopy(fitted).update(CELLS[60:63], Y[60:63])
    found = one.predict_scores(many)
    blocks = kept._last[1]
    assert sum(len(block.whitened.rows) for block in blocks) == len(many)
    # The next round: another copy of the fit, with all labels since.
    other = deepcopy(fitted).update(CELLS[60:66], Y[60:66])
    later, labels = other.predict_scores(many), other.predict(many, return_std=True)
    assert kept._last[1] is blocks
    # A resumed search has kept nothing: equal to the last bit.
    resumed = pickle.loads(pickle.dumps(fitted)).update(CELLS[60:66], Y[60:66])
    np.testing.assert_array_equal(resumed.predict_scores(many), later)
    np.testing.assert_array_equal(fitted.predict_scores(many), before)
    monkeypatch.setattr("pyg_nas.predictors.gaussian_process.kept_cells.MOST_BYTES", 0)
    np.testing.assert_allclose(one.predict_scores(many), found, rtol=0, atol=1e-6)
    np.testing.assert_allclose(other.predict_scores(many), later, rtol=0, atol=1e-6)
    np.testing.assert_allclose(other.predict(many, return_std=True), labels, rtol=0, atol=1e-7)


def test_a_refused_update_changes_nothing() -> None:
    fitted = HybridRegressor(ensemble_size=0).fit(CELLS[:20], Y[:20])
    before = fitted.predict(CELLS[:50])
    with pytest.raises(SettingsError, match="finite"):
        fitted.update(CELLS[20:22], [0.9, np.nan])
    other = CellArray(
        np.zeros((1, 5, 5), np.int8), np.zeros((1, 5), np.int8), np.ones(1, np.int8), PLAIN
    )
    with pytest.raises(ModelError, match="operations"):
        fitted.update(other, [0.9])
    np.testing.assert_array_equal(fitted.predict(CELLS[:50]), before)
    with pytest.raises(NotFittedError):
        HybridRegressor().update(CELLS[:1], Y[:1])


def test_a_forest_has_a_share_where_a_space_has_path_features(tmp_path: Path) -> None:
    cells = sample_cells(90, seed=0, cells=NASBENCH201.support.cells())
    y = np.log(cells.trainable_parameters()) + np.random.default_rng(0).normal(0, 0.1, 90)
    fitted = HybridRegressor(ensemble_size=0).fit(cells[:60], y[:60])
    assert fitted.forest_ is not None
    features = extended_features(cells[60:], fitted._extra_groups())
    process, _ = fitted.process_.predict_features(features)
    trees = fitted.forest_.predict_features(cells[60:], features)
    scores, _ = fitted.predict_scores(cells[60:])
    np.testing.assert_allclose(scores, 0.7 * process + 0.3 * trees, atol=1e-3)
    latent = latent_labels(y[:60])
    features = extended_features(cells[:60], fitted._extra_groups())
    alone = fitted.process_.unseen_residuals(LabelledFeatures(features, latent))
    joint = 0.7 * alone + 0.3 * (latent - fitted.forest_.out_of_bag_)
    ratio = np.abs(joint).mean() / np.abs(alone).mean()
    assert fitted.ratio_ == pytest.approx(ratio, rel=1e-3)
    save_model(fitted, tmp_path / "m")
    again = load_model(tmp_path / "m")
    np.testing.assert_allclose(again.predict(cells[60:]), fitted.predict(cells[60:]), rtol=1e-12)
    assert HybridRegressor(ensemble_size=0).fit(CELLS[:20], Y[:20]).forest_ is None


def test_a_model_without_a_forest_predicts_without_one(tmp_path: Path) -> None:
    """As those do that were saved before there were forests."""
    cells = sample_cells(60, seed=0, cells=NASBENCH201.support.cells())
    fitted = HybridRegressor(ensemble_size=0).fit(cells[:40], np.arange(40.0))
    fitted.forest_ = None
    save_model(fitted, tmp_path / "m")
    again = load_model(tmp_path / "m")
    process, _ = fitted.process_.predict_features(
        extended_features(cells[40:], fitted._extra_groups())
    )
    np.testing.assert_allclose(again.predict_scores(cells[40:])[0], process, atol=1e-3)


EDGE_CELLS = sample_cells(500, seed=0, cells=NASBENCH201.support.cells())
EDGE_Y = np.log(EDGE_CELLS.trainable_parameters()) + np.random.default_rng(0).normal(0, 0.1, 500)


@pytest.fixture(scope="module")
def of_two() -> HybridRegressor:
    """Fitted to as many cells as a process on path features needs."""
    return HybridRegressor(ensemble_size=0, random_state=5).fit(EDGE_CELLS[:400], EDGE_Y[:400])


def test_many_cells_with_path_features_have_a_second_process(of_two: HybridRegressor) -> None:
    train, unseen = EDGE_CELLS[:400], EDGE_CELLS[400:]
    latent = latent_labels(EDGE_Y[:400])
    groups = [
        {ZERO_COST_GROUP: zero_cost_features(cells, cell_features(cells))}
        for cells in (train, unseen)
    ]
    of_train, of_unseen = (
        cell_features(cells).with_groups(group)
        for cells, group in zip((train, unseen), groups, strict=True)
    )
    paths_of_train, paths_of_unseen = (
        features.with_groups({PATH_GROUP: path_features(cells)})
        for cells, features in ((train, of_train), (unseen, of_unseen))
    )
    with_paths = LabelledFeatures(paths_of_train, latent, hashes=train.hashes())

    def process(group: str) -> GaussianProcess:
        return GaussianProcess((*GROUPS, group), random_state=5).fit_features(
            train.space, with_paths, gradually=True
        )

    forest = FeatureForest(random_state=5).fit_features(train, LabelledFeatures(of_train, latent))
    first, second = process(ZERO_COST_GROUP), process(PATH_GROUP)
    expected = (
        0.35 * first.predict_features(of_unseen)[0]
        + 0.35 * (second.predict_features(paths_of_unseen)[0])
    )
    scores, _ = of_two.predict_scores(unseen)
    np.testing.assert_allclose(
        scores, expected + 0.3 * forest.predict_features(unseen, of_unseen), atol=1e-4
    )
    alone, by_paths = (one.unseen_residuals(with_paths) for one in (first, second))
    joint = 0.35 * alone + 0.35 * by_paths + 0.3 * (latent - forest.out_of_bag_)
    ratio = np.abs(joint).mean() / np.abs(alone).mean()
    assert of_two.ratio_ == pytest.approx(ratio, rel=1e-3)


def test_few_cells_and_cells_without_path_features_have_one_process() -> None:
    few = HybridRegressor(ensemble_size=0).fit(EDGE_CELLS[:399], EDGE_Y[:399])
    assert few.paths_ is None
    assert HybridRegressor(ensemble_size=0).fit(CELLS[:400], Y[:400]).paths_ is None


def test_intervals_of_two_processes_cover(of_two: HybridRegressor) -> None:
    unseen = EDGE_Y[400:]
    for coverage in (0.5, 0.8):
        low, high = of_two.predict_interval(EDGE_CELLS[400:], coverage)
        # Three standard deviations of the share of 100 cells.
        assert abs(((low <= unseen) & (unseen <= high)).mean() - coverage) < 0.16


def test_two_processes_are_stored_and_updated(of_two: HybridRegressor, tmp_path: Path) -> None:
    updated = deepcopy(of_two).update(EDGE_CELLS[400:410], EDGE_Y[400:410])
    assert updated.paths_ is not None
    # As networks and trees, it takes new labels at the next fit.
    assert len(updated.process_.dual_) == 410
    assert len(updated.paths_.dual_) == 400
    unseen = EDGE_CELLS[410:]
    features = extended_features(unseen, updated._all_groups(unseen.space))
    parts = updated.process_, updated.paths_
    first, second = (part.predict_features(features)[0] for part in parts)
    assert updated.forest_ is not None
    trees = updated.forest_.predict_features(unseen, features)
    scores, _ = updated.predict_scores(unseen)
    np.testing.assert_allclose(scores, 0.35 * (first + second) + 0.3 * trees, atol=1e-4)
    save_model(updated, tmp_path / "m")
    again = load_model(tmp_path / "m")
    np.testing.assert_allclose(again.predict(unseen), updated.predict(unseen), rtol=1e-12)


def test_a_model_without_a_second_process_predicts_without_one(
    of_two: HybridRegressor, tmp_path: Path
) -> None:
    """As those do that were saved before there was one."""
    older = deepcopy(of_two)
    older.paths_ = None
    save_model(older, tmp_path / "m")
    again = load_model(tmp_path / "m")
    unseen = EDGE_CELLS[400:]
    features = extended_features(unseen, again._extra_groups())
    process, _ = again.process_.predict_features(features)
    trees = again.forest_.predict_features(unseen, features)
    np.testing.assert_allclose(
        again.predict_scores(unseen)[0], 0.7 * process + 0.3 * trees, atol=1e-4
    )


@pytest.mark.parametrize(
    ("part", "message"),
    [
        ("process_", "groups of the process must be graph, walks, flow, pooled, zero-cost, got"),
        ("paths_", "groups of the second process must be graph, walks, flow, pooled, paths, got"),
    ],
)
def test_a_model_with_other_groups_of_features_is_refused(
    of_two: HybridRegressor, tmp_path: Path, part: str, message: str
) -> None:
    other = deepcopy(of_two)
    getattr(other, part).groups = (*GROUPS, TRANSFER_GROUP)
    with pytest.raises(ModelError, match=message):  # saved as it would be read
        save_model(other, tmp_path / "m")


@pytest.mark.parametrize("members", [0, 1])
def test_equal_cells_are_tied_wherever_they_stand(members: int) -> None:
    """Also where the last bits of a matrix product depend on the row."""
    space = NASBENCH201.support.cells()
    train, y = space[:60], np.random.default_rng(0).normal(size=64)
    model = HybridRegressor(ensemble_size=members, hidden=24, epochs=2).fit(train, y[:60])
    rows = np.random.default_rng(1).integers(0, 700, 2_500)
    for _ in range(2):
        for numbers in (model.predict(space[rows]), *model.predict(space[rows], return_std=True)):
            by_row = np.zeros(700)
            by_row[rows] = numbers
            np.testing.assert_array_equal(by_row[rows], numbers)
        np.testing.assert_allclose(
            model.predict(space[rows]), model.predict(space[:700])[rows], atol=1e-6
        )
        model.update(space[60:64], y[60:])
