"""Metrics and readings of a training run, in tables and official files."""

from __future__ import annotations

from collections.abc import Sequence

METRICS = ("training_time", "train_accuracy", "validation_accuracy", "test_accuracy")
"""Numbers of a run: seconds, then accuracies as fractions."""
TIME, ACCURACIES = 0, slice(1, None)
"""Positions of the seconds and of the accuracies among them."""

READINGS = ("halfway", "end")
"""Moments at which the metrics of a run are read."""
HALFWAY, END = range(len(READINGS))
"""Their positions."""

RUN_SHAPE = len(READINGS), len(METRICS)
"""Shape of the numbers of a run: the metrics of each reading."""


def are_budgets(epochs: Sequence[int]) -> bool:
    """Return whether these are ascending positive numbers of epochs, one at least."""
    return len(epochs) > 0 and epochs[0] >= 1 and list(epochs) == sorted(set(epochs))
