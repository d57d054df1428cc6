"""Live measurement: each cell that a search proposes is trained."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import MeasureError, check_count
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.registry import default_space
from pyg_nas.io.limits import MOST_EPOCHS, MOST_RUNS
from pyg_nas.search.domain import Domain
from pyg_nas.search.evaluators.evaluator import Evaluator, OnEnd, Wanted
from pyg_nas.search.goal import ACCURACY, Goal
from pyg_nas.search.outcome import Outcome, Rung

if TYPE_CHECKING:
    from pyg_nas.measure.campaigns.executor import Executor
    from pyg_nas.measure.campaigns.journal import Journal
    from pyg_nas.measure.tasks.task import Task

_RETRIES = 2  # after an error of a job


class LiveEvaluator(Evaluator):
    """Trains cells on a task; every finished run is in the journal at once.

    The search uses the mean validation accuracy of the runs, failed ones included, and the
    training time of all of them. The best cell of the space is not known, and so regret is not
    known either.

    Args:
        task: Images and training settings.
        budget: Epochs.
        seeds: Runs of each cell.
        journal: Stores finished runs; runs that it already has are not trained again.
        executor: Distributes the runs; by default one at a time in this process.
        domain: The cells that may be proposed; by default all of the default space.

    Raises:
        SettingsError: If the budget or the number of runs is not positive.
        MeasureError: If the task's networks are too narrow for a cell of the domain.
    """

    def __init__(
        self,
        task: Task,
        budget: int,
        seeds: int,
        journal: Journal,
        executor: Executor | None = None,
        domain: Domain | None = None,
    ) -> None:
        check_count("budget", budget, MOST_EPOCHS)
        check_count("seeds", seeds, MOST_RUNS)
        from pyg_nas.measure.tasks.objective import Objective

        self.task = task
        self.goal = Goal.of_task(Objective(task).score_name)
        self.budget = budget
        self.seeds = seeds
        self.journal = journal
        self.executor = executor
        self.domain = domain or Domain(default_space())
        network = self.domain.space.support.network
        # The space need not be listed where the networks are wide enough for every cell.
        if network is None or task.settings.stem_channels < network.sufficient_stem_channels:
            task.check_cells(self.domain.cells)

    def evaluate(self, cell: Cell, budget: int | None = None) -> Outcome:
        """Train a cell.

        Raises:
            MeasureError: If its training failed.
        """
        ended: list[Outcome | str] = []
        self.train([(cell, budget)], lambda _cell, _budget, outcome: ended.append(outcome))
        (outcome,) = ended
        if isinstance(outcome, str):
            raise MeasureError(f"cell {cell.hash}: {outcome}")
        return outcome

    def train(self, wanted: Wanted, on_end: OnEnd) -> None:
        """Train cells, each as soon as a worker is free.

        Args:
            wanted: Cells and budgets, read one at a time.
            on_end: Called with each result, in the order in which the cells end.
        """
        from pyg_nas.measure.campaigns.campaign import train_missing
        from pyg_nas.measure.campaigns.executor import Executor

        def ended(cell: Cell, budget: int, error: str | None) -> None:
            asked = None if budget == self.budget else budget
            if error is not None:
                on_end(cell, asked, error)
                return
            runs = self.journal.runs(cell, budget)
            mine = [run for run in runs if run.seed < self.seeds]
            on_end(cell, asked, Outcome.from_runs(mine))

        train_missing(
            ((cell, budget or self.budget) for cell, budget in wanted),
            range(self.seeds),
            self.task,
            self.journal,
            self.executor or Executor(),
            _RETRIES,
            ended,
        )

    @property
    def smaller_budgets(self) -> tuple[int, ...]:
        """A ninth and a third of the budget, if these are at least one epoch."""
        shares = (self.budget // 9, self.budget // 3)
        return tuple(budget for budget in shares if budget)

    def full_seconds(self, cell: Cell, rungs: Sequence[Rung]) -> float | None:
        """Return the seconds of the last rung, by the number of epochs."""
        seconds = rungs[-1].seconds
        return None if seconds is None else seconds * self.budget / rungs[-1].budget

    def network(self, cell: Cell) -> tuple[Any, Any]:
        """Return the network that the task trains for a cell, with one image."""
        import torch

        from pyg_nas.measure.network import build_network

        shape = self.task.train.images.shape[1:]
        return build_network(cell, self.task).eval(), torch.zeros(1, *shape)

    def parameters(self, cells: CellArray) -> NDArray[np.int64] | None:
        """Return the parameters of the cells' networks at the task's size, ``[N]``."""
        return cells.trainable_parameters(self.task.network_size)

    def macs(self, cells: CellArray) -> NDArray[np.int64] | None:
        """Return the MACs of the cells' networks at the task's size, ``[N]``."""
        return cells.macs(self.task.network_size)

    def describe(self) -> dict[str, Any]:
        """Return task, budget and runs, and the score where it is not accuracy."""
        score = self.goal.score
        return {
            "evaluator": "measure",
            "task": self.task.name,
            "task_sha256": self.task.fingerprint,
            "budget": self.budget,
            "seeds": self.seeds,
            "cells": None if self.domain.whole else len(self.domain),
            **({} if score == ACCURACY else {"score": score}),
        }
