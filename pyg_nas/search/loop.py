"""The built-in worker: asks a search for cells, trains or looks them up, and tells the outcomes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial

from pyg_nas.errors import MeasureError, check_count
from pyg_nas.graphs.cell import Cell
from pyg_nas.io.callbacks import Callback
from pyg_nas.io.text import counted
from pyg_nas.search.ask_tell import Search
from pyg_nas.search.candidate import Candidate
from pyg_nas.search.constraints import Constraints
from pyg_nas.search.domain import named, thing_in
from pyg_nas.search.early_stopping import EarlyStopping, check_unlimited
from pyg_nas.search.evaluators.evaluator import Evaluator, OnEnd, Wanted, train_checked
from pyg_nas.search.history import Query
from pyg_nas.search.methods.strategies import Strategy
from pyg_nas.search.outcome import Outcome
from pyg_nas.search.result import SearchResult
from pyg_nas.search.search_folder.folder import SearchFolder
from pyg_nas.search.stepped_training import SteppedTraining

WORKER = "search"
"""Name of this worker in a search folder."""
_MOST_FAILED_FIRST = 3


def search(
    strategy: Strategy,
    evaluator: Evaluator,
    budget: int,
    seed: int = 0,
    constraints: Constraints | None = None,
    folder: SearchFolder | None = None,
    on_query: Callable[[int, Query], None] | None = None,
    early_stopping: EarlyStopping | None = None,
    callback: Callback | None = None,
) -> SearchResult:
    """Query up to ``budget`` different cells and return the best.

    Every query is recorded at once. After an interrupt or a kill, the same call resumes from
    ``folder``: it first trains unfinished cells, and then queries exactly the cells of an
    uninterrupted search. With a larger budget it continues as if it had been started with that
    budget. An evaluator with several workers gets the next cell whenever one of them is free
    (:meth:`Evaluator.train <pyg_nas.search.evaluators.evaluator.Evaluator.train>`).

    Args:
        strategy: Chooses the cells.
        evaluator: Trains the cells.
        budget: Largest number of cells to train.
        seed: Random seed of all choices.
        constraints: The constraints on the answer.
        folder: Where queries are recorded, and read from first.
        on_query: Called after each new query with its index.
        early_stopping: Train cells for smaller budgets first, and stop hopeless ones there.
        callback: Receives the figures of each new query, after ``on_query``, and of the result.

    Raises:
        SettingsError: If the budget is no positive whole number, parameters are limited but not
            known, no cell is within the limit, another search works in the folder, or the evaluator
            does not give one result for each cell; or if training time is limited with early
            stopping, or the evaluator cannot train for smaller budgets.
        MeasureError: If the first three cells, or all, cannot be trained. They are trained again
            when the search is resumed.
    """
    check_count("the budget of a search, in cells,", budget)
    if early_stopping is not None and constraints is not None:
        check_unlimited(constraints.max_seconds)
    with nullcontext() if folder is None else folder.locked():
        asked = Search(
            folder, evaluator=evaluator, strategy=strategy, seed=seed, constraints=constraints
        )
        train: Callable[[Wanted, OnEnd], None] = partial(train_checked, evaluator)
        if early_stopping is not None:
            train = SteppedTraining(evaluator, early_stopping, asked.ledger.history).train
        _Worker(asked, budget, on_query, callback).run(train)
        result = asked.result
    if callback is not None:
        callback.on_end(result.figures())
    return result


@dataclass
class _Worker:
    """Takes candidates of a search until its budget is used up.

    Attributes:
        resumed: Candidates that this worker had when it was stopped.
        training: Those in training, by module hash.
        failed: Those that failed before any other cell was trained, each with the reason.
    """

    search: Search
    budget: int
    on_query: Callable[[int, Query], None] | None
    callback: Callback | None

    def __post_init__(self) -> None:
        self.resumed = self.search.pending(WORKER)
        self.training: dict[str, Candidate] = {}
        self.failed: list[tuple[Candidate, str]] = []

    def run(self, train: Callable[[Wanted, OnEnd], None]) -> None:
        """Train until the budget is used up or no cell is left."""
        train(((candidate.cell, None) for candidate in self._candidates()), self._on_end)
        if self.failed:
            raise self._nothing_trained()

    def _candidates(self) -> Iterator[Candidate]:
        while candidate := self._next():
            self.training[candidate.cell.hash] = candidate
            yield candidate

    def _next(self) -> Candidate | None:
        if self.resumed:
            return self.resumed.pop(0)
        left = self.budget - self.search.ledger.num_begun
        return next(iter(self.search.ask(1, worker=WORKER)), None) if left > 0 else None

    def _on_end(self, cell: Cell, _: int | None, outcome: Outcome | str) -> None:
        candidate = self.training.pop(cell.hash)
        ledger = self.search.ledger
        if isinstance(outcome, Outcome):
            ledger.answer(candidate.id, outcome)
            for earlier, reason in self.failed:
                ledger.fail(earlier.id, reason)
            self.failed.clear()
            last = len(ledger.history) - 1
            if self.on_query is not None:
                self.on_query(last, ledger.history[last])
            if self.callback is not None:
                self.callback.on_query(last, ledger.history[last].figures())
        elif len(ledger.history):
            ledger.fail(candidate.id, outcome)
        else:
            # A failure before any success may be caused by the settings, and not by the cell: it is
            # recorded only after a success, so that otherwise a resumed search trains the cell.
            self.failed.append((candidate, outcome))
            if len(self.failed) == _MOST_FAILED_FIRST:
                raise self._nothing_trained()

    def _nothing_trained(self) -> MeasureError:
        (first, reason), *others = self.failed
        count = counted(len(self.failed), thing_in(first.cell.space))
        all_of_them = f"the first {count} failed, " if others else ""
        return MeasureError(f"{all_of_them}{named(first.cell)}: {reason}")
