"""Metrics and readings of a training run, in tables and official files."""

from __future__ import annotations

from collections.abc import Sequence

METRICS = ("training_time", "train_accuracy", "validation_accuracy", "test_accuracy")
"""Numbers of a run: seconds, then accuracies as fractions."""

READINGS = ("halfway", "end")
"""Moments at which the metrics of a run are read."""


def are_budgets(epochs: Sequence[int]) -> bool:
    """Return whether these are ascending positive numbers of epochs, one at least."""
    return len(epochs) > 0 and epochs[0] >= 1 and list(epochs) == sorted(set(epochs))
