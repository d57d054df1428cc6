"""Comparison of predictors on the same draws of training cells; finished fits are on disk."""

from __future__ import annotations

import logging
import os
import time
import warnings
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.data.protocols.label_texts import fallback_note
from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.protocols.protocol import Protocol, Split
from pyg_nas.data.protocols.splits import is_random, labels_needed
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import (
    DivergedError,
    SettingsError,
    check_count,
    first_repeated,
    one_line,
    quoted,
)
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.io.limits import MOST_RUNS
from pyg_nas.io.text import counted
from pyg_nas.metrics.regression import regression_metrics
from pyg_nas.predictors.evaluation import has_fractions
from pyg_nas.predictors.model_selection.comparison_fits import (
    ComparisonFits,
    Fit,
    FitKey,
)
from pyg_nas.predictors.predictions import checked_predictions
from pyg_nas.predictors.predictor_version import predictor_version
from pyg_nas.predictors.recipes import check_recipe, check_subject, make_estimator
from pyg_nas.visualization.prediction_charts import no_correlation

_log = logging.getLogger(__name__)

Progress = Callable[[int, int, str], None]
"""Receives the number of finished fits, the number of all fits, and a text about the last fit."""


@dataclass(frozen=True)
class ComparisonSettings:
    """Settings of a comparison.

    Args:
        predictors: Recipes, or classes as ``module:Class`` or ``file.py:Class``.
        train: Splits of training cells.
        draws: Draws of each split. Draw ``d`` has the random seed ``seed + d``, for the choice of
            the training cells and for the fit.
        seed: The first random seed.
        evaluate: Split of the evaluated cells; training cells are left out of it.
        evaluation_label: The label that predictions are compared with; None for that of training.

    Raises:
        SettingsError: If there is no predictor or split, one is named twice, or a name or a
            number is outside its rule.
    """

    predictors: tuple[str, ...]
    train: tuple[str, ...]
    draws: int = 5
    seed: int = 0
    evaluate: str = "all"
    evaluation_label: LabelPolicy | None = None

    def __post_init__(self) -> None:
        for what, names in (("predictors", self.predictors), ("train", self.train)):
            if not names or not all(names):
                raise SettingsError(f"{what} must be names, got {quoted(','.join(names))}")
            if repeated := first_repeated(names):
                raise SettingsError(f"{what} must differ, {quoted(repeated[0])} is named twice")
        check_count("draws", self.draws, MOST_RUNS)
        for train in self.train:
            self.protocol(train, 0)
        for predictor in self.predictors:
            check_recipe(predictor)
            check_subject(predictor, of_networks=False)

    def protocol(self, train: str, draw: int, label: LabelPolicy | None = None) -> Protocol:
        """Return the protocol of one draw of training cells."""
        return Protocol(train, self.evaluate, self.seed + draw, label, self.evaluation_label)


@dataclass(frozen=True)
class Comparison:
    """A finished comparison.

    Args:
        settings: Its settings.
        protocol: Labels and evaluated cells; its training cells are those of the first split.
        space: Name of the search space.
        fits: All fits, in the order of draws, splits and predictors.
        fractions: Whether labels are fractions, so that errors are in squared points.
        labelled: Cells of the table that have a label.
        notes: Sentences that belong to every result of it.
    """

    settings: ComparisonSettings
    protocol: Protocol
    space: str
    fits: list[Fit]
    fractions: bool
    labelled: int
    notes: tuple[str, ...] = ()

    def shown_name(self, predictor: str) -> str:
        """Return a predictor's name in figures and tables; of a user's class without a path."""
        short = predictor.rpartition(":")[2]
        same = [name for name in self.settings.predictors if name.rpartition(":")[2] == short]
        return short if len(same) == 1 else predictor

    def values(self, predictor: str, train: str, figure: str) -> NDArray[np.float64]:
        """Return a figure of each draw, ``[draws]``, NaN where not defined."""
        found = {fit.key: fit.figures for fit in self.fits}
        return np.array(
            [
                found[predictor, train, draw].get(figure, np.nan)
                for draw in range(self.settings.draws)
            ]
        )

    def training_cells(self, train: str) -> float:
        """Return the number of training cells of a split, the mean over its draws."""
        return float(np.mean([fit.training_cells for fit in self.fits if fit.train == train]))

    def labels_used(self, train: str) -> float:
        """Return how many labels a split needs: of training cells, and of those it leaves out."""
        return labels_needed(train, self.training_cells(train), self.labelled)

    @property
    def problems(self) -> list[str]:
        """Which metrics are not defined, and why, one sentence for each kind."""
        counts = Counter(
            (fit.predictor, fit.problem, fit.train) for fit in self.fits if fit.problem is not None
        )
        splits: dict[tuple[str, str, int], list[str]] = {}
        for (predictor, problem, train), count in counts.items():
            splits.setdefault((predictor, problem, count), []).append(train)
        draws = counted(self.settings.draws, "draw")
        return [
            f"{self.shown_name(predictor)}, {_named_splits(trains)}, {count} of {draws}"
            f"{' each' if len(trains) > 1 else ''}: {problem}."
            for (predictor, problem, count), trains in splits.items()
        ]


