"""Tasks: their fingerprint, their batch size, the statistics of their images."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.errors import MeasureError
from pyg_nas.measure import get_task
from pyg_nas.measure.tasks.task import Part, Task
from tests.measure.images import settings_file

from ..conftest import TINY_SETTINGS, make_tiny_task


def test_fingerprint_sees_settings_labels_and_pixels():
    task = make_tiny_task()
    images = task.train.images.copy()
    images[0, 0, 0, 0] += 1
    labels = np.roll(task.train.labels, 1)
    variants = [
        task,
        make_tiny_task(TINY_SETTINGS.changed({"learning_rate": 0.06})),
        make_tiny_task(TINY_SETTINGS.changed({"augmentation": {"noise": 0.31}})),
        make_tiny_task(name="other"),
        *(
            Task("tiny", part, task.evaluated_train, task.validation, task.test, 3, TINY_SETTINGS)
            for part in (Part(images, task.train.labels), Part(task.train.images, labels))
        ),
    ]
    assert len({variant.fingerprint for variant in variants}) == len(variants)
    assert make_tiny_task().fingerprint == task.fingerprint


def test_a_batch_larger_than_the_training_part_is_refused(tmp_path: Path):
    with pytest.raises(MeasureError, match="a batch of 385 is larger than the training part"):
        get_task("digits", settings_file(tmp_path, batch_size=385))


def test_statistics_are_those_of_the_training_images(tiny_task: Task):
    shifted = Part(tiny_task.validation.images + 5, tiny_task.validation.labels)
    task = replace(tiny_task, validation=shifted, test=shifted, evaluated_train=shifted)
    mean, deviation = task.statistics
    assert mean.tolist() == pytest.approx([tiny_task.train.images.mean()], abs=1e-6)
    assert deviation.tolist() == pytest.approx([tiny_task.train.images.std()], rel=1e-5)


def test_the_final_training_learns_from_all_images_but_those_for_testing(tiny_task: Task):
    final = tiny_task.for_final_training()
    assert len(final.train) == 24 + 40
    np.testing.assert_array_equal(final.train.images[24:], tiny_task.validation.images)
    np.testing.assert_array_equal(final.train.labels[:24], tiny_task.train.labels)
    assert final.test is tiny_task.test
    assert final.settings == tiny_task.settings
    digits = get_task("digits")
    assert len(digits.for_final_training().train) == 384 + 500
    # Clean, as training images are until they are seen.
    assert set(np.unique(digits.for_final_training().train.images * 16)) == set(range(17))


def test_a_printed_task_has_numbers_of_images(tiny_task: Task):
    text = repr(tiny_task)
    assert f"train=Part({len(tiny_task.train)} images of [1, 4, 4])" in text
    assert "array" not in text


def test_every_class_has_a_name(tiny_task: Task):
    assert tiny_task.classes == ("0", "1", "2")
    assert replace(tiny_task, classes=("a", "b", "c")).fingerprint == tiny_task.fingerprint
    with pytest.raises(MeasureError, match="a name for each of 3 classes, got 2"):
        replace(tiny_task, classes=("a", "b"))
