"""Early stopping: cells are first trained for small budgets, and hopeless cells are stopped there.

This is asynchronous successive halving (Li et al., arXiv:1810.05934) without pauses: after each
budget, the search decides at once whether a cell is trained for the next one. The runs of the
cells at one budget are a *rung*. A cell is stopped when it is below the best third of its rung and
its accuracy at the full budget is below the best so far with a probability of 95 %.

The learning rate falls to 0 at the end of every budget, so that a run cannot be continued for a
larger budget: the cell is trained again from the start. Its accuracy at the full budget is exactly
that of a search without early stopping. The user's own training code (:mod:`.ask_tell`) instead
reports the accuracy of one run after some of its epochs, and continues that run.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pyg_nas.errors import SettingsError
from pyg_nas.graphs.cell import Cell
from pyg_nas.predictors.scale import robust_std
from pyg_nas.search.evaluators.evaluator import Evaluator
from pyg_nas.search.history import History, Query
from pyg_nas.search.outcome import Rung
from pyg_nas.spaces.measurements import are_budgets

KEPT = 3
"""A cell continues if it is in the best 1 / ``KEPT`` of its rung."""
LEAST = 8
"""Cells trained for the full budget before the first is stopped."""
SURE = 1.645
"""Standard deviations below the best accuracy, for a probability of 5 % to reach it."""
_SMALLEST_STD = 1e-6


@dataclass(frozen=True)
class EarlyStopping:
    """When the training of a cell is stopped.

    Args:
        budgets: Budgets in epochs below the full one, ascending.

    Raises:
        SettingsError: If there is none, or they are not ascending and positive.
    """

    budgets: tuple[int, ...]

    def __post_init__(self) -> None:
        if not are_budgets(self.budgets):
            raise SettingsError(
                f"early stopping needs ascending positive budgets below the full one, got "
                f"{list(self.budgets)}"
            )

    @classmethod
    def of(cls, evaluator: Evaluator) -> EarlyStopping:
        """Create early stopping with the smaller budgets of an evaluator.

        Raises:
            SettingsError: If it has none, or the search is for a cost.
        """
        check_smaller_budgets(evaluator)
        return cls(evaluator.smaller_budgets)

    def describe(self) -> dict[str, Any]:
        """Return JSON-ready settings."""
        return {"budgets": list(self.budgets), "kept": KEPT}


def check_smaller_budgets(evaluator: Evaluator) -> None:
    """Check that an evaluator has accuracies at smaller budgets, which early stopping needs.

    Raises:
        SettingsError: If it has none, or the search is for a cost.
    """
    if not evaluator.goal.larger_is_better:
        raise SettingsError(
            f"early stopping compares accuracies, the search is for {evaluator.goal.name}"
        )
    if not evaluator.smaller_budgets:
        raise SettingsError(
            "early stopping needs a smaller budget, from a ninth of the full one on: a table that "
            "has one, or a task with a budget of at least 3 epochs"
        )


def check_unlimited(max_seconds: float | None) -> None:
    """Check that early stopping is possible with a limit of training time.

    Raises:
        SettingsError: If there is a limit.
    """
    if max_seconds is not None:
        raise SettingsError(
            "training time cannot be limited with early stopping: the time of a stopped cell at "
            "the full budget is not known"
        )


def expected_if_stopped(history: History, cell: Cell, rungs: Sequence[Rung]) -> float | None:
    """Return the expected accuracy of a cell that is to be stopped; None to train it further.

    Args:
        history: All cells with an outcome so far.
        rungs: Its results so far, one at least.
    """
    last = rungs[-1]
    complete = [query for query in history if not query.outcome.stopped]
    pairs = [
        (rung.accuracy, query.outcome.accuracy)
        for query in complete
        for rung in query.outcome.rungs
        if rung.budget == last.budget
    ]
    if len(pairs) < LEAST:
        return None
    others = [r.accuracy for q in history for r in q.outcome.rungs if r.budget == last.budget]
    better = sum(accuracy > last.accuracy for accuracy in others)
    if better < max(1, (len(others) + 1) // KEPT):
        return None
    mean, std = _expectation(pairs, last.accuracy)
    asked = next((p for p in history.pending if p.cell.hash == cell.hash), None)
    predicted = None if asked is None else asked.predicted
    if predicted is not None:
        mean, std = _with_prediction(mean, std, predicted, complete)
    best = max(query.outcome.accuracy for query in complete)
    return mean if mean + SURE * std < best else None


def expected_seconds(history: History, last: Rung) -> float | None:
    """Return the expected seconds of a run for its full budget, which is not known in advance.

    The seconds so far are multiplied by the median ratio of the complete runs in ``history``.
    """
    if last.seconds is None:
        return None
    ratios = [
        query.outcome.full_seconds / rung.seconds
        for query in history
        for rung in query.outcome.rungs
        if rung.budget == last.budget
        and not query.outcome.stopped
        and query.outcome.full_seconds is not None
        and rung.seconds
    ]
    return last.seconds * float(np.median(ratios)) if ratios else None


def _expectation(pairs: Sequence[tuple[float, float]], accuracy: float) -> tuple[float, float]:
    """Return mean and standard deviation at the full budget, by a robust line through ``pairs``."""
    from scipy.stats import theilslopes  # half a second, which refusals need not wait for

    x, y = np.array(pairs).T
    slope, intercept = 0.0, float(np.median(y))
    if np.ptp(x) > 0:
        slope, intercept = theilslopes(y, x)[:2]
    if not slope > 0:  # a few noisy cells
        slope, intercept = 0.0, float(np.median(y))
    return float(intercept + slope * accuracy), _spread(y - intercept - slope * x)


def _with_prediction(
    mean: float, std: float, predicted: float, complete: Sequence[Query]
) -> tuple[float, float]:
    """Return mean and standard deviation with a prediction added, weighed by their precisions."""
    known = [(query.proposal.predicted, query.outcome.accuracy) for query in complete]
    errors = np.array([accuracy - value for value, accuracy in known if value is not None])
    if len(errors) < LEAST:
        return mean, std
    bias, spread = float(np.median(errors)), _spread(errors - np.median(errors))
    first, second = std**-2, spread**-2
    both = (first * mean + second * (predicted + bias)) / (first + second)
    return both, float((first + second) ** -0.5)


def _spread(residuals: Any) -> float:
    return max(robust_std(residuals), _SMALLEST_STD)
