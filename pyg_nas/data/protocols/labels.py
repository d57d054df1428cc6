"""Label policies: which measured number of a cell is its label, stated explicitly."""

from __future__ import annotations

import warnings
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, NonNegativeInt, PositiveInt

from pyg_nas.data.protocols.direction import direction, falls_with_accuracy
from pyg_nas.errors import TableError
from pyg_nas.graphs.registry import default_space
from pyg_nas.io.record import Rule, check_fields, record_from_dict
from pyg_nas.io.text import counted
from pyg_nas.metrics.thresholds import accuracy_unit, below
from pyg_nas.spaces.measurements import ACCURACIES, METRICS

FAILED_BELOW = 0.2
"""A run that ends below this accuracy has failed, by the rule of the reproduction."""

_FEW_LOST, _MANY_LOST = 10, 0.05


@dataclass(frozen=True)
class LabelPolicy:
    """The rule that computes one label from a cell's measured runs.

    Args:
        metric: One of :data:`METRICS`, or the name of one of the table's further targets.
        budget: Budget in epochs; None for the table's largest.
        run: Index of the run (the seed), or ``"mean"`` over the measured runs. None for a table of
            networks, which has one number of each network and neither budgets nor runs.
        halfway: Use the reading halfway through training instead of the one at the end.
        resample_below: A run with an accuracy below this has failed. A failed single run is
            replaced by the next measured run (cyclically) that has not failed; a mean leaves
            failed runs out. If no run is left, the label is ``fallback``. None replaces no run.
            A fraction, as ``fallback``, even if the table's accuracies are in percent.
        fallback: Label of a cell all of whose runs failed; None for the mean label of the
            table's other cells.

    A cell whose chosen run was not measured has the label NaN.

    Raises:
        SettingsError: If a value breaks its rule.
    """

    metric: Annotated[
        str, Field(min_length=1), Rule(f"one of {', '.join(METRICS)}, or the name of a target")
    ] = "validation_accuracy"
    budget: Annotated[PositiveInt | None, Rule("a whole number >= 1")] = None
    run: Annotated[
        NonNegativeInt | Literal["mean"] | None, Rule("'mean', a whole number >= 0 or None")
    ] = 0
    halfway: Annotated[bool, Rule("true or false")] = False
    resample_below: Annotated[float | None, Rule("a finite number")] = FAILED_BELOW
    fallback: Annotated[float | None, Rule("a finite number")] = None

    def __post_init__(self) -> None:
        check_fields(self, "label")

    @property
    def is_accuracy(self) -> bool:
        """Whether the label is one of the accuracies of :data:`METRICS`."""
        return self.metric in METRICS[ACCURACIES]

    @property
    def resamples(self) -> bool:
        """Whether failed runs are replaced: only runs with a low accuracy count as failed."""
        return self.resample_below is not None and self.is_accuracy

    @property
    def larger_is_better(self) -> bool:
        """Whether a larger label is better: true of accuracies, false of seconds.

        Of targets the name decides, by :func:`~pyg_nas.data.protocols.direction.direction`.
        """
        return self.is_accuracy or direction(self.metric).larger_is_better

    @property
    def falls_with_accuracy(self) -> bool:
        """Whether more accurate architectures tend to have a smaller label.

        Of targets the name decides, by
        :func:`~pyg_nas.data.protocols.direction.falls_with_accuracy`.
        """
        return not self.is_accuracy and falls_with_accuracy(self.metric)

    def apply(self, runs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return one label per cell, ``[N]``, computed from the runs ``[N, S]`` of its metric.

        Warns:
            UserWarning: If more than 5 % of the cells, and more than 10, have only failed runs.

        Raises:
            TableError: If the table does not have the run.
        """
        wanted = ~np.isnan(self.raw(runs))
        measured = ~np.isnan(runs)
        usable = measured.copy()
        unit = accuracy_unit(runs) or 1.0 if self.resamples else 1.0
        if self.resamples and self.resample_below is not None:
            usable &= ~below(runs, unit * self.resample_below)
        if not isinstance(self.run, int):  # their mean
            labels = _means(runs, usable)
        else:
            # The run itself, then the next ones, cyclically: the first usable one counts.
            order = (self.run + np.arange(runs.shape[1])) % runs.shape[1]
            first = usable[:, order].argmax(axis=1)
            labels = runs[np.arange(len(runs)), order[first]]
            labels[~usable.any(axis=1) | ~wanted] = np.nan
        lost = wanted & np.isnan(labels)
        if lost.sum() > max(_FEW_LOST, _MANY_LOST * wanted.sum()):
            warnings.warn(
                f"{lost.sum():,} of {wanted.sum():,} cells have no run from "
                f"{self.resample_below} on and get the fallback label: if such accuracies are "
                f"normal for this task, use a label with resample_below=None",
                stacklevel=3,
            )
        if lost.any():
            others = labels[~np.isnan(labels)]
            if self.fallback is not None:
                labels[lost] = unit * self.fallback
            elif len(others):
                labels[lost] = others.mean()
        return labels

    def raw(self, runs: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the measured value of the policy's run, ``[N]``, failed or not.

        If the label is a mean of runs, return the mean of all measured runs.

        Args:
            runs: ``[N, S]``.

        Raises:
            TableError: If the table does not have the run.
        """
        if self.run == "mean":
            return _means(runs, ~np.isnan(runs))
        if self.run is None or self.run >= runs.shape[1]:
            raise TableError(
                f"the table has runs 0 to {runs.shape[1] - 1}, run {self.run} was requested"
            )
        return runs[:, self.run]

    def __str__(self) -> str:
        name = self.metric.replace("_", " ")
        if self.run is None or self.metric not in METRICS:
            return name
        budget = "largest budget" if self.budget is None else counted(self.budget, "epoch")
        run = "mean of runs" if self.run == "mean" else f"run {self.run}"
        point = ", halfway" if self.halfway else ""
        resampled = f", runs below {self.resample_below:g} replaced" if self.resamples else ""
        return f"{name} at {budget}, {run}{point}{resampled}"

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready description."""
        return asdict(self)

    @classmethod
    def from_dict(cls, description: Any) -> LabelPolicy:
        """Rebuild a policy from :meth:`to_dict`'s result.

        Raises:
            SettingsError: If a key is unknown or a value breaks its rule.
        """
        return record_from_dict(cls, description, "a label policy")


def _means(runs: NDArray[np.float64], counted: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Return the mean of each cell's counted runs ``[N, S]``, NaN where it has none, ``[N]``."""
    means, count = np.full(len(runs), np.nan), counted.sum(axis=1)
    np.divide(np.where(counted, runs, 0).sum(axis=1), count, out=means, where=count > 0)
    return means


SCORE = "score"
"""Key of a table's ``about``: name of the task's metric, if it is not accuracy."""

PAPER_LABEL = LabelPolicy(**(default_space().support.official_label or {}))
"""Label of arXiv:1912.00848's reproduction: final validation accuracy of seed 0 on CIFAR-10."""