def _named_splits(names: Sequence[str]) -> str:
    *others, last = names
    return f"splits {', '.join(others)} and {last}" if others else f"split {last}"


def compare_predictors(
    table: Table,
    settings: ComparisonSettings,
    label: LabelPolicy | None = None,
    folder: str | os.PathLike[str] | None = None,
    device: str = "auto",
    n_jobs: int = 1,
    progress: Progress | None = None,
) -> Comparison:
    """Fit every predictor to the same draws of training cells and evaluate it on the other cells.

    Args:
        table: Cells and labels.
        settings: Settings of the comparison.
        label: The label of training, and of evaluation if the settings have no other; the table's
            default where None.
        folder: Every finished fit is added to its ``fits.jsonl``. Fits in this file are not
            repeated, so that more predictors, splits and draws can be added.
        device: A torch device name, or ``"auto"``.
        n_jobs: Processes, through joblib; -1 for one on each core.
        progress: Called at the beginning and after each fit.

    Raises:
        SettingsError: If a split is not possible on the table, larger values are better of one of
            the two labels alone, or the folder has a comparison with other settings; or after the
            fits of all other predictors, if one fails.
    """
    from joblib import delayed

    if n_jobs == 0:
        raise SettingsError("jobs must be a number of processes, or -1 for all cores; got 0")
    if settings.evaluation_label == (label or table.default_label):
        settings = replace(settings, evaluation_label=None)
    protocol = settings.protocol(settings.train[0], 0, label).on(table)
    protocol.check_directions(table)
    splits = _Splits(table, settings, protocol)
    for train in settings.train:
        splits.of(train, 0)
    versions = {
        name: predictor_version(make_estimator(name, protocol.label, settings.seed, device))
        for name in settings.predictors
    }
    file = None if folder is None else ComparisonFits(folder)
    labels = table.label(protocol.label)
    fractions = has_fractions(table, protocol)
    wanted = [
        (predictor, train, draw)
        for draw in range(settings.draws)
        for train in settings.train
        for predictor in settings.predictors
    ]
    notes = _notes(table, settings, protocol, device)
    with nullcontext() if file is None else file.locked():
        done: dict[FitKey, Fit] = {}
        if file is not None:
            done = file.read(_header(table, labels, protocol, settings, device))
            file.check_versions(versions, splits.digests)

        def job(key: FitKey) -> Any:
            split = splits.of(*key[1:])
            return delayed(_fit)(key, table.cells, split, protocol, settings, device, fractions)

        def keep(fit: Fit) -> None:
            done[fit.key] = fit
            if file is not None:
                file.add(fit, versions[fit.predictor], splits.digests[fit.train])

        missing = [key for key in wanted if key not in done]
        failures = _fit_missing(missing, len(wanted), job, keep, n_jobs, progress)
    if failures:
        first, *_ = failures.values()
        named = "; ".join(map(str, failures.values()))
        kept = "" if file is None else "; the other fits are kept for the next run"
        raise SettingsError(named + kept) from first.__cause__
    fits = [done[key] for key in wanted]
    labelled = int(np.isfinite(labels).sum())
    return Comparison(settings, protocol, table.space.name, fits, fractions, labelled, notes)


def _fit_missing(
    missing: Sequence[FitKey],
    total: int,
    job: Callable[[FitKey], Any],
    keep: Callable[[Fit], None],
    n_jobs: int,
    progress: Progress | None,
) -> dict[str, SettingsError]:
    """Fit what is missing of all fits, and return the first failure of each predictor.

    A predictor that has failed is not fitted again.
    """
    from joblib import Parallel

    failures: dict[str, SettingsError] = {}
    finished = total - len(missing)
    show = progress or (lambda done, of, text: None)
    show(finished, total, "")
    waiting = {predictor for predictor, _, _ in missing}
    jobs = (job(key) for key in missing if key[0] not in failures)
    with warnings.catch_warnings():
        # A worker whose memory grows by the features of the cells is replaced by another one.
        warnings.filterwarnings("ignore", "A worker stopped while some jobs")
        for key, fit in Parallel(n_jobs=n_jobs, return_as="generator_unordered")(jobs):
            if isinstance(fit, Fit):
                keep(fit)
                finished += 1
                show(finished, total, f"{fit.predictor}, split {fit.train}")
            elif key[0] not in failures:
                failures[key[0]] = fit
                if len(failures) < len(waiting):
                    _log.warning(f"{fit}; the fits of other predictors continue")
    return failures


