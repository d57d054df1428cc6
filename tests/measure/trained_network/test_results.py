"""Results of a network on the test images, worked out by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from pyg_nas.measure.tasks.task import Part, Task
from pyg_nas.measure.trained_network.results import describe_task, describe_test


def test_a_classifier_that_takes_one_image_for_the_next_class(tiny_task: Task) -> None:
    labels = tiny_task.test.labels
    predicted = labels.copy()
    predicted[0] = (labels[0] + 1) % 3
    found = describe_test(np.eye(3, dtype=np.float32)[predicted], tiny_task)
    assert (found["images"], found["correct"]) == (40, 39)
    assert found["accuracy"] == found["score"] == 39 / 40
    assert found["low"] < 39 / 40 < found["high"]
    expected = np.diag(np.bincount(labels))
    expected[labels[0], labels[0]] -= 1
    expected[labels[0], predicted[0]] += 1
    assert found["confusion"] == expected.tolist()
    json.dumps(found)


def test_numbers_that_are_half_a_unit_too_large(tiny_task: Task) -> None:
    def numbers(part: Part) -> Part:
        return Part(part.images, part.labels.astype(np.float32))

    task = replace(
        tiny_task,
        **{name: numbers(getattr(tiny_task, name)) for name in ("train", "evaluated_train")},
        **{name: numbers(getattr(tiny_task, name)) for name in ("validation", "test")},
        num_labels=1,
        classes=(),
    )
    found = describe_test(task.test.labels[:, None] + np.float32([[0.5]]), task)
    assert found["score_name"] == "R²"
    assert found["mean_absolute_error"] == pytest.approx(0.5)
    assert found["root_mean_squared_error"] == pytest.approx(0.5)
    assert "confusion" not in found
    assert describe_task(task)["classes"] == []
    assert describe_task(tiny_task)["classes"] == ["0", "1", "2"]
    assert describe_task(tiny_task)["image_shape"] == [1, 4, 4]
