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
        """Rebuild a query from :meth:`to_dict`'s result."""
        genotype = record["genotype"]
        return cls(
            Proposal(
                Cell.from_dict(record, space),
                None if genotype is None else Genotype.from_dict(genotype, space),
                record["why"],
            ),
            Outcome(
                record["accuracy"],
                record["seconds"],
                record["test_accuracy"],
                record["true_accuracy"],
            ),
            record["parameters"],
        )


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
