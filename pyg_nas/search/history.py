"""The queries of a search so far: all that a strategy may use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import SettingsError, quoted
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.mutation import Genotype
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.limits import LARGEST_FIGURE
from pyg_nas.search.domain import named
from pyg_nas.search.goal import Goal
from pyg_nas.search.outcome import Outcome


@dataclass(frozen=True)
class Proposal:
    """A cell that a strategy proposes to train.

    Args:
        genotype: The graph that was pruned to the cell, where the strategy mutates it later.
        why: The reason for the proposal, such as predictions or the current step of the strategy
            (a JSON object). NumPy scalars become plain numbers.

    Raises:
        SettingsError: If ``why`` is no JSON object, or a number in it is not finite.
    """

    cell: Cell
    genotype: Genotype | None = None
    why: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Checked here, because a training must not end with a record that cannot be written.
        try:
            why = json.loads(json.dumps(self.why, allow_nan=False, default=_json_value))
        except (TypeError, ValueError) as error:
            raise SettingsError(
                f"proposal of {named(self.cell)}: why must be JSON ({error}), got {self.why!r}"
            ) from None
        if not isinstance(why, dict):
            raise SettingsError(
                f"proposal of {named(self.cell)}: why must be a JSON object, got {why!r}"
            )
        object.__setattr__(self, "why", why)

    @property
    def predicted(self) -> float | None:
        """The accuracy that was predicted for the cell; None if ``why`` has no such number."""
        value: Any = self.why.get("predicted")
        return float(value) if type(value) in (int, float) and abs(value) < LARGEST_FIGURE else None

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready record."""
        genotype = None if self.genotype is None else self.genotype.to_dict()
        return {**self.cell.to_dict(), "why": self.why, "genotype": genotype}

    @classmethod
    def from_dict(cls, record: dict[str, Any], space: SearchSpace) -> Proposal:
        """Rebuild a proposal from :meth:`to_dict`'s result.

        Raises:
            CellError: If its graph is no cell of ``space``.
            KeyError: If a key is missing.
            SettingsError: If ``why`` is no object.
        """
        genotype = record["genotype"]
        return cls(
            Cell.from_dict(record, space),
            None if genotype is None else Genotype.from_dict(genotype, space),
            record["why"],
        )


