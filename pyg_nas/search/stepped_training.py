"""Training budget by budget, for the built-in worker of a search with early stopping."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from pyg_nas.graphs.cell import Cell
from pyg_nas.search.early_stopping import (
    EarlyStopping,
    check_smaller_budgets,
    expected_if_stopped,
)
from pyg_nas.search.evaluators.evaluator import Evaluator, OnEnd, Wanted, train_checked
from pyg_nas.search.history import History
from pyg_nas.search.outcome import Outcome, Rung


@dataclass(frozen=True)
class SteppedTraining:
    """An evaluator's training, budget by budget.

    Args:
        stopping: When to stop.
        history: The outcomes so far, to which the caller adds each as it comes.

    Raises:
        SettingsError: If the evaluator has no smaller budgets.
    """

    evaluator: Evaluator
    stopping: EarlyStopping
    history: History

    def __post_init__(self) -> None:
        check_smaller_budgets(self.evaluator)

    def train(self, wanted: Wanted, on_end: OnEnd) -> None:
        """Train cells for the full budget, as :meth:`Evaluator.train`, or stop them before.

        A cell that is trained further comes before the next one.
        """
        rungs: dict[str, list[Rung]] = {}
        further: deque[tuple[Cell, int | None]] = deque()
        waiting = iter(wanted)
        budgets: tuple[int | None, ...] = (*self.stopping.budgets, None)

        def pairs() -> Iterator[tuple[Cell, int | None]]:
            while True:
                if further:
                    yield further.popleft()
                    continue
                cell, _ = next(waiting, (None, None))
                if cell is None:
                    return
                rungs[cell.hash] = []
                yield cell, budgets[0]

        def ended(cell: Cell, budget: int | None, outcome: Outcome | str) -> None:
            done = rungs[cell.hash]
            if isinstance(outcome, str):
                on_end(cell, None, outcome)
            elif budget is None:
                on_end(cell, None, self._complete(outcome, done))
            else:
                done.append(Rung(budget, outcome.accuracy, outcome.seconds))
                expected = expected_if_stopped(self.history, cell, done)
                if expected is None:
                    further.append((cell, budgets[budgets.index(budget) + 1]))
                else:
                    on_end(cell, None, self._stopped(cell, expected, done))

        while True:
            train_checked(self.evaluator, pairs(), ended)
            # The last cell may be trained further after all others have ended.
            if not further:
                return

    def _complete(self, outcome: Outcome, rungs: Sequence[Rung]) -> Outcome:
        seconds = outcome.seconds
        return replace(
            outcome,
            seconds=_total([*(rung.seconds for rung in rungs), seconds]),
            rungs=tuple(rungs),
            full_seconds=seconds,
        )

    def _stopped(self, cell: Cell, expected: float, rungs: Sequence[Rung]) -> Outcome:
        return Outcome(
            expected,
            _total([rung.seconds for rung in rungs]),
            rungs=tuple(rungs),
            full_seconds=self.evaluator.full_seconds(cell, rungs),
            stopped=True,
        )


def _total(seconds: Sequence[float | None]) -> float | None:
    known = [value for value in seconds if value is not None]
    return sum(known) if len(known) == len(seconds) else None
