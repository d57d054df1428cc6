"""Tuning on the training cells alone: repeated K-fold, one-standard-error rule."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyg_nas.data.protocols.folds import grouped_folds
from pyg_nas.errors import DivergedError, SettingsError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.io.limits import MOST_RUNS
from pyg_nas.io.plain_scalar import plain_scalar
from pyg_nas.metrics.intervals import finite_or_none
from pyg_nas.metrics.regression import are_fractions, kendall_tau, mean_squared_error, mse_unit
from pyg_nas.predictors.model_selection.candidates import Candidate, check_candidates
from pyg_nas.predictors.model_selection.tuning_fits import TuningFits
from pyg_nas.predictors.parameter_rules import SEED, one_of, whole
from pyg_nas.predictors.predictions import checked_predictions
from pyg_nas.predictors.predictor_version import code_version
from pyg_nas.predictors.validation import Cells, as_cells, finite_labels
from pyg_nas.version import __version__

SIGNS: dict[str, float] = {"mse": -1.0, "kendall_tau": 1.0}
"""Metrics of a fit, mean squared error or Kendall's τ, and the sign that makes larger better."""

Rows = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Training rows and held-out rows of one split."""


@dataclass(frozen=True)
class TuneSettings:
    """Settings of the comparison of candidates.

    Args:
        folds: Folds of one repeat.
        repeats: Repeats, each with its own shuffle and its own seed of the estimator.
        seed: Random seed of the shuffles and the estimators.
        metric: One of :data:`SIGNS`.

    Raises:
        SettingsError: If a value is outside its rule.
    """

    folds: int = 5
    repeats: int = 3
    seed: int = 0
    metric: str = "mse"

    def __post_init__(self) -> None:
        for name in ("folds", "repeats", "seed"):
            object.__setattr__(self, name, plain_scalar(getattr(self, name)))
        whole(least=2)("folds", self.folds)
        whole(least=1, most=MOST_RUNS)("repeats", self.repeats)
        SEED("seed", self.seed)
        one_of(*SIGNS)("metric", self.metric)

    def splits(self, n: int, hashes: NDArray[np.bytes_] | None = None) -> list[Rows]:
        """Return (training, held-out) indices of cells, ``repeats x folds`` of them.

        Args:
            n: Number of cells.
            hashes: Their module hashes, ``S32 [n]``; equal ones are in one fold. All differ where
                None.

        Raises:
            SettingsError: If there are fewer different cells than folds.
        """
        if hashes is None:
            hashes = np.arange(n).astype("S32")
        self.check_cells(hashes)
        from sklearn.model_selection import RepeatedKFold

        splitter = RepeatedKFold(
            n_splits=self.folds, n_repeats=self.repeats, random_state=self.seed
        )
        return list(grouped_folds(splitter, hashes))

    def check_cells(self, hashes: NDArray[np.bytes_]) -> None:
        """Check that cells can be divided into the folds.

        Args:
            hashes: Their module hashes, ``S32 [n]``.

        Raises:
            SettingsError: If there are fewer different cells than folds.
        """
        n = len(np.unique(hashes))
        if n < self.folds:
            raise SettingsError(f"{self.folds} folds need as many different cells, got {n}")


@dataclass(frozen=True)
class TuneResult:
    """Scores of all candidates and the choice among them.

    Args:
        candidates: The candidates, simplest first.
        scores: ``[candidates, repeats x folds]``, in the metric's own sign; NaN where a training
            diverged, which is worse than any score.
        settings: How they were compared.
        n: Training cells.
        seconds: Time of all fits together.
        fractions: Whether the labels are fractions, so that the error is in squared points.
    """

    candidates: list[Candidate]
    scores: NDArray[np.float64]
    settings: TuneSettings
    n: int
    seconds: float
    fractions: bool = True

    @property
    def cv_results(self) -> dict[str, Any]:
        """The scores as scikit-learn's searches give them, more being better."""
        signed = SIGNS[self.settings.metric] * self.scores
        means = signed.mean(axis=1)
        return {
            "params": self.candidates,
            "mean_test_score": np.where(np.isnan(means), -np.inf, means),
            "std_test_score": signed.std(axis=1),
            **{f"split{i}_test_score": signed[:, i] for i in range(signed.shape[1])},
        }

    @property
    def best(self) -> Candidate:
        """The candidate with the best mean score."""
        return self.candidates[int(np.argmax(self.cv_results["mean_test_score"]))]

    @property
    def chosen(self) -> Candidate:
        """The simplest candidate within one standard error of the best."""
        return self.candidates[one_standard_error(self.cv_results, self.settings.folds)]

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        means, spreads = self.scores.mean(axis=1), self.scores.std(axis=1, ddof=1)
        return {
            "settings": asdict(self.settings),
            "mse_unit": mse_unit(self.fractions) if self.settings.metric == "mse" else None,
            "n": self.n,
            "chosen": self.chosen,
            "best": self.best,
            "candidates": [
                {
                    "params": candidate,
                    "mean": finite_or_none(means[i]),
                    "standard_error": finite_or_none(spreads[i] / np.sqrt(self.settings.folds)),
                    "scores": [finite_or_none(score) for score in self.scores[i]],
                }
                for i, candidate in enumerate(self.candidates)
            ],
            "seconds": self.seconds,
        }


