"""Metrics and readings of a training run, in tables and official files."""

METRICS = ("training_time", "train_accuracy", "validation_accuracy", "test_accuracy")
"""Numbers of a run: seconds, then accuracies as fractions."""

READINGS = ("halfway", "end")
"""Moments at which the metrics of a run are read."""
