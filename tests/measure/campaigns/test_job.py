"""A job ends with its runs or with the error that stopped it."""

from __future__ import annotations

import pytest
import torch

from pyg_nas import sample_cells
from pyg_nas.errors import MeasureError
from pyg_nas.measure.campaigns import job as jobs
from pyg_nas.measure.tasks.task import Task


def test_an_error_is_the_outcome_and_threads_are_restored(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_: object) -> None:
        assert torch.get_num_threads() == 1
        raise RuntimeError("no\nmemory")

    monkeypatch.setattr("pyg_nas.measure.training.trainer.train", fails)
    before = torch.get_num_threads()
    job = jobs.Job(sample_cells(1, seed=0)[0], budget=1, seeds=(0,))
    outcome = jobs.attempt(tiny_task, job, "cpu", threads=1)
    assert outcome.job is job
    assert outcome.runs == ()
    assert outcome.error is not None
    assert outcome.error.startswith("RuntimeError: no memory (test_job.py:")
    assert not outcome.is_final
    assert torch.get_num_threads() == before

    def refuses(*_: object) -> None:
        raise MeasureError("metric x: must give a finite number, got nan")

    monkeypatch.setattr("pyg_nas.measure.training.trainer.train", refuses)
    outcome = jobs.attempt(tiny_task, job, "cpu", threads=1)
    assert outcome.error == "metric x: must give a finite number, got nan"
    assert outcome.is_final