def one_standard_error(cv_results: Mapping[str, Any], folds: int | None = None) -> int:
    """Return the index of the first candidate within one standard error of the best.

    Candidates are in order from the simplest on. With ``folds`` left out this is a ``refit``
    rule for scikit-learn's ``GridSearchCV``. Source: Breiman et al., 1984, section 3.4.3.

    Args:
        cv_results: With ``mean_test_score`` and ``std_test_score``, more being better.
        folds: Independent scores that the standard error counts: the folds of one repeat,
            since repeats share their cells. By default all splits.
    """
    means = np.asarray(cv_results["mean_test_score"], dtype=np.float64)
    splits = sum(key.startswith("split") and key.endswith("_test_score") for key in cv_results)
    best = int(means.argmax())
    # The spread of so few scores from their own mean is less than that from the true one.
    spread = float(cv_results["std_test_score"][best]) * np.sqrt(splits / (splits - 1))
    error = spread / np.sqrt(folds or splits)
    return int(np.argmax(means >= means[best] - error))


def tune(
    estimator: Any,
    candidates: Sequence[Candidate],
    cells: Cells,
    y: ArrayLike,
    settings: TuneSettings | None = None,
    *,
    fits_file: str | os.PathLike[str] | None = None,
    n_jobs: int = 1,
    on_fit: Callable[[int, int], None] | None = None,
    fractions: bool | None = None,
) -> TuneResult:
    """Score every candidate on the same held-out folds of the training cells.

    Args:
        estimator: A scikit-learn regressor over a :class:`CellArray`; its ``random_state``, if
            it has one, becomes the seed plus the repeat.
        candidates: Its parameters to try, from the simplest on.
        cells: The ``N`` training cells; no others are used.
        y: Their labels ``[N]``.
        settings: How they are compared.
        fits_file: Every score is added to this file at once. Fits in the file with the same cells,
            labels and settings are not repeated.
        n_jobs: Processes, through joblib.
        on_fit: Called with (fits done, fits in all).
        fractions: Whether the labels are fractions, so that errors are in squared points. None if
            all of them are from 0 to 1, which seconds may be too.

    Raises:
        SettingsError: If there is no candidate, one names a parameter that the estimator lacks, a
            label is not finite, ``fits_file`` belongs to another comparison, or another process
            uses it.
        DivergedError: If every candidate has a fit that diverged.
    """
    if n_jobs == 0:
        raise SettingsError("n_jobs must be a number of processes, or -1 for all cores; got 0")
    from joblib import Parallel, delayed

    candidates = [
        {name: plain_scalar(value) for name, value in candidate.items()} for candidate in candidates
    ]
    check_candidates(estimator, candidates)
    settings = settings or TuneSettings()
    cells = as_cells(cells)
    labels = finite_labels(y, len(cells))
    fractions = are_fractions(labels) if fractions is None else fractions
    comparison = _Comparison(estimator, cells, labels, settings, fractions)
    splits = settings.splits(len(cells), cells.hashes())
    keys = [json.dumps(candidate, sort_keys=True) for candidate in candidates]
    fits = [(key, split) for key in keys for split in range(len(splits))]

    file = None if fits_file is None else TuningFits(Path(fits_file))
    with nullcontext() if file is None else file.locked():
        done = {} if file is None else file.read(comparison.digest)
        if on_fit is not None:
            on_fit(sum(fit in done for fit in fits), len(fits))
        jobs = (
            delayed(comparison.fit)(candidate, key, split, splits[split])
            for key, candidate in zip(keys, candidates, strict=True)
            for split in range(len(splits))
            if (key, split) not in done
        )
        for key, split, score, seconds in Parallel(n_jobs, return_as="generator_unordered")(jobs):
            done[key, split] = (score, seconds)
            if file is not None:
                file.add(key, split, score, seconds)
            if on_fit is not None:
                on_fit(sum(fit in done for fit in fits), len(fits))

    scores = np.array([done[fit][0] for fit in fits]).reshape(len(keys), len(splits))
    if np.isnan(scores).any(axis=1).all():
        raise DivergedError("every candidate has a fit that diverged; try lower learning rates")
    seconds = sum(done[fit][1] for fit in fits)
    return TuneResult(candidates, scores, settings, len(cells), seconds, fractions)


