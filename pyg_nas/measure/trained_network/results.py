"""What a trained network is of, and its results on the test images, for its folder."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.measure.tasks.objective import Objective, predicted_labels
from pyg_nas.measure.tasks.task import Task
from pyg_nas.metrics.intervals import wilson_interval


def describe_task(task: Task) -> dict[str, Any]:
    """Return name, settings, images and classes of a task as JSON values."""
    return {
        "name": task.name,
        "settings": task.settings.to_dict(),
        "image_shape": list(task.test.images.shape[1:]),
        "unit": pixel_unit(task),
        "classes": [] if task.is_regression else list(task.classes),
    }


def pixel_unit(task: Task) -> str:
    """Return the unit of a pixel in words."""
    if task.train.images.dtype == np.uint8:
        return "pixels from 0 to 255"
    return "pixels in the unit of the training images"


def describe_test(logits: NDArray[np.float32], task: Task) -> dict[str, Any]:
    """Return the results of a network on the test images as JSON values.

    Args:
        logits: Its outputs for these images, ``[N, labels]``.
    """
    predicted = predicted_labels(logits, task)
    objective = Objective(task)
    described = {
        "images": len(predicted),
        "score_name": objective.score_name,
        "score": objective.score(task.test.labels, predicted),
    }
    if task.is_regression:
        errors = predicted - task.test.labels
        return {
            **described,
            "mean_absolute_error": float(np.abs(errors).mean()),
            "root_mean_squared_error": float(np.sqrt((errors**2).mean())),
        }
    from sklearn.metrics import confusion_matrix

    correct = int((predicted == task.test.labels).sum())
    interval = wilson_interval(correct, len(predicted))
    confusion = confusion_matrix(task.test.labels, predicted, labels=range(task.num_labels))
    return {
        **described,
        "correct": correct,
        "accuracy": interval.mean,
        "low": interval.low,
        "high": interval.high,
        "confidence": interval.confidence,
        "confusion": confusion.tolist(),
    }
