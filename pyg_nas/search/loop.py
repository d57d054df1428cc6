"""The loop between a strategy and an evaluator, and what a search amounts to."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from itertools import takewhile
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import SettingsError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.search.domain import Domain
from pyg_nas.search.evaluator import Evaluator, Reference
from pyg_nas.search.folder import SearchFolder
from pyg_nas.search.history import History, Proposal, Query
from pyg_nas.search.strategies import Strategy

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Constraints:
    """What the answer must keep.

    Args:
        max_parameters: Most trainable parameters. They are known before training, so that cells
            with more are never asked for.
        max_seconds: Longest training. It is known only afterwards: a trained cell that took
            longer cannot be the answer. A predictor search asks only for cells that it predicts
            to keep this.
    """

    max_parameters: int | None = None
    max_seconds: float | None = None

    def __post_init__(self) -> None:
        for name in ("max_parameters", "max_seconds"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise SettingsError(f"{name} must be positive, got {value!r}")

    def keeps(self, query: Query) -> bool:
        """Say whether a query may be the answer."""
        seconds = query.outcome.seconds
        return self.max_seconds is None or (seconds is not None and seconds <= self.max_seconds)


@dataclass(frozen=True)
class SearchResult:
    """A search, finished or stopped.

    Args:
        history: Its queries.
        constraints: What the answer must keep.
        reference: What regret is counted against.
        exhausted: Whether it ended early because no cell was left to propose.
    """

    history: History
    constraints: Constraints
    reference: Reference | None
    exhausted: bool = False

    @property
    def incumbents(self) -> NDArray[np.int64]:
        """Index of the query that would be the answer after each query, -1 for none, ``[Q]``."""
        allowed = np.array([self.constraints.keeps(query) for query in self.history], dtype=bool)
        score = np.where(allowed, self.history.accuracies, -np.inf)
        incumbents = np.full(len(score), -1, dtype=np.int64)
        best = -1
        for position, value in enumerate(score):
            if value > (-np.inf if best < 0 else score[best]):
                best = position
            incumbents[position] = best
        return incumbents

    @property
    def answer(self) -> Query | None:
        """The query with the best accuracy among those that keep the constraints."""
        if not len(self.history) or self.incumbents[-1] < 0:
            return None
        return self.history[int(self.incumbents[-1])]

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Training time spent after each query, ``[Q]``; unknown times count as none."""
        return np.asarray(np.nancumsum(self.history.seconds), dtype=np.float64)

    @property
    def best_accuracy(self) -> NDArray[np.float64]:
        """What the search saw of the answer after each query, ``[Q]``, NaN before there is one."""
        return _at(self.history.accuracies, self.incumbents)

    @property
    def true_accuracy(self) -> NDArray[np.float64]:
        """True accuracy of the answer after each query, ``[Q]``, NaN where not known."""
        return _at(self.history.true_accuracies, self.incumbents)

    @property
    def regret(self) -> NDArray[np.float64] | None:
        """Simple regret after each query, ``[Q]``: the reference minus the true accuracy."""
        return None if self.reference is None else self.reference.best - self.true_accuracy

    def to_pandas(self) -> pd.DataFrame:
        """Return the queries in order as a data frame (:mod:`pyg_nas.data.frames`).

        Raises:
            SettingsError: If pandas is not installed.
        """
        from pyg_nas.data.frames import cells_frame

        records = [query.to_dict() for query in self.history]
        names = ("accuracy", "seconds", "test_accuracy", "true_accuracy", "parameters")
        columns: dict[str, Any] = {name: [record[name] for record in records] for name in names}
        columns["predicted"] = [query.proposal.why.get("predicted") for query in self.history]
        columns["best_accuracy"] = self.best_accuracy
        if self.regret is not None:
            columns["regret"] = self.regret
        return cells_frame([query.cell for query in self.history], columns)

    def _repr_html_(self) -> str:
        from pyg_nas.visualization.notebook import rows_html

        best = sorted(self.history, key=lambda query: -query.outcome.accuracy)
        rows = (
            (query.cell, (query.cell.hash, f"{query.outcome.accuracy:.4g}", query.parameters))
            for query in best
        )
        title = f"{len(best):,} trained cells, the best first"
        return rows_html(title, ("hash", "accuracy", "parameters"), rows, len(best))

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready summary: the answer, its figures and what they cost."""
        answer, regret = self.answer, self.regret
        times = self.history.seconds
        return {
            "answer": None if answer is None else answer.to_dict(),
            "queries": len(self.history),
            "exhausted": self.exhausted,
            "training_seconds": float(np.nansum(times)),
            "queries_without_time": int(np.isnan(times).sum()),
            "simple_regret": None if answer is None or regret is None else float(regret[-1]),
            "regret_against": None
            if self.reference is None
            else {
                "kind": self.reference.kind,
                "best": self.reference.best,
                "hash": self.reference.hash,
            },
        }


def search(
    strategy: Strategy,
    evaluator: Evaluator,
    budget: int,
    seed: int = 0,
    constraints: Constraints | None = None,
    folder: SearchFolder | None = None,
    on_query: Callable[[int, Query], None] | None = None,
) -> SearchResult:
    """Ask for up to ``budget`` cells, each once, and keep the best.

    Every query is recorded as it comes. Stopped by an interrupt or killed, the same call goes
    on from ``folder`` and asks for exactly what it would have asked for undisturbed; of live
    measurements in flight only those that are not in the evaluator's own journal are lost. With a
    larger budget it goes on as if it had had that from the start.

    Args:
        strategy: What to ask for.
        evaluator: What answers.
        budget: Most cells to train.
        seed: Of everything random.
        constraints: What the answer must keep.
        folder: Where queries are recorded, and read from first.
        on_query: Called after each new query with its index.

    Raises:
        SettingsError: If the budget is not positive, parameters are limited but not known, no
            cell keeps the limit, another search is at work in the folder, or the evaluator gives
            fewer or more outcomes than it was asked for.
    """
    if budget < 1:
        raise SettingsError(f"a search needs a budget of at least 1 cell, got {budget}")
    with nullcontext() if folder is None else folder.locked():
        return _search(
            strategy, evaluator, budget, seed, constraints or Constraints(), folder, on_query
        )


def _search(
    strategy: Strategy,
    evaluator: Evaluator,
    budget: int,
    seed: int,
    constraints: Constraints,
    folder: SearchFolder | None,
    on_query: Callable[[int, Query], None] | None,
) -> SearchResult:
    domain = restrict(evaluator, constraints)
    recorded = folder.read() if folder is not None else []
    history = History()
    exhausted = False
    while len(history) < budget:
        start = len(history)
        # Never cut by the budget, so that a larger one goes on with the same cells.
        size = strategy.batch(start)
        already = _batch(recorded, start, size)
        end = start + len(already)
        if already and (len(already) == size or end < len(recorded) or end >= budget):
            for query in already[: budget - start]:
                history.append(query)
            continue
        rng = np.random.default_rng([seed, start])
        proposals = strategy.propose(history, size, domain, rng)[: min(size, budget - start)]
        _check_resumed(already, proposals, start)
        if not proposals:
            exhausted = True
            break
        for query in already:
            history.append(query)
        _ask(proposals[len(already) :], start, evaluator, history, folder, on_query)
    return SearchResult(history, constraints, evaluator.reference, exhausted)


def _batch(recorded: list[Query], start: int, size: int) -> list[Query]:
    """Return what is recorded of the batch of up to ``size`` cells that begins at ``start``."""
    part = recorded[start : start + size]
    found = list(takewhile(lambda query: query.batch in (None, start), part))
    if part and not found:
        raise SettingsError(
            f"query {start} in the folder was asked for together with query {part[0].batch}, but "
            f"this search would begin a batch there: it cannot be resumed here"
        )
    return found


def restrict(evaluator: Evaluator, constraints: Constraints) -> Domain:
    """Return the evaluator's domain without cells of too many parameters.

    Raises:
        SettingsError: If parameters are limited but not known, or no cell keeps the limit.
    """
    limit = constraints.max_parameters
    if limit is None:
        return evaluator.domain
    counts = evaluator.parameters(evaluator.domain.cells)
    if counts is None:
        raise SettingsError("parameters cannot be limited: they are not known for these cells")
    if not (counts <= limit).any():
        raise SettingsError(
            f"no cell has at most {limit} parameters, the smallest has {int(counts.min())}"
        )
    return evaluator.domain.where(counts <= limit)


def _ask(
    proposals: list[Proposal],
    start: int,
    evaluator: Evaluator,
    history: History,
    folder: SearchFolder | None,
    on_query: Callable[[int, Query], None] | None,
) -> None:
    if not proposals:
        return
    cells = [proposal.cell for proposal in proposals]
    counts = evaluator.parameters(CellArray.from_cells(cells))
    answered = 0
    for outcome in evaluator.evaluate(cells):
        if answered == len(cells):
            raise SettingsError(f"the evaluator gives more outcomes than the {answered} it owes")
        parameters = None if counts is None else int(counts[answered])
        query = Query(proposals[answered], outcome, parameters, start)
        answered += 1
        history.append(query)
        if folder is not None:
            folder.append(query)
        if on_query is not None:
            on_query(len(history) - 1, query)
    if answered < len(cells):
        raise SettingsError(f"the evaluator gave {answered} outcomes for {len(cells)} cells")


def _check_resumed(already: list[Query], proposals: list[Proposal], start: int) -> None:
    """The rest of a batch only makes sense if its beginning is what would be proposed now."""
    for offset, query in enumerate(already):
        proposed = proposals[offset].cell.hash if offset < len(proposals) else "no cell"
        if query.cell.hash != proposed:
            raise SettingsError(
                f"query {start + offset} in the folder is cell {query.cell.hash}, but this "
                f"search would ask for {proposed}: it cannot be resumed here"
            )


def _at(values: NDArray[np.float64], index: NDArray[np.int64]) -> NDArray[np.float64]:
    padded = np.append(values, np.nan)  # index -1 takes the NaN
    return np.asarray(padded[index], dtype=np.float64)
