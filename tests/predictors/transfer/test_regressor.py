"""The recipe transfer: what the shipped tables add to few labels, and where they must not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import kendalltau

from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.tables.shipped import SHIPPED_TABLE, shipped_table
from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.features.blocks import extended_features
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.registry import find_space
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.predictors import load_model, make_estimator, save_model
from pyg_nas.predictors.hybrid import HybridRegressor
from pyg_nas.predictors.label_transform import latent_labels
from pyg_nas.predictors.transfer import regressor as transfer_regressor
from pyg_nas.predictors.transfer.common_process import shipped_names, table_latents
from pyg_nas.predictors.transfer.regressor import TransferRegressor
from pyg_nas.predictors.transfer.scores import process_scores, proxy_scores, transfer_scores
from pyg_nas.predictors.transfer.space_process import space_process

DIGITS, TEXTURES = "nasbench201_digits.hdf5", "nasbench201_textures.hdf5"
CELLS = sample_cells(300, 0, find_space("nasbench201").support.cells())
SCORES = transfer_scores(CELLS)


def fitted(labels: np.ndarray, n: int) -> TransferRegressor:
    return make_estimator("transfer").fit(CELLS[:n], labels[:n])


def left_out(*tables: str) -> TransferRegressor:
    """A regressor that uses the other shipped tables."""

    class Other(TransferRegressor):
        def usable_tables(self, cells: CellArray, labels: np.ndarray) -> tuple[str, ...]:
            return tuple(name for name in shipped_names() if name not in tables)

    return Other(ensemble_size=0)


def test_few_labels_of_a_new_task_go_further_than_alone() -> None:
    table = shipped_table(DIGITS)
    latents = table_latents(table)
    taus = []
    for draw in range(5):
        order = np.random.default_rng(draw).permutation(len(table))
        train, rest = order[:20], order[20:]
        models = left_out(DIGITS, SHIPPED_TABLE), make_estimator("fast")
        scores = [
            m.fit(table.cells[train], latents[train]).predict(table.cells[rest]) for m in models
        ]
        taus.append([kendalltau(s, latents[rest]).statistic for s in scores])
    with_transfer, alone = np.mean(taus, axis=0)
    assert with_transfer > alone


def test_labels_that_contradict_turn_the_lines() -> None:
    model = fitted(-SCORES, 60)
    assert model.slope_ + model.proxy_slope_ < 0
    assert model.joint_slope_ < 1e-6
    assert kendalltau(model.predict(CELLS[60:]), -SCORES[60:]).statistic > 0.8


@pytest.mark.parametrize("n", [10, 40])
def test_losses_are_ranked_as_well_as_their_negatives(n: int) -> None:
    rng = np.random.default_rng(0)
    labels = SCORES + rng.normal(size=len(SCORES))
    gain = fitted(labels, n)
    loss = make_estimator("transfer", LabelPolicy(metric="val_loss")).fit(CELLS[:n], -labels[:n])
    assert loss.falls_with_accuracy
    np.testing.assert_allclose(
        [loss.slope_, loss.proxy_slope_, loss.joint_slope_],
        [-gain.slope_, -gain.proxy_slope_, -gain.joint_slope_],
        rtol=1e-6,
    )
    assert kendalltau(loss.predict(CELLS[n:]), -gain.predict(CELLS[n:])).statistic > 0.95
    latency = make_estimator("transfer", LabelPolicy(metric="latency_raspi4"))
    assert not latency.falls_with_accuracy  # accurate architectures are slow


def test_the_prior_has_the_unit_of_the_labels() -> None:
    labels = np.random.default_rng(1).normal(size=30)
    model = fitted(labels, 30)
    features = extended_features(CELLS[:30], model._extra_groups())
    process = space_process(CELLS.space, model.tables_, tuple(model._extra_groups()))
    assert process is not None
    inputs = process.weighted_inputs(features)
    covariance = process.kernel_.covariance(inputs, inputs).numpy() + process.noise_ * np.eye(30)
    covariance *= process.std_**2
    lines = np.stack([process_scores(CELLS[:30], shipped_names()), proxy_scores(CELLS[:30])])
    lines -= lines.mean(axis=1, keepdims=True)
    latent = latent_labels(labels)
    # The posterior means of the slopes with normal priors N(0.25, 0.1), by their joint normal
    # distribution with the labels.
    joint = covariance + 0.1 * lines.T @ lines
    residual = latent - latent.mean() - 0.25 * lines.sum(axis=0)
    expected = 0.25 + 0.1 * lines @ np.linalg.solve(joint, residual)
    # Random labels are far from the joint score.
    assert model.joint_slope_ < 1e-3
    assert [model.slope_, model.proxy_slope_] == pytest.approx(expected, rel=2e-3)


def test_labels_that_follow_the_joint_score_leave_the_process_little() -> None:
    noise = 0.05 * np.random.default_rng(1).normal(size=len(SCORES))
    model = fitted(SCORES + noise, 10)
    assert model.joint_slope_ > 0.8
    own = space_process(CELLS.space, model.tables_, tuple(model._extra_groups()))
    assert own is not None
    assert model.process_.variance_ < 0.3 * own.variance_
    assert kendalltau(model.predict(CELLS[10:]), SCORES[10:]).statistic > 0.9


def test_nasbench101_has_one_line() -> None:
    cells = sample_cells(40, seed=1)
    labels = np.random.default_rng(1).normal(size=40)
    model = left_out(SHIPPED_TABLE).fit(cells[:12], labels[:12])
    assert model.proxy_slope_ is model.joint_slope_ is None
    assert np.isfinite(model.predict(cells)).all()


def test_an_updated_model_is_the_same_as_a_fit_to_all() -> None:
    labels = SCORES**3 + np.random.default_rng(2).normal(size=len(SCORES))
    model = fitted(labels, 20).update(CELLS[20:22], labels[20:22])
    assert len(model.process_.dual_) == 22
    latent = latent_labels(labels[:22]) - model._prior_mean(CELLS[:22])
    process = model.process_
    assert process.mean_ == pytest.approx(latent.mean())
    assert process.std_ == fitted(labels, 20).process_.std_


@pytest.mark.parametrize(
    ("sign", "cells", "share"), [(-1, 20, 20 / 45), (-1, 60, 0.5), (1, 20, 0.0)]
)
def test_latent_labels_are_mixed_with_those_without_the_prior(
    sign: int, cells: int, share: float
) -> None:
    labels = sign * SCORES + 0.05 * np.random.default_rng(2).normal(size=len(SCORES))
    model = fitted(labels, cells)
    plain = make_estimator("fast").fit(CELLS[:cells], labels[:cells])
    with_prior, deviations = HybridRegressor.predict_scores(model, CELLS)
    without, _ = plain.predict_scores(CELLS)
    latent, stds = model.predict_scores(CELLS)
    # Labels that follow the joint score leave a share of a few hundredths at most.
    mixed = (1 - share) * with_prior + share * without
    np.testing.assert_allclose(latent, mixed, atol=0.05 if sign > 0 else 1e-3)
    np.testing.assert_array_equal(stds, deviations)


def test_with_fewer_than_20_labels_the_prior_stays_alone() -> None:
    model = fitted(-SCORES, 19)
    assert model.plain_ is None
    np.testing.assert_array_equal(
        model.predict_scores(CELLS)[0], HybridRegressor.predict_scores(model, CELLS)[0]
    )
    model.update(CELLS[19:24], -SCORES[19:24])  # a fit to 23
    assert model.plain_ is not None


def test_updates_do_not_depend_on_their_division() -> None:
    labels = SCORES**3 + np.random.default_rng(2).normal(size=len(SCORES))
    at_once, one_by_one = fitted(labels, 20), fitted(labels, 20)
    at_once.update(CELLS[20:28], labels[20:28])  # both are fitted again at 25
    for row in range(20, 28):
        one_by_one.update(CELLS[row : row + 1], labels[row : row + 1])
    assert at_once.plain_ is not None
    assert len(at_once.plain_.process_.dual_) == len(at_once.process_.dual_) == 28
    np.testing.assert_allclose(
        at_once.predict_scores(CELLS)[0], one_by_one.predict_scores(CELLS)[0], atol=1e-6
    )


def test_it_is_stored_and_names_its_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = fitted(SCORES**3, 20)
    save_model(model, tmp_path / "m")
    again = load_model(tmp_path / "m")
    for one, other in zip(
        model.predict(CELLS[:9], return_std=True),
        again.predict(CELLS[:9], return_std=True),
        strict=True,
    ):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    again.plain_ = make_estimator("fast").fit(CELLS[:19], SCORES[:19])
    with pytest.raises(ModelError, match="must have the same training cells"):
        save_model(again, tmp_path / "other")  # reads its files, too
    monkeypatch.setattr(transfer_regressor, "common_digest", lambda *of: "other")
    with pytest.raises(ModelError, match="another version of the shipped transfer data"):
        load_model(tmp_path / "m")


def test_tables_with_the_training_labels_are_not_used() -> None:
    table = shipped_table(TEXTURES)
    labels = table.label(LabelPolicy(run="mean", resample_below=None))
    model = make_estimator("transfer").fit(table.cells[:40], 100 * labels[:40])
    assert model.tables_ == tuple(name for name in shipped_names() if name != TEXTURES)


def test_without_a_usable_table_it_is_a_hybrid() -> None:
    labels = SCORES + np.random.default_rng(3).normal(size=len(SCORES))
    model = left_out(*shipped_names()).fit(CELLS[:20], labels[:20])
    alone = HybridRegressor(ensemble_size=0).fit(CELLS[:20], labels[:20])
    np.testing.assert_allclose(model.predict(CELLS[20:]), alone.predict(CELLS[20:]), rtol=1e-9)


def test_transfer_features_are_refused() -> None:
    with pytest.raises(SettingsError, match="transfer must be False in TransferRegressor"):
        TransferRegressor(transfer=True).fit(CELLS[:8], SCORES[:8])


def test_graphs_without_common_operations_are_refused() -> None:
    space = SearchSpace("own", ("a", "b"), 2, 1)
    cells = CellArray.from_cells([Cell([[0, 1], [0, 0]], ["a", "b"], space)] * 8)
    with pytest.raises(ModelError, match=r"operations are those of a shipped table.*'own'"):
        TransferRegressor(0).fit(cells, np.arange(8.0))
