"""What a search has asked so far: all that a strategy may know."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.cell import Cell
from pyg_nas.cell_array import CellArray
from pyg_nas.mutation import Genotype
from pyg_nas.search.evaluator import Outcome
from pyg_nas.space import SearchSpace


@dataclass(frozen=True)
class Proposal:
    """A cell that a strategy wants trained.

    Args:
        cell: The cell.
        genotype: The graph it was pruned from, where the strategy mutates it later.
        why: What made the strategy ask: scores, the step it is in (JSON values).
    """

    cell: Cell
    genotype: Genotype | None = None
    why: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Query:
    """A proposal and what came of it."""

    proposal: Proposal
    outcome: Outcome
    parameters: int | None = None

    @property
    def cell(self) -> Cell:
        """The cell."""
        return self.proposal.cell

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready record."""
        genotype = self.proposal.genotype
        return {
            **self.cell.to_dict(),
            "accuracy": self.outcome.accuracy,
            "seconds": self.outcome.seconds,
            "test_accuracy": self.outcome.test_accuracy,
            "true_accuracy": self.outcome.true_accuracy,
            "parameters": self.parameters,
            "why": self.proposal.why,
            "genotype": None if genotype is None else genotype.to_dict(),
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any], space: SearchSpace) -> Query:
        """Rebuild a query from :meth:`to_dict`'s result.

        Raises:
            CellError: If its graph is no cell of ``space``.
            KeyError: If a key is missing.
            ValueError: If a figure is no finite number, or ``why`` no object.
        """
        genotype, why, parameters = record["genotype"], record["why"], record["parameters"]
        if not isinstance(why, dict):
            raise ValueError(f"why must be a JSON object, got {why!r}")
        if parameters is not None and type(parameters) is not int:
            raise ValueError(f"parameters must be a whole number or null, got {parameters!r}")
        accuracy = _figure(record, "accuracy")
        if accuracy is None:
            raise ValueError("accuracy must be a finite number, got null")
        return cls(
            Proposal(
                Cell.from_dict(record, space),
                None if genotype is None else Genotype.from_dict(genotype, space),
                why,
            ),
            Outcome(
                accuracy,
                _figure(record, "seconds"),
                _figure(record, "test_accuracy"),
                _figure(record, "true_accuracy"),
            ),
            parameters,
        )


def _figure(record: dict[str, Any], key: str) -> float | None:
    value = record[key]
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) < 1e300:
        raise ValueError(f"{key} must be a finite number or null, got {value!r}")
    return float(value)


class History:
    """The queries of one search in order, each cell once."""

    def __init__(self) -> None:
        self._queries: list[Query] = []
        self._hashes: set[str] = set()

    def append(self, query: Query) -> None:
        """Add a query.

        Raises:
            ValueError: If its cell was asked for before, which is a fault of the strategy.
        """
        digest = query.cell.hash
        if digest in self._hashes:
            raise ValueError(f"cell {digest} was asked for twice")
        self._hashes.add(digest)
        self._queries.append(query)

    @property
    def asked(self) -> frozenset[str] | set[str]:
        """Module hashes of all cells asked for; not to be changed."""
        return self._hashes

    @property
    def cells(self) -> CellArray:
        """The cells in the order of the queries."""
        return CellArray.from_cells(query.cell for query in self._queries)

    @property
    def accuracies(self) -> NDArray[np.float64]:
        """What the search went by, ``[queries]``."""
        return np.array([query.outcome.accuracy for query in self._queries], dtype=np.float64)

    @property
    def seconds(self) -> NDArray[np.float64]:
        """Training time of each query, ``[queries]``, NaN where not known."""
        return np.array([_nan(query.outcome.seconds) for query in self._queries], dtype=np.float64)

    @property
    def true_accuracies(self) -> NDArray[np.float64]:
        """What regret is counted in, ``[queries]``, NaN where not known."""
        return np.array(
            [_nan(query.outcome.true_accuracy) for query in self._queries], dtype=np.float64
        )

    def __len__(self) -> int:
        return len(self._queries)

    def __iter__(self) -> Iterator[Query]:
        return iter(self._queries)

    def __getitem__(self, index: int) -> Query:
        return self._queries[index]

    def last(self, count: int) -> list[Query]:
        """Return the last ``count`` queries, fewer where there are not so many."""
        return self._queries[-count:]


def _nan(value: float | None) -> float:
    return float("nan") if value is None else value
