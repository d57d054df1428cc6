"""The paper's two stages: a classifier of what is worth scoring, a regressor for those cells."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_score, recall_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.utils.class_weight import compute_sample_weight
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from pyg_nas.data.splits import grouped_folds
from pyg_nas.data.table import Table
from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.metrics.thresholds import above as is_above
from pyg_nas.predictors.gcn import (
    GCNClassifier,
    GCNRegressor,
    as_cells,
    finite_labels,
    paper_width,
    require_number,
)

_MOST_LOGIT = 50.0

PASSING_PROBABILITY = 0.5
"""A cell passes if its calibrated probability is at least this."""


class TwoStageRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """Regressor fitted on the cells that a classifier passes, others ranked below all of them.

    The classifier learns "accuracy above the threshold" on all training cells; classes are
    weighed to balance where it takes sample weights, and its probabilities are calibrated
    (Platt's sigmoid on out-of-fold predictions), which puts the true class sizes back. The
    regressor is fitted on the training cells above the threshold. A passing cell scores what
    the regressor says, at least the threshold. A rejected one scores between the mean label of
    the training cells below the threshold and the threshold, by its probability: always less
    than any passing cell.

    Where all training cells are above the threshold, everything passes. Where none is, nothing
    does, and the regressor is fitted on all cells so that they can still be ranked; a warning
    says so. Source: Wen et al., arXiv:1912.00848, section 3.2.

    Args:
        classifier: A scikit-learn classifier over a :class:`CellArray` with ``predict_proba``.
            A GCN without a width takes the paper's for all training cells, in either stage.
        regressor: A scikit-learn regressor over a :class:`CellArray`.
        threshold: Accuracy that separates the classes, 0.91 in the paper for CIFAR-10, a fraction
            also where the labels are in percent; None for the ``quantile`` of the training labels.
        quantile: Used where ``threshold`` is None. At 0.4 it is close to 91 % on NAS-Bench-101.
        calibration_folds: Folds of the out-of-fold predictions; 0 to take the classifier's
            probabilities as they are.
        random_state: Seed of the folds.

    Attributes:
        threshold_: The threshold that was used.
        classifier_: The fitted classifier, None where all training cells are of one class.
        regressor_: The fitted regressor.
        calibration_: Slope and intercept on the logit, ``(1.0, 0.0)`` where not calibrated.
        passing_fraction_: Training cells above the threshold.
        mean_below_: Mean label of the training cells not above it; the threshold if there is none.
    """

    def __init__(
        self,
        classifier: Any,
        regressor: Any,
        threshold: float | None = None,
        quantile: float = 0.4,
        calibration_folds: int = 5,
        random_state: int = 0,
    ) -> None:
        self.classifier = classifier
        self.regressor = regressor
        self.threshold = threshold
        self.quantile = quantile
        self.calibration_folds = calibration_folds
        self.random_state = random_state

    def fit(self, X: CellArray | Table | Iterable[Cell], y: ArrayLike) -> TwoStageRegressor:
        """Fit both stages to labels ``y`` ``[N]``, fractions.

        Raises:
            SettingsError: If a label is not finite, a setting is outside its rule or there is
                no cell.
        """
        self._check_settings()
        X = as_cells(X)
        labels = finite_labels(y, len(X))
        self.threshold_ = (
            float(np.quantile(labels, self.quantile))
            if self.threshold is None
            else _in_unit(float(self.threshold), labels)
        )
        above = is_above(labels, self.threshold_)
        self.passing_fraction_ = float(above.mean())
        self.mean_below_ = float(labels[~above].mean()) if not above.all() else self.threshold_
        self.classifier_ = None
        self.calibration_ = (1.0, 0.0)
        if 0.0 < self.passing_fraction_ < 1.0:
            classifier = _sized(self.classifier, len(X))
            self.classifier_ = _fit_classifier(classifier, X, above)
            self.calibration_ = self._calibrate(classifier, X, above)
        regressor = _sized(self.regressor, len(X))
        if above.any():
            rows = np.flatnonzero(above)
            self.regressor_ = regressor.fit(X[rows], labels[rows])
        else:
            warnings.warn(
                f"no training cell is above the threshold {self.threshold_:g}: every cell is "
                f"rejected, and the regressor ranks them all",
                stacklevel=2,
            )
            self.regressor_ = regressor.fit(X, labels)
        return self

    def predict(self, X: CellArray | Table | Iterable[Cell]) -> NDArray[np.float64]:
        """Return the scores ``[N]``, fractions; see the class for what they mean."""
        check_is_fitted(self)
        X = as_cells(X)
        if not self.passing_fraction_:
            # The regressor knows the whole range, and there is nothing to rank below.
            return np.asarray(self.regressor_.predict(X), dtype=np.float64)
        probability = self.pass_probability(X)
        passing = probability >= PASSING_PROBABILITY
        below = np.nextafter(self.threshold_, -np.inf)
        share = probability / PASSING_PROBABILITY
        scores = np.minimum(self.mean_below_ + (self.threshold_ - self.mean_below_) * share, below)
        rows = np.flatnonzero(passing)
        if len(rows):
            scores[rows] = np.maximum(self.regressor_.predict(X[rows]), self.threshold_)
        return np.asarray(scores, dtype=np.float64)

    def pass_probability(self, X: CellArray | Table | Iterable[Cell]) -> NDArray[np.float64]:
        """Return the calibrated probability of being above the threshold, ``[N]``."""
        check_is_fitted(self)
        X = as_cells(X)
        if self.classifier_ is None:
            return np.full(len(X), 1.0 if self.passing_fraction_ else 0.0)
        slope, intercept = self.calibration_
        if (slope, intercept) == (1.0, 0.0):
            return _positive(self.classifier_, X)
        return np.asarray(
            expit(slope * _safe_logit(_positive(self.classifier_, X)) + intercept),
            dtype=np.float64,
        )

    def passes(self, X: CellArray | Table | Iterable[Cell]) -> NDArray[np.bool_]:
        """Say which cells the classifier passes, ``[N]``."""
        return self.pass_probability(X) >= PASSING_PROBABILITY

    def evaluate_classifier(
        self, X: CellArray | Table | Iterable[Cell], y: ArrayLike
    ) -> dict[str, float | None]:
        """Return ``precision``, ``recall`` and ``roc_auc`` of the first stage, and base rates.

        A figure that the cells do not define (no cell passes, or all are of one class) is None.

        Args:
            X: Cells ``[N]``.
            y: Their labels ``[N]``, fractions.
        """
        return classification_figures(is_above(y, self.threshold_), self.pass_probability(X))

    def fitted_parts(self) -> dict[str, Any]:
        """Return the fitted estimators inside, for a model folder."""
        parts = {"regressor": self.regressor_}
        return parts if self.classifier_ is None else {"classifier": self.classifier_, **parts}

    def set_fitted_parts(self, parts: dict[str, Any]) -> None:
        """Take over :meth:`fitted_parts`' result.

        Raises:
            ModelError: If there is no regressor, or something else.
        """
        if "regressor" not in parts or not set(parts) <= {"classifier", "regressor"}:
            raise ModelError(
                f"a two-stage model has a regressor and perhaps a classifier, got {sorted(parts)}"
            )
        self.classifier_ = parts.get("classifier")
        self.regressor_ = parts["regressor"]

    def get_state(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return what ``fit`` learned beside the estimators inside, for a model folder."""
        check_is_fitted(self)
        return {}, {
            "threshold": self.threshold_,
            "calibration": list(self.calibration_),
            "passing_fraction": self.passing_fraction_,
            "mean_below": self.mean_below_,
        }

    def set_state(self, tensors: dict[str, Any], values: dict[str, Any]) -> None:
        """Take over :meth:`get_state`'s result.

        Raises:
            ModelError: If a value is missing or not a finite number.
        """
        if not hasattr(self, "regressor_"):
            raise ModelError("a two-stage model needs its regressor")
        slope, intercept = _finite(values.get("calibration"), "calibration", 2)
        (self.threshold_,) = _finite([values.get("threshold")], "threshold", 1)
        (self.passing_fraction_,) = _finite([values.get("passing_fraction")], "passing_fraction", 1)
        (self.mean_below_,) = _finite([values.get("mean_below")], "mean_below", 1)
        self.calibration_ = (slope, intercept)

    @property
    def space_(self) -> SearchSpace:
        """Search space of the training cells, where the regressor keeps it."""
        space: SearchSpace = self.regressor_.space_
        return space

    def _check_settings(self) -> None:
        if not 0 < require_number("quantile", self.quantile, whole=False) < 1:
            raise SettingsError(f"quantile must be between 0 and 1, got {self.quantile!r}")
        folds = require_number("calibration_folds", self.calibration_folds, whole=True, least=0)
        if folds == 1:
            raise SettingsError("calibration_folds must be 0 or at least 2, got 1")
        require_number("threshold", self.threshold, whole=False, optional=True)
        require_number("random_state", self.random_state, whole=True, least=0)

    def _calibrate(
        self, classifier: Any, X: CellArray, above: NDArray[np.bool_]
    ) -> tuple[float, float]:
        minority = int(min(above.sum(), (~above).sum()))
        folds = min(self.calibration_folds, minority)
        if folds < 2:
            return 1.0, 0.0
        splitter = StratifiedKFold(folds, shuffle=True, random_state=self.random_state)
        out_of_fold = np.empty(len(above), dtype=np.float64)
        for train, held_out in grouped_folds(splitter, X.hashes(), above):
            fitted = _fit_classifier(classifier, X[train], above[train])
            out_of_fold[held_out] = _positive(fitted, X[held_out])
        return platt(out_of_fold, above)


def _in_unit(threshold: float, labels: NDArray[np.float64]) -> float:
    """The threshold in percent where that is what all labels are in."""
    percent = 0 < threshold <= 1 < labels.min() and labels.max() <= 100
    return 100 * threshold if percent else threshold


def _sized(template: Any, cells: int) -> Any:
    """An unfitted stage; a GCN's width follows all training cells, not those of a part."""
    stage = clone(template)
    if isinstance(stage, (GCNRegressor, GCNClassifier)) and stage.hidden is None:
        stage.set_params(hidden=paper_width(cells))
    return stage


def _fit_classifier(template: Any, X: CellArray, above: NDArray[np.bool_]) -> Any:
    target = above.astype(np.int64)
    classifier = clone(template)
    if has_fit_parameter(classifier, "sample_weight"):
        weight = compute_sample_weight("balanced", target)
        return classifier.fit(X, target, sample_weight=weight)
    return classifier.fit(X, target)


def classification_figures(
    above: NDArray[np.bool_], probability: NDArray[np.float64]
) -> dict[str, float | None]:
    """Return precision, recall, ROC-AUC and the fractions above and passed.

    Args:
        above: Which cells are above the threshold ``[N]``.
        probability: Their probability of passing ``[N]``.
    """
    passed = probability >= PASSING_PROBABILITY
    both = above.any() and not above.all()
    return {
        "precision": float(precision_score(above, passed)) if passed.any() else None,
        "recall": float(recall_score(above, passed)) if above.any() else None,
        "roc_auc": float(roc_auc_score(above, probability)) if both else None,
        "above": float(above.mean()),
        "passed": float(passed.mean()),
    }


def platt(probability: NDArray[np.float64], above: NDArray[np.bool_]) -> tuple[float, float]:
    """Return slope and intercept of a sigmoid on the logit that calibrates ``probability``.

    Source: Platt, 1999, with his smoothed targets, which keep the slope finite where the
    classes can be separated. Out-of-fold probabilities of few cells may by chance fall where the
    class rises; the order of the probabilities is then kept, and only their level calibrated.
    """
    positives, negatives = int(above.sum()), int((~above).sum())
    target = np.where(above, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    score = _safe_logit(probability)[:, None]
    # A fractional target is one cell of each class, weighed by it.
    model = LogisticRegression(C=np.inf).fit(
        np.concatenate([score, score]),
        np.repeat([1, 0], len(target)),
        sample_weight=np.concatenate([target, 1 - target]),
    )
    slope = float(model.coef_[0, 0])
    if slope > 0:
        return slope, float(model.intercept_[0])

    def excess(intercept: float) -> float:
        return float(np.mean(expit(score + intercept)) - np.mean(target))

    return 1.0, float(brentq(excess, -_MOST_LOGIT, _MOST_LOGIT))


def _positive(classifier: Any, X: CellArray) -> NDArray[np.float64]:
    return np.asarray(classifier.predict_proba(X)[:, 1], dtype=np.float64)


def _safe_logit(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    # A float32 sigmoid saturates at 1 exactly.
    return np.asarray(logit(np.clip(probability, 1e-7, 1 - 1e-7)), dtype=np.float64)


def _finite(values: Any, name: str, count: int) -> list[float]:
    numbers = isinstance(values, list) and len(values) == count
    if not numbers or not all(
        isinstance(v, (int, float)) and not isinstance(v, bool) and np.isfinite(v) for v in values
    ):
        raise ModelError(f"{name} must be {count} finite number(s), got {values!r}")
    return [float(v) for v in values]