class _Splits:
    """The draws of training cells, each computed when it is first used; the last one is kept."""

    def __init__(self, table: Table, settings: ComparisonSettings, protocol: Protocol) -> None:
        self._table, self._settings, self._label = table, settings, protocol.label
        self._last: tuple[tuple[str, int], Split] | None = None
        self.digests: dict[str, str | None] = {}

    def of(self, train: str, draw: int) -> Split:
        if self._last is None or self._last[0] != (train, draw):
            protocol = self._settings.protocol(train, draw, self._label).on(self._table)
            self.digests[train] = protocol.train_digest
            split = protocol.apply(self._table)
            if not len(split.evaluate):
                raise SettingsError(
                    f"train {train!r}: no cell of the split {self._settings.evaluate!r} is left "
                    f"to evaluate on"
                )
            self._last = (train, draw), split
        return self._last[1]


def _fit(
    key: FitKey,
    cells: CellArray,
    split: Split,
    protocol: Protocol,
    settings: ComparisonSettings,
    device: str,
    fractions: bool,
) -> tuple[FitKey, Fit | SettingsError]:
    """Fit one predictor, in a worker process that imports the user's class again.

    A failure is returned, and not raised, so that the fits of other predictors continue.
    """
    predictor, train, draw = key
    label = protocol.label or LabelPolicy()
    compared = protocol.evaluation_label or label
    start = time.perf_counter()
    problem = None
    figures: dict[str, float] = {}
    try:
        estimator = make_estimator(predictor, label, settings.seed + draw, device)
        estimator.fit(cells[split.train], split.train_labels)
        fitted = time.perf_counter()
        # All cells of the table: their features are then computed once in each process.
        predicted = checked_predictions(
            estimator.predict(cells), len(cells), lambda row: f"cell {cells[row].hash}"
        )
        predicted_at = time.perf_counter()
        measured = split.evaluate_labels
        figures = regression_metrics(
            measured, predicted[split.evaluate], compared.larger_is_better, fractions
        )
        if np.isnan(list(figures.values())).any():
            problem = f"correlations are not defined, {no_correlation(measured)}"
    except DivergedError as error:
        fitted = predicted_at = time.perf_counter()
        problem = one_line(error)
    except (Exception, SystemExit) as error:  # a user's class may raise anything
        failure = SettingsError(
            f"predictor {predictor}, split {train}, draw {draw}: {type(error).__name__}: "
            f"{one_line(error)}"
        )
        failure.__cause__ = error
        return key, failure
    return key, Fit(
        predictor,
        train,
        draw,
        len(split.train),
        len(split.evaluate),
        fitted - start,
        predicted_at - fitted,
        figures,
        problem,
    )


def _header(
    table: Table,
    labels: NDArray[np.float64],
    protocol: Protocol,
    settings: ComparisonSettings,
    device: str,
) -> dict[str, Any]:
    compared = {}
    if protocol.evaluation_label is not None:
        measured = table.label(protocol.evaluation_label)
        compared = {
            "evaluation_label": protocol.evaluation_label.to_dict(),
            "evaluation_labels_sha256": sha256(measured.tobytes()).hexdigest(),
        }
    return {
        **compared,
        "space": table.space.name,
        "cells": len(table),
        "labels_sha256": sha256(table.hashes.tobytes() + labels.tobytes()).hexdigest(),
        "label": protocol.training_label(table).to_dict(),
        "evaluate": settings.evaluate,
        "evaluate_digest": protocol.evaluate_digest,
        "seed": settings.seed,
        "device": device,
    }


def _notes(
    table: Table, settings: ComparisonSettings, protocol: Protocol, device: str
) -> tuple[str, ...]:
    label = protocol.training_label(table)
    rows = replace(protocol, train="all").evaluated(table, np.empty(0, "S32"))[0]
    notes = [fallback_note(table, rows, protocol.compared_label(table), "cells of the split")]
    fixed = [train for train in settings.train if not is_random(train)]
    if fixed and settings.draws > 1:
        notes.append(
            f"All draws of {_named_splits(fixed)} have the same training cells: they differ in the "
            f"random seed of the fit alone."
        )
    if table.space.support.transfer_table is not None:
        transferring = [
            name
            for name in settings.predictors
            if make_estimator(name, label, settings.seed, device).get_params().get("transfer")
        ]
        if transferring:
            notes.append(
                f"Also fitted with measurements of another task, which come with the package: "
                f"{', '.join(transferring)}."
            )
    return tuple(filter(None, notes))
