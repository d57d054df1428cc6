"""Live measurement: each cell that a search asks for is trained."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.data.labels import LabelPolicy
from pyg_nas.errors import SettingsError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import NASBENCH101
from pyg_nas.search.domain import Domain
from pyg_nas.search.evaluator import Outcome, Reference, TableEvaluator
from pyg_nas.spaces.nasbench101.network_size import trainable_parameters

if TYPE_CHECKING:
    from pyg_nas.measure.executor import Executor
    from pyg_nas.measure.journal import Journal
    from pyg_nas.measure.task import Task


class MeasureEvaluator:
    """Trains cells on a task; every finished run is in the journal at once.

    The search sees the mean validation accuracy of the runs, blown-up ones included, and is
    charged the training time of all of them. Nobody has measured the whole space, so regret is
    not known.

    Args:
        task: What the cells are trained on.
        budget: Epochs.
        seeds: Runs of each cell.
        journal: Where finished runs are kept and found again.
        executor: How runs are spread; by default one at a time in this process.
        domain: The cells that may be asked for; by default all of NAS-Bench-101.

    Raises:
        SettingsError: If the budget or the number of runs is not positive.
        MeasureError: If the task's networks are too narrow for a cell of the domain.
    """

    reference: Reference | None = None

    def __init__(
        self,
        task: Task,
        budget: int,
        seeds: int,
        journal: Journal,
        executor: Executor | None = None,
        domain: Domain | None = None,
    ) -> None:
        for name, value in (("budget", budget), ("seeds", seeds)):
            if value < 1:
                raise SettingsError(f"{name} must be at least 1, got {value}")
        self.task = task
        self.task_name: str | None = task.name
        self.budget = budget
        self.seeds = seeds
        self.journal = journal
        self.executor = executor
        self.domain = domain or Domain(NASBENCH101)
        # No cell has more inner vertices, so that the space need not be listed for wider networks.
        if task.settings.stem_channels < NASBENCH101.max_vertices - 2:
            task.check_cells(self.domain.cells)

    def evaluate(self, cells: Sequence[Cell]) -> Iterator[Outcome]:
        """Train the cells and yield their outcomes, in order.

        Cells are trained one after the other, and each is yielded when it is done; where the
        executor has several workers, all are trained together first.

        Raises:
            MeasureError: If a cell cannot be trained.
        """
        from pyg_nas.measure.campaign import measure_cells

        alone = self.executor is None or self.executor.workers == 1
        step = 1 if alone else max(1, len(cells))
        for start in range(0, len(cells), step):
            part = cells[start : start + step]
            table = measure_cells(
                part,
                self.task,
                [self.budget],
                self.seeds,
                journal=self.journal,
                executor=self.executor,
            )
            policy = LabelPolicy(budget=self.budget, run="mean", resample_below=None)
            for outcome in TableEvaluator(table, policy).evaluate(part):
                yield Outcome(
                    outcome.accuracy, outcome.seconds, outcome.test_accuracy, outcome.test_accuracy
                )

    def parameters(self, cells: CellArray) -> NDArray[np.int64] | None:
        """Return the parameters of the cells' networks at the task's size, ``[N]``."""
        settings = self.task.settings
        return trainable_parameters(
            cells.adjacency,
            cells.operations,
            cells.num_vertices,
            stem_channels=settings.stem_channels,
            num_stacks=settings.num_stacks,
            modules_per_stack=settings.modules_per_stack,
            num_labels=self.task.num_labels,
            image_channels=int(self.task.train.images.shape[1]),
        )

    def oracle(self) -> NDArray[np.float64] | None:
        """Return None: nobody knows how all cells would do."""
        return None

    def describe(self) -> dict[str, Any]:
        """Return task, budget and runs."""
        return {
            "evaluator": "measure",
            "task": self.task.name,
            "task_sha256": self.task.fingerprint,
            "budget": self.budget,
            "seeds": self.seeds,
            "cells": None if self.domain.whole else len(self.domain),
        }
