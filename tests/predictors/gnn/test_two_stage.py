"""The two stages: ranking, thresholds, calibration, imbalance and edge cases."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.stats import kendalltau
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_score, recall_score, roc_auc_score

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.predictors.gnn.gcn import GCNClassifier, GCNRegressor
from pyg_nas.predictors.gnn.two_stage import TwoStageRegressor, classification_figures, platt
from pyg_nas.predictors.storage.folder import load_model, save_model
from pyg_nas.predictors.storage.state import write_state
from tests.search.predictors import LinearPredictor, counts


class LinearClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Logistic regression on operation counts, made overconfident by ``factor``."""

    def __init__(self, factor: float = 1.0) -> None:
        self.factor = factor

    def fit(self, X: CellArray, y: Any, sample_weight: Any = None) -> LinearClassifier:
        self.classes_ = np.unique(y)
        self.sample_weight_ = sample_weight
        self.model_ = LogisticRegression().fit(counts(X), y, sample_weight)
        return self

    def predict_proba(self, X: CellArray) -> np.ndarray[Any, Any]:
        positive = expit(self.factor * self.model_.decision_function(counts(X)))
        return np.stack([1 - positive, positive], axis=1)


@pytest.fixture(scope="module")
def labels(small_table: Table) -> np.ndarray[Any, Any]:
    signal = counts(small_table.cells) @ np.array([0.01, 0.005, -0.01, 0.004])
    noise = np.random.default_rng(0).normal(0, 0.01, len(small_table))
    return np.asarray(0.85 + signal + noise)


def two_stage(**settings: Any) -> TwoStageRegressor:
    return TwoStageRegressor(LinearClassifier(), LinearPredictor(), **settings)


def test_rejected_cells_rank_below_every_passing_one(
    small_table: Table, labels: np.ndarray[Any, Any]
) -> None:
    model = two_stage(threshold=0.9).fit(small_table.cells[:200], labels[:200])
    scores = model.predict(small_table.cells)
    passes = model.passes(small_table.cells)
    assert 0 < passes.sum() < len(passes)
    assert scores[~passes].max() < 0.9 <= scores[passes].min()
    # Scores do not depend on which cells are scored together.
    np.testing.assert_allclose(model.predict(small_table.cells[7:9]), scores[7:9], rtol=1e-12)
    rejected = np.flatnonzero(~passes)
    by_probability = model.pass_probability(small_table.cells)[rejected]
    assert kendalltau(scores[rejected], by_probability).statistic > 0.99
    assert kendalltau(scores[200:], labels[200:]).statistic > 0.5


def test_regressor_sees_only_cells_above_the_threshold(
    small_table: Table, labels: np.ndarray[Any, Any]
) -> None:
    model = two_stage(threshold=0.9).fit(small_table.cells, labels)
    assert model.regressor_.n_train_ == (labels > 0.9).sum()
    direct = LinearPredictor().fit(small_table.cells[labels > 0.9], labels[labels > 0.9])
    passes = np.flatnonzero(model.passes(small_table.cells))
    np.testing.assert_allclose(
        model.predict(small_table.cells)[passes],
        np.maximum(direct.predict(small_table.cells[passes]), 0.9),
    )


def test_threshold_is_a_quantile_by_default(
    small_table: Table, labels: np.ndarray[Any, Any]
) -> None:
    model = two_stage().fit(small_table.cells, labels)
    assert model.threshold_ == pytest.approx(np.quantile(labels, 0.4))
    assert model.passing_fraction_ == pytest.approx(0.6)
    assert model.mean_below_ < model.threshold_


def test_classes_are_balanced_and_probabilities_put_back(
    small_table: Table, labels: np.ndarray[Any, Any]
) -> None:
    threshold = float(np.quantile(labels, 0.85))
    model = two_stage(threshold=threshold).fit(small_table.cells, labels)
    weight = model.classifier_.sample_weight_
    above = labels > threshold
    assert weight[above].sum() == pytest.approx(weight[~above].sum())
    raw = model.classifier_.predict_proba(small_table.cells)[:, 1]
    assert raw.mean() > 0.25  # balanced weights lift it far above 0.15
    calibrated = model.pass_probability(small_table.cells)
    assert calibrated.mean() == pytest.approx(0.15, abs=0.03)


