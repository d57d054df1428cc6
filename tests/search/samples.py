"""Strategies, and evaluators that stop or propose as they should not, for several test modules."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pyg_nas.data.tables.table import Table
from pyg_nas.graphs.cell import Cell
from pyg_nas.search.domain import Domain
from pyg_nas.search.evaluators.table import TableEvaluator
from pyg_nas.search.history import History, Proposal
from pyg_nas.search.methods.strategies import (
    LocalSearch,
    PredictorSearch,
    RandomSearch,
    Ranking,
    RegularizedEvolution,
    Strategy,
)
from pyg_nas.search.outcome import Outcome
from pyg_nas.search.result import SearchResult
from tests.search.predictors import gaussian, linear, process


class Short(RandomSearch):
    """Proposes at least one cell, but often fewer than asked for."""

    def propose(
        self, history: History, k: int, domain: Domain, rng: np.random.Generator
    ) -> list[Proposal]:
        return super().propose(history, int(rng.integers(1, k + 1)), domain, rng)


class Long(RandomSearch):
    """Proposes more cells than asked for."""

    def propose(
        self, history: History, k: int, domain: Domain, rng: np.random.Generator
    ) -> list[Proposal]:
        return super().propose(history, k + 3, domain, rng)


STRATEGIES: dict[str, Callable[[TableEvaluator], Strategy]] = {
    "random": lambda _: RandomSearch(),
    "evolution": lambda _: RegularizedEvolution(population=20, tournament=5),
    "local": lambda _: LocalSearch(),
    "oracle": lambda evaluator: Ranking(evaluator.oracle(), at_once=4),
    "predictor": lambda _: PredictorSearch(linear, n=15, k=6),
    "ei": lambda _: PredictorSearch(gaussian, n=15, k=6, acquisition="ei"),
    "thompson": lambda _: PredictorSearch(gaussian, n=15, k=6, acquisition="thompson"),
    "updated": lambda _: PredictorSearch(process, n=15, k=6, acquisition="ei"),
    "short": lambda _: Short(at_once=6),
    "long": lambda _: Long(at_once=4),
    "ucb": lambda _: PredictorSearch(gaussian, n=15, k=6, acquisition="ucb"),
}


def hashes(result: SearchResult) -> list[str]:
    return [query.cell.hash for query in result.history]


class Interrupted(TableEvaluator):
    """Stops after so many outcomes, as Ctrl-C would."""

    def __init__(self, table: Table, after: int) -> None:
        super().__init__(table)
        self.left = after
        self.asked: list[str] = []

    def evaluate(self, cell: Cell, budget: int | None = None) -> Outcome:
        if not self.left:
            raise KeyboardInterrupt
        self.left -= 1
        self.asked.append(cell.hash)
        return super().evaluate(cell, budget)
