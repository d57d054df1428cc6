"""The evaluator that looks cells up in a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.data.protocols.label_texts import label_words, missing_label
from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import MeasureError, SettingsError, TableError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.metrics.thresholds import above
from pyg_nas.search.constraints import Constraints, best_within
from pyg_nas.search.domain import Domain
from pyg_nas.search.evaluators.evaluator import Evaluator
from pyg_nas.search.goal import Goal
from pyg_nas.search.outcome import Outcome, Reference, Rung
from pyg_nas.spaces.measurements import METRICS


class TableEvaluator(Evaluator):
    """Looks cells up in a table; the domain is its cells that have a label.

    The accuracy of an outcome is the label of ``policy``, and its seconds are the training time of
    that label (:meth:`~pyg_nas.data.tables.table.Table.training_seconds`). Regret of validation
    accuracy is computed from the mean test accuracy if every cell of the domain has one, and
    otherwise from the mean validation accuracy; both at the policy's budget, with failed runs.
    Regret of another label is computed from the mean of its runs.

    Args:
        table: The measured cells.
        policy: The label that the search maximises, or minimises if it is a cost; by default the
            table's default label.

    Raises:
        TableError: If no cell has a label.
    """

    label: LabelPolicy

    def __init__(self, table: Table, policy: LabelPolicy | None = None) -> None:
        policy = policy or table.default_label
        labels = table.label(policy)
        # A cell may have several rows, and a search proposes it once.
        labelled = table.rows_of_cells(np.flatnonzero(~np.isnan(labels)))
        if not len(labelled):
            raise TableError(missing_label(table, policy))
        if len(labelled) < len(table):
            table, labels = table.subset(labelled), labels[labelled]
        self.table = table
        self.label = policy
        self.goal = Goal.of_label(table, policy)
        self.domain = Domain(table.space, table.cells, table.hashes)
        self._labels = labels
        self._seconds = table.training_seconds(policy)
        self._test = table.label(_mean(policy, "test_accuracy"))
        # A measured run may not be that of the label.
        means = table.label(_mean(policy, policy.metric))
        self._means = np.where(np.isnan(means), labels, means)
        self._truth, self._kind = self._means, self.goal.name
        of_accuracies = policy.metric in ("validation_accuracy", "test_accuracy")
        if of_accuracies and not np.isnan(self._test).any():
            self._truth = self._test
            self._kind = f"mean {label_words(table, _mean(policy, 'test_accuracy'))}"
        self._smaller: dict[int, tuple[NDArray[np.float64], NDArray[np.float64]]] = {}
        self.reference = self.best_within(Constraints())

    def evaluate(self, cell: Cell, budget: int | None = None) -> Outcome:
        """Return the table's numbers of a cell.

        Seconds that the table lacks at a smaller budget are those of the label in proportion to
        the epochs.

        Raises:
            MeasureError: If the cell has no label at this budget.
            TableError: If it is not in the table.
        """
        row = self.table.index_of(cell)
        if budget is not None:
            labels, seconds = self._at_budget(budget)
            if np.isnan(labels[row]):
                raise MeasureError(f"the table has no label of it at {budget} epochs")
            return Outcome(float(labels[row]), _known(seconds[row]))
        return Outcome(
            float(self._labels[row]),
            _known(self._seconds[row]),
            _known(self._test[row]) if self.label.metric == "validation_accuracy" else None,
            float(self._truth[row]),
        )

    @property
    def smaller_budgets(self) -> tuple[int, ...]:
        """The table's budgets below that of the label, from a ninth of it on."""
        if self.label.metric not in METRICS:  # a target, which is no result of training runs
            return ()
        full = self._full_budget
        return tuple(budget for budget in self.table.budgets if full <= 9 * budget < 9 * full)

    @property
    def _full_budget(self) -> int:
        return self.table.budgets[-1] if self.label.budget is None else self.label.budget

    def _at_budget(self, budget: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return labels and seconds of the table's cells at a smaller budget, ``[N]`` each."""
        if budget not in self._smaller:
            # A failed run at a smaller budget is a reason to stop, and is not replaced.
            policy = replace(self.label, budget=budget, resample_below=None)
            seconds = self.table.training_seconds(policy)
            share = self._seconds * budget / self._full_budget
            self._smaller[budget] = (
                self.table.label(policy),
                np.where(np.isnan(seconds), share, seconds),
            )
        return self._smaller[budget]

    def full_seconds(self, cell: Cell, rungs: Sequence[Rung]) -> float | None:
        """Return the seconds of a cell's label; None if the table does not have them."""
        return _known(self._seconds[self.table.index_of(cell)])

    def network(self, cell: Cell) -> tuple[Any, Any]:
        """Return the cell's network at the size of the table's networks, with one image.

        Raises:
            SettingsError: If that size is not known.
        """
        from pyg_nas.measure.network import sized_network

        size = self.table.network_size
        if size is None:
            raise SettingsError("the size of the table's networks is not known")
        return sized_network(cell, size)

    def parameters(self, cells: CellArray) -> NDArray[np.int64] | None:
        """Return the table's column for ``cells``, which must be in it."""
        if (self.table.trainable_parameters < 0).any():
            return None
        if cells is self.domain.cells:
            return self.table.trainable_parameters.astype(np.int64)
        rows = [self.table.index_of(digest.decode()) for digest in cells.hashes()]
        return self.table.trainable_parameters[rows].astype(np.int64)

    def macs(self, cells: CellArray) -> NDArray[np.int64] | None:
        """Return the MACs of the table's networks, ``[N]``; None if their size is not known."""
        network = self.table.space.support.network
        size = self.table.network_size
        return None if network is None or size is None else network.macs(cells, size)

    def best_within(self, limits: Constraints) -> Reference | None:
        """Return the best of the cells within the limits; None if there is none.

        A limit on a number that is not known excludes no cell.
        """
        fast = None
        if limits.max_seconds is not None:
            fast = ~np.isnan(self._seconds) & ~above(self._seconds, limits.max_seconds)
        return best_within(self, limits, self._truth, self._kind, fast)

    def oracle(self) -> NDArray[np.float64]:
        """Return the mean over runs of each cell's label ``[N]``, negated if it is a cost."""
        return self.goal.gain(self._means)

    def describe(self) -> dict[str, Any]:
        """Return label policy and size of the table, and a digest of its labels."""
        from hashlib import sha256

        digest = sha256(self.table.hashes.tobytes() + self._labels.tobytes()).hexdigest()
        return {
            "evaluator": "table",
            "space": self.table.space.name,
            "cells": len(self.table),
            "label": self.label.to_dict(),
            "labels_sha256": digest,
        }


def _mean(policy: LabelPolicy, metric: str) -> LabelPolicy:
    return LabelPolicy(metric, policy.budget, "mean", resample_below=None)


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