def test_calibration_undoes_overconfidence() -> None:
    rng = np.random.default_rng(0)
    truth = rng.normal(0, 1.5, 20_000)
    above = rng.random(20_000) < expit(truth)
    slope, intercept = platt(expit(4 * truth + 1), above)
    assert slope == pytest.approx(0.25, abs=0.02)
    assert intercept == pytest.approx(-0.25, abs=0.05)


def test_separable_classes_keep_a_finite_slope() -> None:
    above = np.arange(20) >= 10
    slope, _ = platt(np.where(above, 0.9, 0.1), above)
    expected = np.log((11 / 12) / (1 / 12)) / np.log(9.0)  # Platt's smoothed targets by hand
    assert slope == pytest.approx(expected, rel=1e-3)


def test_out_of_fold_predictions_never_come_from_a_fold_that_saw_the_cell(
    small_table: Table,
) -> None:
    cells = small_table.cells[:100]
    above = np.random.default_rng(0).random(len(cells)) < 0.5

    class Memory(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
        """Knows every cell that it saw and is undecided about others."""

        def fit(self, X: CellArray, y: Any) -> Memory:
            self.seen_ = dict(zip([c.hash for c in X], y, strict=True))
            return self

        def predict_proba(self, X: CellArray) -> np.ndarray[Any, Any]:
            p = np.array([self.seen_.get(cell.hash, 0.5) for cell in X], dtype=float)
            return np.stack([1 - p, p], axis=1)

    y = np.where(above, 0.95, 0.85)
    model = TwoStageRegressor(Memory(), LinearPredictor(), threshold=0.9)
    model.fit(cells, y)
    # Scored on training folds, calibration would find it infallible: a steep slope. Out of fold
    # every score is 0.5, whose logit is 0: only the intercept says anything.
    assert model.calibration_[1] == pytest.approx(
        np.log(above.mean() / (1 - above.mean())), abs=0.1
    )
    assert model.calibration_[0] <= 1


def test_calibration_never_turns_the_order_round() -> None:
    above = np.random.default_rng(0).random(60) < 0.4
    against = np.where(above, 0.3, 0.6) + np.linspace(0, 0.1, 60)
    slope, intercept = platt(against, above)
    assert slope == 1
    level = expit(logit(against) + intercept).mean()
    # Platt's targets, (n + 1) / (n + 2) and 1 / (n + 2), in place of 1 and 0.
    n, rest = above.sum(), (~above).sum()
    assert level == pytest.approx((n * (n + 1) / (n + 2) + rest / (rest + 2)) / 60)


def test_width_follows_all_training_cells(small_table: Table, labels: np.ndarray[Any, Any]) -> None:
    model = TwoStageRegressor(
        GCNClassifier(epochs=1, device="cpu"), GCNRegressor(epochs=1, device="cpu"), quantile=0.5
    )
    model.fit(small_table.cells[:172], labels[:172])
    assert (model.classifier_.hidden_, model.regressor_.hidden_) == (144, 144)


def test_all_pass(small_table: Table, labels: np.ndarray[Any, Any]) -> None:
    model = two_stage(threshold=0.0).fit(small_table.cells, labels)
    assert model.classifier_ is None
    assert model.passes(small_table.cells).all()
    direct = LinearPredictor().fit(small_table.cells, labels)
    np.testing.assert_allclose(model.predict(small_table.cells), direct.predict(small_table.cells))
    figures = model.evaluate_classifier(small_table.cells, labels)
    assert figures == {
        "precision": 1.0,
        "recall": 1.0,
        "roc_auc": None,
        "above": 1.0,
        "passed": 1.0,
    }


def test_none_pass(small_table: Table, labels: np.ndarray[Any, Any]) -> None:
    with pytest.warns(UserWarning, match="no training cell is above the threshold 2"):
        model = two_stage(threshold=2.0).fit(small_table.cells, labels)
    assert not model.passes(small_table.cells).any()
    direct = LinearPredictor().fit(small_table.cells, labels)
    np.testing.assert_allclose(model.predict(small_table.cells), direct.predict(small_table.cells))
    figures = model.evaluate_classifier(small_table.cells, labels)
    assert figures["precision"] is None
    assert figures["recall"] is None


def test_one_cell_of_a_class_is_not_calibrated(
    small_table: Table, labels: np.ndarray[Any, Any]
) -> None:
    threshold = float(np.sort(labels)[-2])
    model = two_stage(threshold=threshold).fit(small_table.cells, labels)
    assert model.calibration_ == (1.0, 0.0)
    assert model.regressor_.n_train_ == 1


def test_figures_are_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    above = rng.random(500) < 0.3
    probability = np.clip(0.3 * above + rng.random(500) * 0.7, 0, 1)
    figures = classification_figures(above, probability)
    assert figures["precision"] == precision_score(above, probability >= 0.5)
    assert figures["recall"] == recall_score(above, probability >= 0.5)
    assert figures["roc_auc"] == roc_auc_score(above, probability)


def test_it_is_a_scikit_learn_estimator(small_table: Table, labels: np.ndarray[Any, Any]) -> None:
    model = two_stage(threshold=0.9)
    copy = clone(model)
    assert copy.get_params()["threshold"] == 0.9
    copy.set_params(regressor__alpha=5.0)
    assert copy.regressor.alpha == 5.0
    assert model.regressor.alpha == 1.0
    one = model.fit(small_table.cells, labels).predict(small_table.cells)
    two = clone(model).fit(small_table.cells, labels).predict(small_table.cells)
    np.testing.assert_array_equal(one, two)
    assert model.score(small_table.cells, labels) > 0.3


def test_invalid_settings_are_named(small_table: Table, labels: np.ndarray[Any, Any]) -> None:
    with pytest.raises(SettingsError, match="quantile"):
        two_stage(quantile=1.0).fit(small_table.cells, labels)
    with pytest.raises(SettingsError, match="calibration_folds"):
        two_stage(calibration_folds=1).fit(small_table.cells, labels)
    with pytest.raises(SettingsError, match="threshold must be a finite number"):
        two_stage(threshold=np.nan).fit(small_table.cells, labels)
    with pytest.raises(SettingsError, match="at least one cell"):
        two_stage().fit(small_table.cells[:0], labels[:0])


def test_a_label_that_was_not_measured_is_refused(
    small_table: Table, labels: np.ndarray[Any, Any]
) -> None:
    labels = labels.copy()
    labels[3] = np.nan
    with pytest.raises(SettingsError, match="y must be finite, got nan at 3"):
        two_stage(threshold=0.9).fit(small_table.cells, labels)


def test_a_table_and_a_list_have_cells_too(
    small_table: Table, labels: np.ndarray[Any, Any]
) -> None:
    expected = two_stage().fit(small_table.cells, labels).predict(small_table.cells[:5])
    model = two_stage().fit(small_table, labels)
    np.testing.assert_array_equal(model.predict(list(small_table.cells[:5])), expected)


@pytest.mark.parametrize("threshold", [0.9, 0.0])
def test_a_model_folder_gives_the_same_scores(
    small_table: Table, labels: np.ndarray[Any, Any], tmp_path: Path, threshold: float
) -> None:
    model = TwoStageRegressor(
        GCNClassifier(hidden=8, epochs=3, device="cpu"),
        GCNRegressor(hidden=8, epochs=3, device="cpu"),
        threshold=threshold,
        calibration_folds=2,
    ).fit(small_table.cells, labels)
    save_model(model, tmp_path / "model")
    loaded = load_model(tmp_path / "model", "cpu")
    assert loaded.get_params()["threshold"] == threshold
    assert loaded.space_ == small_table.space
    np.testing.assert_array_equal(
        loaded.predict(small_table.cells), model.predict(small_table.cells)
    )
    np.testing.assert_array_equal(loaded.passes(small_table.cells), model.passes(small_table.cells))


def test_invalid_states_are_named() -> None:
    model, parts = two_stage(), {"regressor": LinearPredictor()}
    values = {"threshold": 0.9, "passing_fraction": 0.5, "mean_below": 0.8}
    values["calibration"] = [1.0, 0.0]
    with pytest.raises(ModelError, match="has the parts classifier, regressor, got"):
        write_state(model, {}, values)
    with pytest.raises(ModelError, match="'extra'"):
        write_state(model, {}, values, {**parts, "extra": LinearPredictor()})
    for wrong in ([1.0, float("nan")], [1.0], "ab", [True, 1.0]):
        with pytest.raises(ModelError, match="calibration"):
            write_state(model, {}, {**values, "calibration": wrong}, parts)
    with pytest.raises(ModelError, match="threshold"):
        write_state(model, {}, {**values, "threshold": "0.9"}, parts)
    write_state(model, {}, values, parts)
    assert model.calibration_ == (1.0, 0.0)


class Low(LinearPredictor):
    """Says 0 of every cell."""

    def predict(self, X: CellArray) -> np.ndarray[Any, Any]:
        return np.zeros(len(X))


def test_a_passing_cell_scores_at_least_the_threshold(
    small_table: Table,
    labels: np.ndarray[Any, Any],
) -> None:
    model = TwoStageRegressor(LinearClassifier(), Low(), threshold=0.9)
    model.fit(small_table.cells, labels)
    passes = model.passes(small_table.cells)
    scores = model.predict(small_table.cells)
    assert passes.any()
    assert (scores[passes] == 0.9).all()
    assert (scores[~passes] < 0.9).all()


def test_calibration_has_the_folds_asked_for(
    small_table: Table,
    labels: np.ndarray[Any, Any],
) -> None:
    sizes: list[int] = []

    class Counting(LinearClassifier):
        def fit(self, X: CellArray, y: Any, sample_weight: Any = None) -> Counting:
            sizes.append(len(X))
            super().fit(X, y, sample_weight)
            return self

    for folds, expected in ((0, [300]), (2, [300, 150, 150]), (3, [300, 200, 200, 200])):
        sizes.clear()
        TwoStageRegressor(
            Counting(), LinearPredictor(), threshold=0.9, calibration_folds=folds
        ).fit(small_table.cells, labels)
        assert sizes == expected


def test_a_threshold_is_compared_in_the_precision_of_tables_and_in_their_unit(
    small_table: Table, labels: np.ndarray[Any, Any]
) -> None:
    at = labels[:200].astype(np.float32).astype(float)
    at[::4] = float(np.float32(0.91))  # a little more than the decimal number
    model = two_stage(threshold=0.91).fit(small_table.cells[:200], at)
    single = np.float32(0.91)
    assert model.passing_fraction_ == (at.astype(np.float32) > single).mean()
    percent = two_stage(threshold=0.91).fit(small_table.cells[:200], 100 * at)
    assert percent.threshold_ == pytest.approx(91)
    assert percent.passing_fraction_ == model.passing_fraction_ < 1
    # One failed run does not make percent something else, here as in splits and labels.
    failed = np.append(100 * at[1:], 0.4)
    assert two_stage(threshold=0.91).fit(small_table.cells[:200], failed).threshold_ == 91
    large = two_stage(threshold=0.91).fit(small_table.cells[:200], 1000 * at)  # neither of both
    assert large.threshold_ == 0.91


def test_copies_of_a_graph_are_calibrated_in_one_fold(
    small_table: Table, labels: np.ndarray[Any, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.repeat(np.arange(60), 2)
    cells = small_table.cells[rows]
    fitted: list[set[bytes]] = []
    scored: list[set[bytes]] = []
    fit, proba = LinearClassifier.fit, LinearClassifier.predict_proba

    def watched_fit(self: LinearClassifier, X: CellArray, *args: Any, **kwargs: Any) -> Any:
        fitted.append(set(X.hashes().tolist()))
        return fit(self, X, *args, **kwargs)

    def watched_proba(self: LinearClassifier, X: CellArray) -> np.ndarray[Any, Any]:
        scored.append(set(X.hashes().tolist()))
        return proba(self, X)

    monkeypatch.setattr(LinearClassifier, "fit", watched_fit)
    monkeypatch.setattr(LinearClassifier, "predict_proba", watched_proba)
    two_stage().fit(cells, labels[rows])
    assert len(scored) == 5
    for trained, held_out in zip(fitted[-5:], scored, strict=True):
        assert not trained & held_out


def test_few_different_cells_are_not_calibrated(
    small_table: Table, labels: np.ndarray[Any, Any]
) -> None:
    for different in (1, 3):  # one cell at least of a class, with many copies
        rows = np.arange(30) % different
        above = np.where(np.arange(30) % 2, 0.9, 0.8) if different == 1 else labels[rows]
        model = two_stage().fit(small_table.cells[rows], above)
        assert model.calibration_ == (1.0, 0.0)