@dataclass(frozen=True)
class _Comparison:
    """The inputs that all fits of one tuning share."""

    estimator: Any
    cells: CellArray
    labels: NDArray[np.float64]
    settings: TuneSettings
    fractions: bool

    def fit(
        self, candidate: Candidate, key: str, split: int, rows: Rows
    ) -> tuple[str, int, float, float]:
        """Return (key, split, score on the held-out cells, seconds); NaN where a fit diverged."""
        start = time.perf_counter()
        train, held_out = rows
        estimator = self._configured(candidate, split)
        try:
            estimator.fit(self.cells[train], self.labels[train])
        except DivergedError:
            return key, split, float("nan"), time.perf_counter() - start
        asked = self.cells[held_out]
        predicted = checked_predictions(
            estimator.predict(asked), len(asked), lambda row: f"cell {asked[row].hash}"
        )
        score = self._score(self.labels[held_out], predicted)
        if not np.isfinite(score):
            raise SettingsError(
                f"candidate {key}: {self.settings.metric} on fold {split} is {score}"
            )
        return key, split, score, time.perf_counter() - start

    def _configured(self, candidate: Candidate, split: int) -> Any:
        from sklearn.base import clone

        estimator = clone(self.estimator).set_params(**candidate)
        if "random_state" in estimator.get_params(deep=False) and "random_state" not in candidate:
            repeat = split // self.settings.folds
            estimator.set_params(random_state=self.settings.seed + repeat)
        return estimator

    def _score(self, labels: NDArray[np.float64], predicted: NDArray[np.float64]) -> float:
        if self.settings.metric == "mse":
            return mean_squared_error(labels, predicted, self.fractions)
        if np.ptp(predicted) == 0:  # equal predictions rank no cell
            return 0.0
        return kendall_tau(labels, predicted)

    @property
    def digest(self) -> str:
        """A digest of everything that determines a fit's score, without the candidate."""
        parameters = self.estimator.get_params(deep=True)
        base = {name: repr(value) for name, value in parameters.items()}
        compared = [type(self.estimator).__name__, base, asdict(self.settings)]
        if not self.fractions:  # older files have errors of such labels in points
            compared.append(mse_unit(False))
        if (version := code_version(self.estimator)) != __version__:  # with a user's class
            compared.append(version)
        described = json.dumps(compared, sort_keys=True).encode()
        return sha256(described + self.cells.hashes().tobytes() + self.labels.tobytes()).hexdigest()
