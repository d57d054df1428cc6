"""The result of a search."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.io.text import counted
from pyg_nas.search.domain import identifier, thing_in

if TYPE_CHECKING:
    import pandas as pd

    from pyg_nas.search.constraints import Constraints
    from pyg_nas.search.goal import Goal
    from pyg_nas.search.history import History, Query
    from pyg_nas.search.outcome import Reference

_MOST_REASONS, _LONGEST_REASON = 3, 200


@dataclass(frozen=True)
class SearchResult:
    """A search, finished or stopped.

    Args:
        history: Its queries, and the cells whose training failed.
        constraints: The constraints on the answer.
        reference: The best cell, for regret.
        exhausted: Whether it ended early because no cell was left to propose.
    """

    history: History
    constraints: Constraints
    reference: Reference | None
    exhausted: bool = False

    @property
    def goal(self) -> Goal:
        """What cells are compared by."""
        return self.history.goal

    @property
    def failed(self) -> int:
        """Number of cells whose training failed."""
        return len(self.history.failures)

    @property
    def failure_reasons(self) -> str:
        """The most frequent reasons for failures, with the number of cells of each."""
        reasons = Counter(
            " ".join(reason.split())[:_LONGEST_REASON] or "no reason given"
            for reason in self.history.failures.values()
        )
        most = [f"{reason} ({count:,})" for reason, count in reasons.most_common(_MOST_REASONS)]
        return "; ".join([*most, *(["others"] if len(reasons) > len(most) else [])])

    @property
    def incumbents(self) -> NDArray[np.int64]:
        """Index of the query that would be the answer after each query, -1 for none, ``[Q]``."""
        allowed = np.array([self.constraints.allows(query) for query in self.history], dtype=bool)
        score = np.where(allowed, self.history.gains, -np.inf)
        incumbents = np.full(len(score), -1, dtype=np.int64)
        best = -1
        for position, value in enumerate(score):
            if value > (-np.inf if best < 0 else score[best]):
                best = position
            incumbents[position] = best
        return incumbents

    @property
    def answer(self) -> Query | None:
        """The query with the best accuracy, or least cost, within the constraints."""
        if not len(self.history) or self.incumbents[-1] < 0:
            return None
        return self.history[int(self.incumbents[-1])]

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Training time spent after each query, ``[Q]``; unknown times count as none."""
        return np.asarray(np.nancumsum(self.history.seconds), dtype=np.float64)

    @property
    def stopped(self) -> NDArray[np.bool_]:
        """Which queries were stopped early, ``[Q]``."""
        return np.array([query.outcome.stopped for query in self.history], dtype=bool)

    @property
    def saved_seconds(self) -> float | None:
        """Training time that early stopping saved; None without it, or where it is not known.

        The seconds of the full budget of every query, known or expected, minus those spent at all
        budgets. It is negative if runs at smaller budgets took longer than stopping saved.
        """
        outcomes = [query.outcome for query in self.history if query.outcome.rungs]
        known = [
            outcome.full_seconds - outcome.seconds
            for outcome in outcomes
            if outcome.full_seconds is not None and outcome.seconds is not None
        ]
        return sum(known) if known and len(known) == len(outcomes) else None

    @property
    def best_accuracy(self) -> NDArray[np.float64]:
        """Accuracy of the answer after each query, seen by the search, ``[Q]``; NaN without one."""
        return _pick(self.history.accuracies, self.incumbents)

    @property
    def true_accuracy(self) -> NDArray[np.float64]:
        """True accuracy of the answer after each query, ``[Q]``, NaN where not known."""
        return _pick(self.history.true_accuracies, self.incumbents)

    @property
    def regret(self) -> NDArray[np.float64] | None:
        """Simple regret after each query, ``[Q]``: the reference minus the true accuracy.

        That of a cost is the true cost minus the reference.
        """
        if self.reference is None:
            return None
        return self.goal.gain(self.reference.best) - self.goal.gain(self.true_accuracy)

    @property
    def thing(self) -> str:
        """What was trained, in words for users: cell or network."""
        trained = next(iter(self.history), None)
        return "cell" if trained is None else thing_in(trained.cell.space)

    def figures(self) -> dict[str, float]:
        """Return the known figures of the answer and of the search, as a callback receives them."""
        answer = {} if self.answer is None else self.answer.figures()
        summary = self.to_dict()
        names = ("queries", "training_seconds", "simple_regret", "stopped_early", "saved_seconds")
        known = {name: float(summary[name]) for name in names if summary[name] is not None}
        return {**{f"answer_{name}": value for name, value in answer.items()}, **known}

    def __repr__(self) -> str:
        trained = counted(len(self.history), f"trained {self.thing}")
        failed = f", {self.failed} failed" if self.failed else ""
        found, answer = "none", self.answer
        if answer is not None:
            value = f"{self.goal.score} {answer.outcome.accuracy:.4g}"
            found = f"{identifier(answer.cell)} with {value}"
        return f"SearchResult({trained}{failed}, answer: {found})"

    def to_pandas(self) -> pd.DataFrame:
        """Return the queries in order as a data frame (:mod:`pyg_nas.data.tables.frames`).

        Raises:
            SettingsError: If pandas is not installed.
        """
        from pyg_nas.data.tables.frames import cells_frame

        records = [query.to_dict() for query in self.history]
        names = ("accuracy", "seconds", "test_accuracy", "true_accuracy", "parameters")
        columns: dict[str, Any] = {name: [record[name] for record in records] for name in names}
        columns["predicted"] = [query.proposal.predicted for query in self.history]
        for name, values in columns.items():
            if None in values:  # None alone would not be read as numbers
                columns[name] = np.array(values, dtype=np.float64)
        columns["best_accuracy"] = self.best_accuracy
        if self.regret is not None:
            columns["regret"] = self.regret
        return cells_frame([query.cell for query in self.history], columns)

    def _repr_html_(self) -> str:
        from pyg_nas.visualization.notebook import rows_html

        best = sorted(self.history, key=lambda query: -self.goal.gain(query.outcome.accuracy))
        rows = (
            (q.cell, (identifier(q.cell), f"{q.outcome.accuracy:.4g}", q.parameters)) for q in best
        )
        title = f"{counted(len(best), f'trained {self.thing}')}, the best first"
        heading = "hash" if self.thing == "cell" else "name"
        return rows_html(title, (heading, self.goal.score, "parameters"), rows, len(best))

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready summary: the answer, its accuracy and its cost."""
        answer, regret = self.answer, self.regret
        times = self.history.seconds
        return {
            "answer": None if answer is None else answer.to_dict(),
            "queries": len(self.history),
            "failed": self.failed,
            "exhausted": self.exhausted,
            "training_seconds": float(np.nansum(times)),
            "queries_without_time": int(np.isnan(times).sum()),
            "stopped_early": int(self.stopped.sum()),
            "saved_seconds": self.saved_seconds,
            "simple_regret": None if answer is None or regret is None else float(regret[-1]),
            "regret_against": None
            if self.reference is None
            else {
                "kind": self.reference.kind,
                "best": self.reference.best,
                "hash": self.reference.hash,
            },
        }


def _pick(values: NDArray[np.float64], index: NDArray[np.int64]) -> NDArray[np.float64]:
    padded = np.append(values, np.nan)  # index -1 takes the NaN
    return np.asarray(padded[index], dtype=np.float64)
