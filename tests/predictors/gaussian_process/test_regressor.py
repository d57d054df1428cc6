"""The Gaussian process against scikit-learn's with the same kernel, and its own refits."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, Matern, WhiteKernel

from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.features.graph_features import cell_features
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.predictors.gaussian_process import regressor as gaussian_process
from pyg_nas.predictors.gaussian_process.kernels import MaternLinearPosterior
from pyg_nas.predictors.gaussian_process.regressor import GaussianProcess
from pyg_nas.predictors.labelled_features import LabelledFeatures
from pyg_nas.predictors.storage.folder import load_model, save_model
from pyg_nas.predictors.storage.state import read_state, write_state
from tests.renumbered import all_renumbered

CELLS = sample_cells(80, seed=0)
Y = np.log(CELLS.trainable_parameters()) + np.random.default_rng(0).normal(0, 0.1, 80)


@pytest.fixture(scope="module")
def process() -> GaussianProcess:
    return GaussianProcess(steps=30).fit(CELLS[:60], Y[:60])


def reference(process: GaussianProcess, rows: np.ndarray) -> GaussianProcessRegressor:
    kernel = ConstantKernel(process.variance_) * Matern(1.0, nu=2.5) + ConstantKernel(
        process.linear_
    ) * DotProduct(1e-9)
    model = GaussianProcessRegressor(kernel, alpha=process.noise_, optimizer=None)
    return model.fit(process.inputs_.numpy()[rows], ((Y[:60] - process.mean_) / process.std_)[rows])


def test_posterior_against_scikit_learn(process: GaussianProcess) -> None:
    inputs = process.weighted_inputs(cell_features(CELLS[60:]))
    mean, std = reference(process, np.arange(60)).predict(inputs.numpy(), return_std=True)
    ours, spread = process.predict(CELLS[60:], return_std=True)
    np.testing.assert_allclose(ours, mean * process.std_ + process.mean_, rtol=1e-5)
    with_noise = np.sqrt(std**2 + process.noise_) * process.std_
    np.testing.assert_allclose(spread, with_noise, rtol=1e-4)


def test_means_are_the_same_without_deviations(process: GaussianProcess) -> None:
    """Of training cells too, whose distance to themselves is 0."""
    mean, _ = process.predict(CELLS, return_std=True)
    np.testing.assert_allclose(process.predict(CELLS), mean, rtol=1e-8)


def test_leave_one_out_against_refits(process: GaussianProcess) -> None:
    for left_out in (0, 17, 59):
        rest = np.delete(np.arange(60), left_out)
        held = process.inputs_.numpy()[[left_out]]
        mean, std = reference(process, rest).predict(held, return_std=True)
        expected = mean[0] * process.std_ + process.mean_
        assert process.loo_mean_[left_out] == pytest.approx(expected, rel=1e-5)
        spread = np.sqrt(std[0] ** 2 + process.noise_) * process.std_
        assert process.loo_std_[left_out] == pytest.approx(spread, rel=1e-4)


def test_the_hyper_parameters_of_another_process_and_not_its_cells(
    process: GaussianProcess,
) -> None:
    alike = GaussianProcess().fit_features_like(
        process, LabelledFeatures(cell_features(CELLS[60:]), Y[60:])
    )
    assert alike.std_ == process.std_
    assert alike.mean_ == pytest.approx(Y[60:].mean())
    np.testing.assert_array_equal(alike.weights_, process.weights_)
    # A matrix of 20 x 20, without that of 60 x 60.
    assert len(pickle.dumps(alike)) < len(pickle.dumps(process)) / 2


def test_learns_a_function_of_the_statistics(process: GaussianProcess) -> None:
    assert np.corrcoef(process.predict(CELLS[60:]), Y[60:])[0, 1] > 0.9


def test_unseen_residuals_have_no_part_of_their_own_label() -> None:
    process = GaussianProcess(steps=20).fit(CELLS, Y)
    features = cell_features(CELLS)
    residuals = process.unseen_residuals(LabelledFeatures(features, Y))
    assert len(residuals) == 80
    # With all labels but one the same, nothing about the odd one can be known.
    odd = np.zeros(80)
    odd[3] = 1.0
    again = GaussianProcess(steps=20).fit(CELLS, odd)
    assert again.unseen_residuals(LabelledFeatures(features, odd))[3] > 0.5


def test_constant_labels_and_bad_settings() -> None:
    assert GaussianProcess(steps=20).fit(CELLS, np.full(80, 0.9)).predict(CELLS[:2]) == (
        pytest.approx([0.9, 0.9])
    )
    with pytest.raises(SettingsError, match="random_state"):
        GaussianProcess(random_state=-1).fit(CELLS, Y)
    with pytest.raises(SettingsError, match="groups"):
        GaussianProcess(groups=("nothing",)).fit(CELLS, Y)
    with pytest.raises(SettingsError, match="finite"):
        GaussianProcess().fit(CELLS, np.where(np.arange(80) == 5, np.nan, Y))


def test_state_of_other_shapes_is_refused(process: GaussianProcess) -> None:
    tensors, values = read_state(process)
    with pytest.raises(ModelError, match="factor"):
        write_state(GaussianProcess(), {**tensors, "factor": tensors["factor"][:5]}, values)
    with pytest.raises(ModelError, match="noise"):
        write_state(GaussianProcess(), tensors, {**values, "noise": float("nan")})
    with pytest.raises(ModelError, match="version 1 of the features"):
        write_state(GaussianProcess(), tensors, {**values, "feature_version": 1})


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_hyper_parameters_are_likelier_than_scikit_learns_optimum_of_one_length() -> None:
    """It has a length for every group and column, and more steps only make it likelier."""
    likelihoods = {}
    for steps in (60, 200):
        process = GaussianProcess(steps=steps).fit(CELLS[:60], Y[:60])
        model = reference(process, np.arange(60))
        likelihoods[steps] = model.log_marginal_likelihood_value_
    kernel = (
        ConstantKernel(1.0) * Matern(10.0, nu=2.5)
        + ConstantKernel(0.1) * DotProduct(1e-9, "fixed")
        + WhiteKernel(0.1)
    )
    inputs = process._input_scale.standardised(cell_features(CELLS[:60])).numpy()
    target = (Y[:60] - process.mean_) / process.std_
    plain = GaussianProcessRegressor(kernel).fit(inputs, target)
    assert likelihoods[200] > likelihoods[60] > plain.log_marginal_likelihood_value_


def test_unseen_residuals_come_from_hyper_parameters_of_the_other_half() -> None:
    data = LabelledFeatures(cell_features(CELLS), Y)
    process = GaussianProcess(steps=20).fit(CELLS, Y)
    residuals = process.unseen_residuals(data)
    order = np.random.default_rng(0).permutation(80)
    for tuned, others in ((order[:40], order[40:]), (order[40:], order[:40])):
        other = GaussianProcess(steps=20).fit_features(CELLS.space, data, tuning=tuned)
        np.testing.assert_allclose(residuals[others], (Y - other.loo_mean_)[others], rtol=1e-6)
        assert not np.allclose(residuals[tuned], (Y - other.loo_mean_)[tuned], rtol=1e-3)


def test_hyper_parameters_are_found_on_as_many_cells_as_asked_for() -> None:
    data = LabelledFeatures(cell_features(CELLS), Y)
    few = GaussianProcess(steps=20, tuning_cells=20, random_state=3).fit(CELLS, Y)
    rows = np.random.default_rng(3).permutation(80)[:20]
    named = GaussianProcess(steps=20).fit_features(CELLS.space, data, tuning=rows)
    np.testing.assert_allclose(few.weights_.numpy(), named.weights_.numpy(), rtol=1e-9)
    assert few.noise_ == pytest.approx(named.noise_)
    assert len(few.dual_) == 80  # the process itself takes all


def test_features_far_outside_have_a_bounded_effect() -> None:
    process = GaussianProcess(steps=20).fit(CELLS, Y)
    predictions = []
    for factor in (1e4, 1e6):
        features = cell_features(CELLS[:5])
        far = {"graph": features.groups["graph"] * np.float32(factor)}
        predictions.append(process.predict_features(features.with_groups(far)))
    np.testing.assert_allclose(*(mean for mean, _ in predictions))
    np.testing.assert_allclose(*(std for _, std in predictions))


def test_an_update_is_a_fit_with_the_same_hyper_parameters(
    tmp_path: Path,
) -> None:
    updated = GaussianProcess(steps=20).fit(CELLS[:60], Y[:60])
    kept = (updated.kernel_, updated.noise_, updated.mean_, updated.std_)
    save_model(updated, tmp_path / "m")
    updated.update(CELLS[60:64], Y[60:64]).update(CELLS[64:65], Y[64:65])

    exact = np.linalg.cholesky(
        kept[0].covariance(updated.inputs_, updated.inputs_).numpy() + kept[1] * np.eye(65)
    )
    np.testing.assert_allclose(updated.factor_.numpy(), exact, atol=1e-8)
    target = (Y[:65] - kept[2]) / kept[3]
    dual = np.linalg.solve(exact @ exact.T, target)
    np.testing.assert_allclose(updated.dual_.numpy(), dual, atol=1e-6)
    inverse = np.diag(np.linalg.inv(exact @ exact.T))
    np.testing.assert_allclose(updated.loo_mean_, Y[:65] - dual / inverse * kept[3], atol=1e-8)
    np.testing.assert_allclose(updated.loo_std_, kept[3] / np.sqrt(inverse), atol=1e-8)
    # A process that was read from a folder can be updated too.
    loaded = load_model(tmp_path / "m").update(CELLS[60:65], Y[60:65])
    np.testing.assert_allclose(loaded.predict(CELLS), updated.predict(CELLS), atol=1e-8)


def test_copies_of_a_graph_are_left_out_together(tmp_path: Path) -> None:
    """Against processes in float64 that are fitted without the graph, with weights."""
    rows = np.array([*range(40), 5, 5, 11])
    cells = CellArray.concatenate([CELLS[:40], all_renumbered(CELLS[rows[40:]], seed=0)[0]])
    noise = np.random.default_rng(1)
    y, weights = Y[rows] + noise.normal(0, 0.05, 43), noise.uniform(0.5, 2, 43)
    fitted = GaussianProcess(steps=20).fit(cells, y, weights)
    covariance = fitted.kernel_.covariance(fitted.inputs_, fitted.inputs_).numpy()
    own = covariance + np.diag(fitted.noise_ / weights)
    for row in (3, 5, 11, 40, 42):
        rest = rows != rows[row]
        solved = np.linalg.solve(own[np.ix_(rest, rest)], covariance[rest, row])
        mean = solved @ ((y - fitted.mean_) / fitted.std_)[rest] * fitted.std_ + fitted.mean_
        variance = covariance[row, row] - solved @ covariance[rest, row] + fitted.noise_
        assert fitted.loo_mean_[row] == pytest.approx(mean, abs=1e-8)
        assert fitted.loo_std_[row] == pytest.approx(np.sqrt(variance) * fitted.std_, abs=1e-8)
    # So they are after an update, of a process that was read from a folder too.
    save_model(GaussianProcess(steps=20).fit(cells[:40], y[:40]), tmp_path / "m")
    updated = load_model(tmp_path / "m").update(cells[40:], y[40:])
    np.testing.assert_allclose(updated.training_labels(), y, atol=1e-9)
    assert updated.loo_mean_[[5, 40, 41]] == pytest.approx(np.full(3, updated.loo_mean_[5]))


def test_a_label_has_no_part_in_the_residuals_of_its_copies() -> None:
    rows = np.r_[0:40, 0:20]
    y = Y[rows]
    y[[0, 40]] += 5.0
    features, hashes = cell_features(CELLS[rows]), CELLS[rows].hashes()
    fitted = GaussianProcess(steps=20).fit(CELLS[rows], y)
    residuals = fitted.unseen_residuals(LabelledFeatures(features, y, hashes=hashes))
    assert min(residuals[[0, 40]]) > 3
    # All cells of one graph: there are no others to predict it from.
    alone = GaussianProcess(steps=20).fit(CELLS[[0, 0, 0]], np.array([1.0, 2.0, 6.0]))
    one, labels = cell_features(CELLS[[0, 0, 0]]), np.array([1.0, 2.0, 6.0])
    lonely = alone.unseen_residuals(LabelledFeatures(one, labels, hashes=hashes[[0, 0, 0]]))
    np.testing.assert_allclose(lonely, [-2, -1, 3], atol=1e-9)


@pytest.mark.parametrize("width", [182, 10**9])
def test_a_state_of_more_columns_than_features_is_refused(
    process: GaussianProcess, width: int
) -> None:
    tensors, values = read_state(process)
    for name in ("columns", "centre", "scale", "weights", "inputs"):
        zero = torch.zeros(1, dtype=tensors[name].dtype)
        tensors[name] = zero.expand([*tensors[name].shape[:-1], width])
    with pytest.raises(ModelError, match=r"182 columns of 181 features|features, at most 100,000"):
        write_state(GaussianProcess(), tensors, values, shapes_only=True)


@pytest.mark.parametrize(
    ("gradually", "expected"), [(False, [60] * 20), (True, [30] * 10 + [60] * 10)]
)
def test_the_first_half_of_a_gradual_tuning_takes_half_of_the_cells(
    gradually: bool, expected: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    computed = MaternLinearPosterior.loss_and_gradient

    def counted(
        self: MaternLinearPosterior, logarithms: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        sizes.append(len(self.targets))
        return computed(self, logarithms)

    monkeypatch.setattr(MaternLinearPosterior, "loss_and_gradient", counted)
    monkeypatch.setattr(gaussian_process, "_FEWEST_HALVED", 60)
    data = LabelledFeatures(cell_features(CELLS[:60]), Y[:60])
    process = GaussianProcess(steps=20)
    process.fit_features(CELLS.space, data, gradually=gradually)
    assert sizes == expected
    sizes.clear()
    process.unseen_residuals(data)
    assert set(sizes) == {30}


def test_a_fit_to_copies_of_one_cell_predicts_their_mean() -> None:
    copies = CELLS[np.zeros(20, dtype=int)]  # no feature varies
    process = GaussianProcess(steps=20).fit(copies, np.arange(20.0))
    np.testing.assert_allclose(process.predict(CELLS), 9.5, atol=0.5)
