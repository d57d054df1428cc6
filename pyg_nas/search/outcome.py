"""Results of training a cell, and the best cell that they are compared with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyg_nas.measure.job import Run


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


@dataclass(frozen=True)
class Outcome:
    """The results of training one cell, all finite; a search refuses others.

    Args:
        accuracy: The accuracy that the search maximises, a fraction: validation accuracy by its
            label policy. If the cell was stopped early, its expected accuracy.
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
        best: The best true accuracy in the domain, a fraction.
        kind: Which accuracy this is: ``"mean test accuracy"`` or ``"validation accuracy"``.
        hash: Module hash of the cell that has it.
    """

    best: float
    kind: str
    hash: str
