"""The textures are those that the shipped table was measured on, and need what they say."""

from __future__ import annotations

import numpy as np
from sklearn.linear_model import LogisticRegression

from pyg_nas.data.tables.shipped import shipped_table
from pyg_nas.measure.tasks.textures import textures_task


def test_textures_are_the_task_of_the_shipped_table() -> None:
    about = shipped_table("nasbench201_textures.hdf5").about
    assert about["fingerprint"] == textures_task().fingerprint
    assert about["settings"] == textures_task().settings.to_dict()


def test_only_relations_between_pixels_tell_the_classes_apart() -> None:
    task = textures_task()
    train, test = task.train, task.test
    linear = LogisticRegression(max_iter=200)
    # A linear model of the pixels, and one of the mean colours, are hardly better than chance.
    for features in (
        lambda part: part.images.reshape(len(part), -1),
        lambda part: part.images.mean(axis=(2, 3)),
    ):
        score = linear.fit(features(train), train.labels).score(features(test), test.labels)
        assert score < 0.2
    assert np.bincount(train.labels).min() > 40
