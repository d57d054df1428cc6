"""The built-in worker: asks a search for cells, trains or looks them up, and tells the outcomes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass

from pyg_nas.errors import MeasureError, SettingsError
from pyg_nas.graphs.cell import Cell
from pyg_nas.io.text import counted
from pyg_nas.search.ask_tell import Search
from pyg_nas.search.candidate import Candidate
from pyg_nas.search.constraints import Constraints
from pyg_nas.search.early_stopping import EarlyStopping, SteppedTraining, check_unlimited
from pyg_nas.search.evaluator import Evaluator, RungEvaluator, WorkerEvaluator
from pyg_nas.search.folder import SearchFolder
from pyg_nas.search.history import Query
from pyg_nas.search.outcome import Outcome
from pyg_nas.search.result import SearchResult
from pyg_nas.search.strategies import Strategy

WORKER = "search"
"""Name of this worker in a search folder."""


def search(
    strategy: Strategy,
    evaluator: Evaluator,
    budget: int,
    seed: int = 0,
    constraints: Constraints | None = None,
    folder: SearchFolder | None = None,
    on_query: Callable[[int, Query], None] | None = None,
    early_stopping: EarlyStopping | None = None,
) -> SearchResult:
    """Query up to ``budget`` different cells and return the best.

    Every query is recorded at once. After an interrupt or a kill, the same call resumes from
    ``folder``: it first trains unfinished cells, and then queries exactly the cells of an
    uninterrupted search. With a larger budget it continues as if it had been started with that
    budget. An evaluator with several workers (:class:`WorkerEvaluator`) gets the next cell
    whenever one of them is free.

    Args:
        strategy: Chooses the cells.
        evaluator: Trains the cells.
        budget: Largest number of cells to train.
        seed: Seed for all random choices.
        constraints: The constraints on the answer.
        folder: Where queries are recorded, and read from first.
        on_query: Called after each new query with its index.
        early_stopping: Train cells for smaller budgets first, and stop hopeless ones there.

    Raises:
        SettingsError: If the budget is not positive, parameters are limited but not known, no
            cell is within the limit, another search works in the folder, or the evaluator returns
            fewer or more outcomes than cells; or if training time is limited with early stopping,
            or the evaluator cannot train for smaller budgets.
        MeasureError: If no cell can be trained.
    """
    if budget < 1:
        raise SettingsError(f"a search needs a budget of at least 1 cell, got {budget}")
    if early_stopping is not None and constraints is not None:
        check_unlimited(constraints.max_seconds)
    with nullcontext() if folder is None else folder.locked():
        asked = Search(
            folder, evaluator=evaluator, strategy=strategy, seed=seed, constraints=constraints
        )
        trainer: Evaluator | WorkerEvaluator = evaluator
        if early_stopping is not None:
            if not isinstance(evaluator, RungEvaluator):
                raise SettingsError("early stopping needs an evaluator that has smaller budgets")
            trainer = SteppedTraining(evaluator, early_stopping, asked.ledger.history)
        _Worker(asked, trainer, budget, on_query).run()
        return asked.result


@dataclass
class _Worker:
    """Takes candidates of a search until its budget is used up."""

    search: Search
    evaluator: Evaluator | WorkerEvaluator
    budget: int
    on_query: Callable[[int, Query], None] | None

    def __post_init__(self) -> None:
        # Candidates that this worker had when it was stopped.
        self.resumed = self.search.pending(WORKER)

    def run(self) -> None:
        """Train until the budget is used up or no cell is left."""
        evaluator = self.evaluator
        if isinstance(evaluator, WorkerEvaluator):
            self._run_workers(evaluator)
        else:
            while candidates := self._next_batch():
                self._evaluate(evaluator, candidates)

    @property
    def _left(self) -> int:
        return self.budget - self.search.ledger.num_begun

    def _next_batch(self) -> list[Candidate]:
        if self.resumed:
            batch, self.resumed = self.resumed, []
            return batch
        return self.search.ask_batch(self._left, WORKER) if self._left > 0 else []

    def _evaluate(self, evaluator: Evaluator, candidates: list[Candidate]) -> None:
        answered = 0
        for outcome in evaluator.evaluate([candidate.cell for candidate in candidates]):
            if answered == len(candidates):
                raise SettingsError(
                    f"the evaluator gives more than one outcome for each of {answered} cells"
                )
            self._tell(candidates[answered], outcome)
            answered += 1
        if answered < len(candidates):
            raise SettingsError(
                f"the evaluator gave {answered} outcomes for {counted(len(candidates), 'cell')}"
            )

    def _run_workers(self, evaluator: WorkerEvaluator) -> None:
        training: dict[str, Candidate] = {}

        def cells() -> Iterator[Cell]:
            while True:
                if self.resumed:
                    candidate = self.resumed.pop(0)
                else:
                    asked = self.search.ask(1, worker=WORKER) if self._left > 0 else []
                    if not asked:
                        return
                    (candidate,) = asked
                training[candidate.cell.hash] = candidate
                yield candidate.cell

        def on_end(cell: Cell, outcome: Outcome | str) -> None:
            candidate = training.pop(cell.hash)
            if isinstance(outcome, Outcome):
                self._tell(candidate, outcome)
            elif len(self.search.ledger.history):
                self.search.ledger.fail(candidate.id, outcome)
            else:
                # A failure before any success is probably caused by the settings, not by the cell.
                raise MeasureError(f"cell {cell.hash}: {outcome}")

        evaluator.train(cells(), on_end)

    def _tell(self, candidate: Candidate, outcome: Outcome) -> None:
        self.search.ledger.answer(candidate.id, outcome)
        history = self.search.ledger.history
        if self.on_query is not None:
            self.on_query(len(history) - 1, history[len(history) - 1])
