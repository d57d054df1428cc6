"""Results of training a cell, and the best cell that they are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import fmean
from typing import TYPE_CHECKING, Any

from pyg_nas.errors import quoted
from pyg_nas.io.limits import LARGEST_FIGURE
from pyg_nas.io.plain_scalar import plain_scalar

if TYPE_CHECKING:
    from pyg_nas.measure.campaigns.job import Run

FIGURES = ("accuracy", "seconds", "test_accuracy", "true_accuracy")
"""The figures of an outcome that every record has."""


@dataclass(frozen=True)
class Rung:
    """Result of training a cell for a smaller budget (:mod:`pyg_nas.search.early_stopping`).

    Args:
        budget: Epochs.
        accuracy: The accuracy after them, a fraction.
        seconds: Training time; None where it is not known.
    """

    budget: int
    accuracy: float
    seconds: float | None = None

    @classmethod
    def checked(cls, budget: Any, accuracy: Any, seconds: Any = None) -> Rung:
        """Return a rung of Python's numbers.

        Raises:
            ValueError: If the budget is no whole number of epochs >= 1, or a figure not finite.
        """
        budget = plain_scalar(budget)
        if type(budget) is not int or budget < 1:
            raise ValueError(f"epochs must be a whole number >= 1, got {budget!r}")
        return cls(budget, _number("accuracy", accuracy), _optional_number("seconds", seconds))


@dataclass(frozen=True)
class Outcome:
    """The results of training one cell, all finite; a search refuses others.

    Args:
        accuracy: The number of the search's goal (:class:`~pyg_nas.search.goal.Goal`): validation
            accuracy by its label policy, a fraction, or another accuracy, score or cost. If the
            cell was stopped early, its expected accuracy.
        seconds: Training time at all budgets together; None where it is not known.
        test_accuracy: Mean test accuracy over the runs; None where not measured.
        true_accuracy: The accuracy from which regret is computed (:class:`Reference`); None where
            not known.
        rungs: Its results at smaller budgets, with early stopping.
        full_seconds: With early stopping, the known or expected seconds of the full budget alone.
        stopped: Whether it was stopped before the full budget; then it cannot be the answer.
    """

    accuracy: float
    seconds: float | None = None
    test_accuracy: float | None = None
    true_accuracy: float | None = None
    rungs: tuple[Rung, ...] = ()
    full_seconds: float | None = None
    stopped: bool = False

    def checked(self) -> Outcome:
        """Return the outcome in Python's numbers.

        Raises:
            ValueError: If a figure is no finite number, or the accuracy is missing.
        """
        return replace(
            self,
            accuracy=_number("accuracy", self.accuracy),
            seconds=_optional_number("seconds", self.seconds),
            test_accuracy=_optional_number("test_accuracy", self.test_accuracy),
            true_accuracy=_optional_number("true_accuracy", self.true_accuracy),
            full_seconds=_optional_number("full_seconds", self.full_seconds),
        )

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready record; early stopping adds to it."""
        record = {name: getattr(self, name) for name in FIGURES}
        if self.rungs:
            record["rungs"] = [[rung.budget, rung.accuracy, rung.seconds] for rung in self.rungs]
            record["full_seconds"] = self.full_seconds
            record["stopped"] = self.stopped
        return record

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> Outcome:
        """Rebuild an outcome from :meth:`to_dict`'s result, whose figures are not checked.

        Raises:
            KeyError: If a figure is missing.
            TypeError: If a rung has too many or too few numbers.
            ValueError: If a number of a rung is invalid.
        """
        return cls(
            **{name: record[name] for name in FIGURES},
            rungs=tuple(Rung.checked(*rung) for rung in record.get("rungs", ())),
            full_seconds=record.get("full_seconds"),
            stopped=record.get("stopped") is True,
        )

    @classmethod
    def from_runs(cls, runs: Sequence[Run]) -> Outcome:
        """Return the mean accuracies of a cell's runs and the training time of all of them.

        The true accuracy is the test accuracy. Failed runs count like the others.
        """
        ends = [run.end for run in runs]
        test = fmean(end.test_accuracy for end in ends)
        return cls(
            fmean(end.validation_accuracy for end in ends),
            sum(end.wall_seconds for end in ends),
            test,
            test,
        )


@dataclass(frozen=True)
class Reference:
    """The best cell that can be found, for simple regret.

    Args:
        best: The best true accuracy in the domain, a fraction, or the best other number of the
            search's goal.
        kind: Which number this is: ``"mean test accuracy"``, ``"validation accuracy"``,
            ``"latency"``.
        hash: Module hash of the cell that has it.
    """

    best: float
    kind: str
    hash: str


def _number(name: str, value: Any, rule: str = "a finite number") -> float:
    if getattr(value, "ndim", None) == 0:  # a scalar of NumPy, or the mean of a tensor
        value = value.item()
    if type(value) not in (int, float) or not abs(value) < LARGEST_FIGURE:
        raise ValueError(f"{name} must be {rule}, got {quoted(value)}")
    return float(value)


def _optional_number(name: str, value: Any) -> float | None:
    return None if value is None else _number(name, value, "a finite number or None")
