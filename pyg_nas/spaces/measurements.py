"""What a training run measures, in tables and official files alike."""

METRICS = ("training_time", "train_accuracy", "validation_accuracy", "test_accuracy")
"""Numbers of a run: seconds, then accuracies as fractions."""

READINGS = ("halfway", "end")
"""When a run is read."""
