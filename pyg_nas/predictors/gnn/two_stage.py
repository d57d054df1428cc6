"""The paper's two stages: a classifier that selects cells, and a regressor that scores them."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import FiniteFloat
from scipy.optimize import brentq
from scipy.special import expit, logit
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import precision_score, recall_score, roc_auc_score
from sklearn.model_selection import StratifiedKFold
from sklearn.utils.validation import check_is_fitted, has_fit_parameter

from pyg_nas.data.protocols.folds import grouped_folds
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.metrics.thresholds import above as is_above
from pyg_nas.metrics.thresholds import accuracy_unit
from pyg_nas.predictors.base import CellRegressor
from pyg_nas.predictors.gnn.gcn import GCNClassifier, GCNRegressor, paper_width
from pyg_nas.predictors.label_transform import weighted_quantiles
from pyg_nas.predictors.parameter_rules import TWO_STAGE_RULES
from pyg_nas.predictors.storage.state import FittedState
from pyg_nas.predictors.validation import Cells, as_cells, weighted_cells

_MOST_LOGIT = 50.0

PASSING_PROBABILITY = 0.5
"""A cell passes if its calibrated probability is at least this."""


@dataclass(eq=False, repr=False)
class TwoStageRegressor(CellRegressor):
    """Regressor fitted on the cells that a classifier passes, others ranked below all of them.

    The classifier learns "accuracy above the threshold" on all training cells; classes are
    weighed to balance where it takes sample weights, and its probabilities are calibrated
    (Platt's sigmoid on out-of-fold predictions), which restores the true class sizes. The
    regressor is fitted on the training cells above the threshold. The score of a passing cell is
    the prediction of the regressor, at least the threshold. The score of a rejected cell is
    between the mean label of the training cells below the threshold and the threshold, by its
    probability: always less than that of any passing cell.

    If all training cells are above the threshold, all cells pass. If none is, no cell passes, and
    the regressor is fitted on all cells so that they can still be ranked, with a warning.
    Source: Wen et al., arXiv:1912.00848, section 3.2.

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

    parameter_rules: ClassVar = TWO_STAGE_RULES
    fitted_state: ClassVar = FittedState(
        values={
            **dict.fromkeys(("threshold", "passing_fraction", "mean_below"), FiniteFloat),
            "calibration": tuple[FiniteFloat, FiniteFloat],
        },
        parts={"classifier": False, "regressor": True},
    )

    classifier: Any
    regressor: Any
    threshold: float | None = None
    quantile: float = 0.4
    calibration_folds: int = 5
    random_state: int = 0

    def fit(
        self, X: Cells, y: ArrayLike, sample_weight: ArrayLike | None = None
    ) -> TwoStageRegressor:
        """Fit both stages to labels ``y`` ``[N]``, fractions.

        Weights ``[N]`` are those of both stages and of the quantile; cells of weight 0 are left
        out.

        Raises:
            SettingsError: If a label or weight is not finite, a setting is outside its rule or
                there is no cell.
        """
        self.check_parameters()
        X, labels, weights = weighted_cells(X, y, sample_weight)
        self.threshold_ = (
            _quantile(labels, weights, self.quantile)
            if self.threshold is None
            else float(self.threshold) * _unit(labels, self.threshold)
        )
        above = is_above(labels, self.threshold_)
        self.passing_fraction_ = float(np.average(above, weights=weights))
        self.mean_below_ = self.threshold_
        if not above.all():
            self.mean_below_ = float(np.average(labels[~above], weights=_part(weights, ~above)))
        self.classifier_ = None
        self.calibration_ = (1.0, 0.0)
        if 0.0 < self.passing_fraction_ < 1.0:
            classifier = _sized(self.classifier, len(X))
            self.classifier_ = _fit_classifier(classifier, X, above, weights)
            self.calibration_ = self._calibrate(classifier, X, above, weights)
        rows = np.flatnonzero(above)
        if not len(rows):
            warnings.warn(
                f"no training cell is above the threshold {self.threshold_:g}: every cell is "
                f"rejected, and the regressor ranks them all",
                stacklevel=2,
            )
            rows = np.arange(len(X))
        weighted = {} if weights is None else {"sample_weight": weights[rows]}
        self.regressor_ = _sized(self.regressor, len(X)).fit(X[rows], labels[rows], **weighted)
        return self

    def predict(self, X: Cells) -> NDArray[np.float64]:
        """Return the scores ``[N]``, fractions, as the class describes them."""
        check_is_fitted(self)
        X = as_cells(X)
        if not self.passing_fraction_:
            # The regressor was fitted to all cells, and no cell must rank below the others.
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

    def pass_probability(self, X: Cells) -> NDArray[np.float64]:
        """Return the calibrated probability of being above the threshold, ``[N]``."""
        check_is_fitted(self)
        X = as_cells(X)
        if self.classifier_ is None:
            return np.full(len(X), 1.0 if self.passing_fraction_ else 0.0)
        slope, intercept = self.calibration_
        if (slope, intercept) == (1.0, 0.0):
            return _positive(self.classifier_, X)
        return np.asarray(
            expit(slope * _safe_logit(_positive(self.classifier_, X)) + intercept), dtype=np.float64
        )

    def passes(self, X: Cells) -> NDArray[np.bool_]:
        """Return which cells the classifier passes, ``[N]``."""
        return self.pass_probability(X) >= PASSING_PROBABILITY

    def evaluate_classifier(self, X: Cells, y: ArrayLike) -> dict[str, float | None]:
        """Return ``precision``, ``recall`` and ``roc_auc`` of the first stage, and base rates.

        A figure that the cells do not define (no cell passes, or all are of one class) is None.
        """
        return classification_figures(is_above(y, self.threshold_), self.pass_probability(X))

    @property
    def space_(self) -> SearchSpace:
        """Search space of the training cells, where the regressor keeps it."""
        space: SearchSpace = self.regressor_.space_
        return space

    def _calibrate(
        self,
        classifier: Any,
        X: CellArray,
        above: NDArray[np.bool_],
        weights: NDArray[np.float64] | None,
    ) -> tuple[float, float]:
        hashes = X.hashes()
        different = above[np.unique(hashes, return_index=True)[1]]
        minority = int(min(different.sum(), (~different).sum()))
        folds = min(self.calibration_folds, minority)
        if folds < 2:
            return 1.0, 0.0
        splitter = StratifiedKFold(folds, shuffle=True, random_state=self.random_state)
        out_of_fold = np.empty(len(above), dtype=np.float64)
        for train, held_out in grouped_folds(splitter, hashes, above):
            fitted = _fit_classifier(classifier, X[train], above[train], _part(weights, train))
            out_of_fold[held_out] = _positive(fitted, X[held_out])
        return platt(out_of_fold, above, weights)


def _part(weights: NDArray[np.float64] | None, rows: Any) -> NDArray[np.float64] | None:
    return None if weights is None else weights[rows]


def _quantile(
    labels: NDArray[np.float64], weights: NDArray[np.float64] | None, share: float
) -> float:
    if weights is None:
        return float(np.quantile(labels, share))
    order = np.argsort(labels)
    return float(weighted_quantiles(labels[order], weights[order], share))


def _unit(labels: NDArray[np.float64], threshold: float) -> float:
    """What a threshold that is a fraction is multiplied by to compare it with the labels."""
    return accuracy_unit(labels) or 1.0 if 0 < threshold <= 1 else 1.0


def _sized(template: Any, cells: int) -> Any:
    """An unfitted stage; a GCN's width follows all training cells, not those of a part."""
    stage = clone(template)
    if isinstance(stage, (GCNRegressor, GCNClassifier)) and stage.hidden is None:
        stage.set_params(hidden=paper_width(cells))
    return stage


def _fit_classifier(
    template: Any,
    X: CellArray,
    above: NDArray[np.bool_],
    weights: NDArray[np.float64] | None,
) -> Any:
    target = above.astype(np.int64)
    classifier = clone(template)
    if weights is None and not has_fit_parameter(classifier, "sample_weight"):
        return classifier.fit(X, target)
    # Classes are balanced by their weights: as many copies of a cell weigh the same.
    each = np.ones(len(target)) if weights is None else weights
    sizes = np.bincount(target, each, minlength=2)
    balanced = each * (each.sum() / (np.count_nonzero(sizes) * sizes))[target]
    return classifier.fit(X, target, sample_weight=balanced)


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


def platt(
    probability: NDArray[np.float64],
    above: NDArray[np.bool_],
    weights: NDArray[np.float64] | None = None,
) -> tuple[float, float]:
    """Return slope and intercept of a sigmoid on the logit that calibrates ``probability``.

    Source: Platt, 1999, with his smoothed targets, which keep the slope finite where the
    classes can be separated. Out-of-fold probabilities of few cells may by chance fall where the
    class rises; the order of the probabilities is then kept, and only their level calibrated.
    """
    each = np.ones(len(above)) if weights is None else weights
    positives, negatives = each[above].sum(), each[~above].sum()
    target = np.where(above, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    score = _safe_logit(probability)[:, None]
    # A fractional target is one cell of each class, weighed by it.
    model = LogisticRegression(C=np.inf).fit(
        np.concatenate([score, score]),
        np.repeat([1, 0], len(target)),
        sample_weight=np.concatenate([each * target, each * (1 - target)]),
    )
    slope = float(model.coef_[0, 0])
    if slope > 0:
        return slope, float(model.intercept_[0])

    def excess(intercept: float) -> float:
        return float(np.average(expit(score[:, 0] + intercept) - target, weights=each))

    return 1.0, float(brentq(excess, -_MOST_LOGIT, _MOST_LOGIT))


def _positive(classifier: Any, X: CellArray) -> NDArray[np.float64]:
    return np.asarray(classifier.predict_proba(X)[:, 1], dtype=np.float64)


def _safe_logit(probability: NDArray[np.float64]) -> NDArray[np.float64]:
    # A float32 sigmoid saturates at 1 exactly.
    return np.asarray(logit(np.clip(probability, 1e-7, 1 - 1e-7)), dtype=np.float64)