@dataclass(frozen=True)
class Query:
    """A proposal and its outcome, in plain numbers.

    Args:
        parameters: Trainable parameters; None where not known.
        batch: Position of the first query that was proposed together with it, which a resumed
            search needs to find where a batch ended; None in older records, in which every batch
            has its full size.

    Raises:
        SettingsError: If a figure of the outcome is no finite number, or the accuracy is missing.
    """

    proposal: Proposal
    outcome: Outcome
    parameters: int | None = None
    batch: int | None = None

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "outcome", self.outcome.checked())
        except ValueError as error:
            raise SettingsError(f"{named(self.cell)}: {error}") from None

    @property
    def cell(self) -> Cell:
        """The cell."""
        return self.proposal.cell

    def figures(self) -> dict[str, float]:
        """Return the known figures by name, as a callback receives them."""
        outcome = self.outcome
        figures = {
            "accuracy": outcome.accuracy,
            "seconds": outcome.seconds,
            "test_accuracy": outcome.test_accuracy,
            "parameters": self.parameters,
            "predicted": self.proposal.predicted,
            "stopped": float(outcome.stopped) if outcome.rungs else None,
        }
        return {name: value for name, value in figures.items() if value is not None}

    def _repr_html_(self) -> str:
        from pyg_nas.visualization.notebook import row_html

        return row_html(named(self.cell), self.cell, self.figures())

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready record."""
        return {
            **self.cell.to_dict(),
            **self.outcome.to_dict(),
            "parameters": self.parameters,
            "batch": self.batch,
            **self.proposal.to_dict(),
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any], space: SearchSpace) -> Query:
        """Rebuild a query from :meth:`to_dict`'s result.

        Raises:
            CellError: If its graph is no cell of ``space``.
            KeyError: If a key is missing.
            SettingsError: If a figure is no finite number, or ``why`` no object.
            ValueError: If ``parameters`` or ``batch`` is no whole number.
        """
        parameters, batch = record["parameters"], record.get("batch")
        for key, value in (("parameters", parameters), ("batch", batch)):
            if value is not None and type(value) is not int:
                raise ValueError(f"{key} must be a whole number or null, got {quoted(value)}")
        return cls(
            Proposal.from_dict(record, space),
            Outcome.from_dict(record),
            parameters,
            batch,
        )


def _json_value(value: Any) -> Any:
    if not isinstance(value, np.generic):
        raise TypeError(f"{type(value).__name__} is no JSON value")
    return value.item()


class History:
    """The queries of one search in the order of their outcomes, and all other proposals.

    Each architecture is proposed once. It is then *pending* until its outcome is appended or its
    training has failed. A later outcome replaces a failure.

    Args:
        goal: What the search compares cells by; by default validation accuracy.
    """

    def __init__(self, goal: Goal | None = None) -> None:
        self.goal = goal or Goal()
        self._queries: list[Query] = []
        self._answers: dict[str, Query] = {}
        self._asked: set[str] = set()
        self._pending: dict[str, Proposal] = {}
        self._failures: dict[str, str] = {}

    def expect(self, proposal: Proposal) -> None:
        """Add a pending proposal.

        Raises:
            ValueError: If its cell was proposed before, which is an error of the strategy.
        """
        digest = proposal.cell.hash
        if digest in self._asked:
            raise ValueError(f"cell {digest} was proposed twice")
        self._asked.add(digest)
        self._pending[digest] = proposal

    def append(self, query: Query) -> None:
        """Add the outcome of a proposal, or of a cell that was not proposed before.

        Raises:
            ValueError: If its cell has an outcome already.
        """
        digest = query.cell.hash
        if digest in self._answers:
            raise ValueError(f"cell {digest} was proposed twice")
        self._pending.pop(digest, None)
        self._failures.pop(digest, None)
        self._asked.add(digest)
        self._answers[digest] = query
        self._queries.append(query)

    def fail(self, digest: str, reason: str) -> None:
        """Record that the training of a pending cell failed; it is not proposed again."""
        if self._pending.pop(digest, None) is not None:
            self._failures[digest] = reason

    def find(self, digest: str) -> Query | None:
        """Return the query of a cell; None if it has no outcome."""
        return self._answers.get(digest)

    def is_pending(self, digest: str) -> bool:
        """Return whether a cell was proposed, has no outcome and has not failed."""
        return digest in self._pending

    @property
    def asked(self) -> frozenset[str] | set[str]:
        """Module hashes of all proposed cells, also pending and failed; do not change it."""
        return self._asked

    @property
    def pending(self) -> list[Proposal]:
        """Proposals without an outcome, in the order of proposal."""
        return list(self._pending.values())

    @property
    def failures(self) -> dict[str, str]:
        """Why the training of each failed cell failed, by module hash; do not change it."""
        return self._failures

    @property
    def cells(self) -> CellArray:
        """The cells in the order of the queries."""
        return CellArray.from_cells(query.cell for query in self._queries)

    @property
    def accuracies(self) -> NDArray[np.float64]:
        """The accuracies, or other numbers of the search's goal, ``[queries]``."""
        return self._figures("accuracy")

    @property
    def gains(self) -> NDArray[np.float64]:
        """Numbers of which more is better: the accuracies, or costs negated, ``[queries]``."""
        return self.goal.gain(self.accuracies)

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Training time of each query, ``[queries]``, NaN where not known."""
        return self._figures("seconds")

    @property
    def true_accuracies(self) -> NDArray[np.float64]:
        """The accuracies from which regret is computed, ``[queries]``, NaN where not known."""
        return self._figures("true_accuracy")

    def _figures(self, name: str) -> NDArray[np.float64]:
        # None becomes NaN.
        return np.array([getattr(q.outcome, name) for q in self._queries], dtype=np.float64)

    def __len__(self) -> int:
        return len(self._queries)

    def __iter__(self) -> Iterator[Query]:
        return iter(self._queries)

    def __getitem__(self, index: int) -> Query:
        return self._queries[index]

    def copy(self) -> History:
        """Return a copy, which does not change when this history does."""
        copied = History(self.goal)
        copied._queries = self._queries.copy()
        copied._answers = self._answers.copy()
        copied._asked = self._asked.copy()
        copied._pending = self._pending.copy()
        copied._failures = self._failures.copy()
        return copied

    def first(self, count: int) -> History:
        """Return the history as it was after ``count`` queries, with nothing pending."""
        earlier = History(self.goal)
        for query in self._queries[:count]:
            earlier.append(query)
        return earlier

    def last(self, count: int) -> list[Query]:
        """Return the last ``count`` queries, or all if there are fewer."""
        return self._queries[-count:]
