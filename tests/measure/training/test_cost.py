"""The estimated cost of training, from one step."""

from __future__ import annotations

from unittest.mock import Mock

import pytest

from pyg_nas.measure.tasks.task import Task
from pyg_nas.measure.training.cost import TrainingCost, time_one_step
from tests.measure.conftest import chain


def test_the_estimate_counts_epochs_and_evaluation(tiny_task: Task) -> None:
    cost = TrainingCost(0.5, 3, 2.0, None)
    assert cost.run_seconds(4) == 4 * 3 * 0.5 + 2 * 2.0
    measured = time_one_step(tiny_task, chain("conv3x3-bn-relu"), chain("maxpool3x3"))
    assert measured.steps == 3
    passes = 104 / tiny_task.settings.batch_size  # over all images on which accuracy is read
    assert measured.evaluation_seconds == pytest.approx(measured.step_seconds / 3 * passes)
    assert 0 < measured.step_seconds < 60


def test_on_a_gpu_the_memory_is_that_of_the_gpu(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[str] = []
    training = "pyg_nas.measure.training.trainer._Training"
    made = lambda self, *given: vars(self).update(network=Mock(), device=given[-1])  # noqa: E731
    monkeypatch.setattr(f"{training}.__init__", made)
    monkeypatch.setattr(f"{training}.take_step", lambda self: None)
    monkeypatch.setattr("torch.cuda.synchronize", waits.append)
    monkeypatch.setattr("torch.cuda.max_memory_reserved", lambda device: 3 * 2**30)
    cell = chain("maxpool3x3")
    assert time_one_step(tiny_task, cell, cell, "cuda:1").gpu_bytes == 3 * 2**30
    assert waits == 3 * ["cuda:1"]  # steps on a GPU are timed to their end
    assert time_one_step(tiny_task, cell, cell).gpu_bytes is None
