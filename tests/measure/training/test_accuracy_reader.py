"""Accuracies are those of each image by itself."""

from __future__ import annotations

import pytest

from pyg_nas.measure.tasks.task import Task
from pyg_nas.measure.training.trainer import train

from ..conftest import chain

CELL = chain("conv3x3-bn-relu", "maxpool3x3")


def test_an_image_is_evaluated_alike_beside_any_others(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch
):
    """With the running statistics, not with those of the images evaluated."""
    together = train(CELL, tiny_task, 6, (0, 1))
    monkeypatch.setattr("pyg_nas.measure.training.accuracy_reader.IMAGES_AT_ONCE", 1)
    alone = train(CELL, tiny_task, 6, (0, 1))
    for one, other in zip(together, alone, strict=True):
        for name in ("train_accuracy", "validation_accuracy", "test_accuracy"):
            assert getattr(one.end, name) == pytest.approx(getattr(other.end, name), abs=0.026)
