"""What a search asks of an evaluator, which trains cells or looks them up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.errors import MeasureError, SettingsError, listed, quoted
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.io.text import counted
from pyg_nas.search.domain import Domain, named
from pyg_nas.search.goal import Goal
from pyg_nas.search.outcome import Outcome, Reference, Rung

Wanted = Iterable[tuple[Cell, int | None]]
"""Cells to train, each with its budget in epochs, or None for the full budget."""

OnEnd = Callable[[Cell, int | None, Outcome | str], None]
"""Called with a cell, its budget, and its outcome or the reason for which its training failed."""


def train_checked(evaluator: Evaluator, wanted: Wanted, on_end: OnEnd) -> None:
    """Train cells as :meth:`Evaluator.train`, and check what the evaluator passes on.

    Raises:
        SettingsError: If it does not pass on one result for each cell, or one at another budget, or
            one that is neither an outcome of finite numbers nor the reason of a failure.
    """
    training: dict[str, int | None] = {}

    def begun() -> Iterator[tuple[Cell, int | None]]:
        for cell, budget in wanted:
            training[cell.hash] = budget
            yield cell, budget

    def ended(cell: Cell, budget: int | None, outcome: Outcome | str) -> None:
        if cell.hash not in training:
            raise SettingsError(f"the evaluator gave a result for {named(cell)}, not in training")
        if budget != (asked := training.pop(cell.hash)):
            raise SettingsError(
                f"the evaluator gave a result for {named(cell)} at the budget {budget}, it was to "
                f"be trained for the budget {asked} (None is the full one)"
            )
        on_end(cell, budget, _checked(cell, outcome))

    evaluator.train(begun(), ended)
    if training:
        raise SettingsError(
            f"the evaluator gave no result for {counted(len(training), 'cell')}: "
            f"{listed(training, 3)}"
        )


def _checked(cell: Cell, outcome: object) -> Outcome | str:
    """Return the result of a cell in Python's numbers."""
    if isinstance(outcome, str):
        return outcome
    if not isinstance(outcome, Outcome):
        raise SettingsError(
            f"{named(cell)}: the evaluator must give an Outcome, or the reason of a failure as "
            f"text, got {quoted(outcome)}"
        )
    try:
        return outcome.checked()
    except ValueError as error:
        raise SettingsError(f"{named(cell)}: {error}") from None


class Evaluator(Protocol):
    """Trains cells, or looks up their results.

    One that trains several cells at a time has a :meth:`train` of its own.

    Attributes:
        domain: The cells that may be proposed.
        goal: What cells are compared by: the accuracy of outcomes is this number. The settings of a
            search's folder have it beside what :meth:`describe` returns.
        label: The label policy of these numbers; None for numbers that are no labels.
        reference: The best cell, for regret; None where it is not known.
        latency: Predicts the seconds of one pass of the cells' networks ``[N]``; None if not known.
    """

    domain: Domain
    goal: Goal = Goal()
    label: LabelPolicy | None = None
    reference: Reference | None = None
    latency: Callable[[CellArray], NDArray[np.float64]] | None = None

    @property
    def smaller_budgets(self) -> tuple[int, ...]:
        """Budgets below the full one that are worth training for, ascending, in epochs.

        Early stopping needs one.
        """
        return ()

    def evaluate(self, cell: Cell, budget: int | None = None) -> Outcome:
        """Return the outcome of a cell.

        Args:
            budget: One of ``smaller_budgets``; None for the full budget.

        Raises:
            MeasureError: If its training failed.
        """
        ...

    def train(self, wanted: Wanted, on_end: OnEnd) -> None:
        """Train cells, each as soon as a worker is free; by default one after the other.

        Args:
            wanted: Read one at a time, when a worker is free and all earlier outcomes were passed
                on, so that the next cell may depend on them.
            on_end: Called once for each cell, in the order in which they end.
        """
        for cell, budget in wanted:
            try:
                outcome: Outcome | str = self.evaluate(cell, budget)
            except MeasureError as error:
                outcome = str(error)
            on_end(cell, budget, outcome)

    def full_seconds(self, cell: Cell, rungs: Sequence[Rung]) -> float | None:
        """Return the known or expected seconds of training a cell for the full budget.

        Args:
            rungs: Its results at smaller budgets, one at least.
        """
        return None

    def network(self, cell: Cell) -> tuple[Any, Any]:
        """Return the cell's network with one image.

        Raises:
            SettingsError: If it is not known.
        """
        ...

    def parameters(self, cells: CellArray) -> NDArray[np.int64] | None:
        """Return the trainable parameters of the cells' networks ``[N]``; None if not known."""
        ...

    def macs(self, cells: CellArray) -> NDArray[np.int64] | None:
        """Return the MACs of the cells' networks ``[N]``; None if not known."""
        ...

    def oracle(self) -> NDArray[np.float64] | None:
        """Return the score ``[N]`` by which a perfect predictor would rank the domain.

        None where the accuracies of all cells are not known.
        """
        return None

    def predictor(self, estimator: Any) -> Any:
        """Return the predictor of the domain's cells that a recipe's estimator gives."""
        return estimator

    def save(self, folder: Path) -> None:
        """Write to a search's folder what resuming or showing it needs; nothing by default."""
        return

    def describe(self) -> dict[str, Any]:
        """Return JSON-ready settings; a search resumes only under equal ones."""
        ...


class ExternalEvaluator(Evaluator):
    """Placeholder for the user's training code, which calls ``ask`` and ``tell``.

    Args:
        domain: The cells that may be proposed.
        parameters: Counts the trainable parameters of cells' networks, ``[N]``; by default those
            of the space's official networks, where it has some.
    """

    def __init__(
        self, domain: Domain, parameters: Callable[[CellArray], NDArray[np.int64]] | None = None
    ) -> None:
        self.domain = domain
        self._own_networks = parameters is not None
        network = domain.space.support.official_network
        if parameters is None and network is not None:
            parameters = network.trainable_parameters
        self._parameters = parameters

    def network(self, cell: Cell) -> tuple[Any, Any]:
        """Raise a SettingsError: only the caller's code can build networks."""
        raise SettingsError("the networks of this search are built by the user's code")

    def evaluate(self, cell: Cell, budget: int | None = None) -> Outcome:
        """Raise a SettingsError: only the caller's code can train."""
        raise SettingsError("the architectures of this search are trained by the user's code")

    def parameters(self, cells: CellArray) -> NDArray[np.int64] | None:
        """Return the trainable parameters of the cells' networks, ``[N]``; None if not known."""
        return None if self._parameters is None else self._parameters(cells)

    def macs(self, cells: CellArray) -> NDArray[np.int64] | None:
        """Return the MACs of the space's official networks, ``[N]``; None if not known.

        They are not known if the caller has its own networks and counts their parameters.
        """
        network = self.domain.space.support.official_network
        return None if network is None or self._own_networks else network.macs(cells)

    def describe(self) -> dict[str, Any]:
        """Return the kind of evaluator and the size of a restricted space."""
        whole = self.domain.whole
        return {"evaluator": "external", "cells": None if whole else len(self.domain)}
