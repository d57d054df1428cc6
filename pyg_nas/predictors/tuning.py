"""Hyper-parameters from the training cells alone: repeated K-fold, one-standard-error rule."""

from __future__ import annotations

import itertools
import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyg_nas.data.splits import grouped_folds
from pyg_nas.errors import DivergedError, SettingsError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.io.json_lines import append_line, cut_torn_line, whole_lines
from pyg_nas.io.json_reader import parse_json
from pyg_nas.io.limits import MOST_RECORDS_BYTES
from pyg_nas.io.regular_files import read_regular
from pyg_nas.metrics.intervals import finite_or_none
from pyg_nas.metrics.regression import are_fractions, kendall_tau, mean_squared_error, mse_unit

SIGNS: dict[str, float] = {"mse": -1.0, "kendall_tau": 1.0}
"""What a fit is scored by, and whether more is better: mean squared error, or Kendall's τ."""

WIDTHS = (48, 72, 96, 144, 210, 320)
"""The widths of arXiv:1912.00848, narrowest first."""

Candidate = dict[str, Any]


@dataclass(frozen=True)
class TuneSettings:
    """How candidates are compared.

    Args:
        folds: Folds of one repeat.
        repeats: Repeats, each with its own shuffle and its own seed of the estimator.
        seed: Of the shuffles and the estimators.
        metric: One of :data:`SIGNS`.

    Raises:
        SettingsError: If a value is outside its rule.
    """

    folds: int = 5
    repeats: int = 3
    seed: int = 0
    metric: str = "mse"

    def __post_init__(self) -> None:
        if self.folds < 2 or self.repeats < 1:
            raise SettingsError(
                f"cross validation needs at least 2 folds and 1 repeat, got {self.folds} and "
                f"{self.repeats}"
            )
        if self.metric not in SIGNS:
            raise SettingsError(f"metric {self.metric!r} must be one of {', '.join(SIGNS)}")

    def splits(
        self, n: int, hashes: NDArray[np.bytes_] | None = None
    ) -> list[tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Return (training, held-out) indices of cells, ``repeats x folds`` of them.

        Args:
            n: How many cells.
            hashes: Their module hashes, ``S32 [n]``; equal ones are in one fold. All differ where
                None.

        Raises:
            SettingsError: If there are fewer different cells than folds.
        """
        if hashes is None:
            hashes = np.arange(n).astype("S32")
        n = len(np.unique(hashes))
        if n < self.folds:
            raise SettingsError(f"{self.folds} folds need as many different cells, got {n}")
        from sklearn.model_selection import RepeatedKFold

        splitter = RepeatedKFold(
            n_splits=self.folds, n_repeats=self.repeats, random_state=self.seed
        )
        return list(grouped_folds(splitter, hashes))


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
    cells: CellArray,
    y: ArrayLike,
    settings: TuneSettings | None = None,
    *,
    fits_file: str | os.PathLike[str] | None = None,
    n_jobs: int = 1,
    on_fit: Callable[[int, int], None] | None = None,
) -> TuneResult:
    """Score every candidate on the same held-out folds of the training cells.

    Args:
        estimator: A scikit-learn regressor over a :class:`CellArray`; its ``random_state``, if
            it has one, becomes the seed plus the repeat.
        candidates: Its parameters to try, from the simplest on.
        cells: The ``N`` training cells; no others are ever looked at.
        y: Their labels ``[N]``; of fractions the error is in squared points.
        settings: How they are compared.
        fits_file: Every fit's score is added to this file as it comes. Where the file has some
            of the same cells, labels and settings, they are not fitted again.
        n_jobs: Processes, through joblib.
        on_fit: Called with (fits done, fits in all).

    Raises:
        SettingsError: If there is no candidate, one names a parameter that the estimator lacks,
            or ``fits_file`` belongs to another comparison.
        DivergedError: If a training of every candidate diverged.
    """
    if n_jobs == 0:
        raise SettingsError("n_jobs must be a number of processes, or -1 for all cores; got 0")
    settings = settings or TuneSettings()
    from joblib import Parallel, delayed

    labels = np.asarray(y, dtype=np.float64)
    fractions = are_fractions(labels)
    listed = [dict(candidate) for candidate in candidates]
    _check_candidates(estimator, listed)
    splits = settings.splits(len(cells), cells.hashes())
    journal = None if fits_file is None else _Fits(Path(fits_file))
    done: dict[tuple[str, int], tuple[float, float]] = {}
    if journal is not None:
        done = journal.open(_fingerprint(estimator, cells, labels, settings))
    keys = [json.dumps(candidate, sort_keys=True) for candidate in listed]
    wanted = [(key, s) for key in keys for s in range(len(splits))]
    missing = [(key, split) for key, split in wanted if (key, split) not in done]
    progress = len(wanted) - len(missing)
    if on_fit is not None:
        on_fit(progress, len(wanted))
    jobs = (
        delayed(_fit)(
            key,
            split,
            _configured(estimator, listed[keys.index(key)], settings, split),
            cells,
            labels,
            splits[split],
            settings.metric,
            fractions,
        )
        for key, split in missing
    )
    for key, split, score, seconds in Parallel(n_jobs=n_jobs, return_as="generator_unordered")(
        jobs
    ):
        done[key, split] = (score, seconds)
        if journal is not None:
            journal.append(key, split, score, seconds)
        progress += 1
        if on_fit is not None:
            on_fit(progress, len(wanted))
    scores = np.array([[done[key, s][0] for s in range(len(splits))] for key in keys])
    if np.isnan(scores).any(axis=1).all():
        raise DivergedError("a training of every candidate diverged; try lower learning rates")
    spent = sum(done[key, s][1] for key, s in wanted)
    return TuneResult(listed, scores, settings, len(cells), spent, fractions)


def width_candidates(estimator: Any) -> list[Candidate]:
    """Return :data:`WIDTHS` as candidates for an estimator's networks, all of one width.

    Raises:
        SettingsError: If it has no networks.
    """
    given = estimator.get_params()
    names = [name for name in given if name.rpartition("__")[2] == "hidden"]
    if not names or given.get("ensemble_size") == 0:
        raise SettingsError(
            f"{estimator!r} has no network whose width could be tuned; name a grid of its settings"
        )
    return [dict.fromkeys(names, width) for width in WIDTHS]


def read_grid(description: Any) -> list[Candidate]:
    """Return the candidates of a grid, simplest first.

    A grid is a list of objects (the candidates in order), or an object that maps each parameter
    to its values, simplest first: all combinations, ordered by how far they are from the first
    values, positions added up.

    Raises:
        SettingsError: If it is neither, or holds no candidate.
    """
    if isinstance(description, list):
        candidates = description
        if not all(isinstance(candidate, dict) for candidate in candidates):
            raise SettingsError("a grid's list must hold objects of parameters")
    elif isinstance(description, dict):
        values = list(description.values())
        if not all(isinstance(choices, list) for choices in values):
            raise SettingsError("a grid must map each parameter to a list of values")
        positions = itertools.product(*(range(len(choices)) for choices in values))
        candidates = [
            dict(
                zip(
                    description,
                    (choices[i] for choices, i in zip(values, at, strict=True)),
                    strict=True,
                )
            )
            for at in sorted(positions, key=sum)
        ]
    else:
        raise SettingsError(f"a grid must be a JSON object or list, got {description!r}")
    if not candidates or candidates == [{}]:
        raise SettingsError("a grid needs at least one candidate")
    return candidates


class _Fits:
    """The file of finished fits: a line that says what is compared, and then one line a fit."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def open(self, fingerprint: str) -> dict[tuple[str, int], tuple[float, float]]:
        """Return the fits that are there; begin the file where there is none."""
        if not self.path.exists():
            self.path.parent.mkdir(parents=True, exist_ok=True)
            append_line(self.path, {"comparison": fingerprint})
            return {}
        written, length = whole_lines(read_regular(self.path, MOST_RECORDS_BYTES))
        try:
            head, *lines = [parse_json(line) for line in written]
            found = {
                (fit["candidate"], fit["split"]): (
                    np.nan if fit["score"] is None else fit["score"],
                    fit["seconds"],
                )
                for fit in lines
            }
            comparison = head["comparison"]
        except (ValueError, KeyError, TypeError) as error:
            raise SettingsError(f"{self.path}: not a file of fits ({error!r})") from None
        if comparison != fingerprint:
            raise SettingsError(
                f"{self.path}: holds fits of other cells, labels or settings; choose another "
                f"file, or delete it"
            )
        cut_torn_line(self.path, length)
        return found

    def append(self, candidate: str, split: int, score: float, seconds: float) -> None:
        fit = {
            "candidate": candidate,
            "split": split,
            "score": finite_or_none(score),
            "seconds": seconds,
        }
        append_line(self.path, fit)


def _fit(
    key: str,
    split: int,
    estimator: Any,
    cells: CellArray,
    labels: NDArray[np.float64],
    rows: tuple[NDArray[np.int64], NDArray[np.int64]],
    metric: str,
    fractions: bool,
) -> tuple[str, int, float, float]:
    start = time.perf_counter()
    train, held_out = rows
    try:
        estimator.fit(cells[train], labels[train])
    except DivergedError:
        return key, split, float("nan"), time.perf_counter() - start
    predicted = np.asarray(estimator.predict(cells[held_out]), dtype=np.float64)
    if metric == "mse":
        score = mean_squared_error(labels[held_out], predicted, fractions)
    elif np.ptp(predicted) == 0:
        # Saying the same of every cell ranks none of them: no correlation.
        score = 0.0
    else:
        score = kendall_tau(labels[held_out], predicted)
    if not np.isfinite(score):
        raise SettingsError(f"candidate {key}: {metric} on fold {split} is {score}")
    return key, split, score, time.perf_counter() - start


def _configured(estimator: Any, candidate: Candidate, settings: TuneSettings, split: int) -> Any:
    from sklearn.base import clone

    configured = clone(estimator).set_params(**candidate)
    if "random_state" in configured.get_params(deep=False) and "random_state" not in candidate:
        configured.set_params(random_state=settings.seed + split // settings.folds)
    return configured


def _check_candidates(estimator: Any, candidates: list[Candidate]) -> None:
    if not candidates:
        raise SettingsError("nothing to tune: no candidate was given")
    known = estimator.get_params(deep=True)
    for candidate in candidates:
        unknown = sorted(set(candidate) - set(known))
        if unknown:
            raise SettingsError(
                f"candidate {candidate!r}: {type(estimator).__name__} has no parameter "
                f"{', '.join(unknown)}; it has {', '.join(sorted(known))}"
            )


def _fingerprint(
    estimator: Any, cells: CellArray, labels: NDArray[np.float64], settings: TuneSettings
) -> str:
    """A digest of everything that a fit's score depends on but the candidate."""
    base = {name: repr(value) for name, value in estimator.get_params(deep=True).items()}
    compared = [type(estimator).__name__, base, asdict(settings)]
    if not are_fractions(labels):  # there are files with errors of such labels in points
        compared.append(mse_unit(False))
    described = json.dumps(compared, sort_keys=True)
    return sha256(described.encode() + cells.hashes().tobytes() + labels.tobytes()).hexdigest()
