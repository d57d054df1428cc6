"""Every backend gives the same table, and no failure is lost or spreads."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch

from pyg_nas.errors import MeasureError, SettingsError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.measure import CampaignProgress, Executor, Journal, measure_cells
from pyg_nas.measure.campaigns.job import Job
from pyg_nas.measure.tasks.task import Task
from pyg_nas.measure.training import trainer
from pyg_nas.measure.training.augmentation import Augmentation

from ..conftest import chain, make_tiny_task

CELLS = sample_cells(4, seed=1)
BUDGETS = (1, 3)


def accuracies(cells, task, **options) -> np.ndarray:
    return measure_cells(cells, task, BUDGETS, 2, **options).metrics[..., 1:]


@pytest.fixture(scope="module")
def expected() -> np.ndarray:
    return accuracies(CELLS, make_tiny_task())


@dataclass(frozen=True)
class Sabotage(Augmentation):
    """Does harm the first ``times`` times that a network is trained, on the way to its images."""

    folder: str = ""
    times: int = 10**9
    deadly: bool = False
    only_pid_other_than: int = field(default_factory=os.getpid)

    def __call__(self, images, deviation, generator):
        # The cell is not known here: its generator's seed is, and is different for every run.
        marks = Path(self.folder)
        victim = marks / "victim"
        name = str(generator.initial_seed())
        if victim.read_text() == name:
            count = len(list(marks.glob("mark*")))
            if count < self.times:
                (marks / f"mark{count}").touch()
                if self.deadly:
                    assert os.getpid() != self.only_pid_other_than
                    os.kill(os.getpid(), signal.SIGKILL)
                raise RuntimeError("the disk is on fire")
        return super().__call__(images, deviation, generator)


def sabotaged(folder: Path, cell: Cell, budget: int, **options) -> Task:
    from pyg_nas.measure.training.trainer import run_generator

    (folder / "victim").write_text(str(run_generator(cell, budget, 0).initial_seed()))
    base = make_tiny_task()
    return base.with_settings(
        base.settings.__class__(
            **{
                **vars(base.settings),
                "augmentation": Sabotage(1, False, 0.3, str(folder), **options),
            }
        )
    )


def test_a_failed_job_is_tried_again(tmp_path: Path, expected):
    task = sabotaged(tmp_path, CELLS[1], 3, times=2)
    np.testing.assert_array_equal(accuracies(CELLS, task, retries=2), expected)
    assert len(list(tmp_path.glob("mark*"))) == 2


def test_a_job_that_keeps_failing_is_reported_by_cell_and_the_others_are_kept(tmp_path: Path):
    victim = CELLS[1]
    task = sabotaged(tmp_path, victim, 3)
    with Journal(tmp_path / "j.sqlite", task) as journal:
        with pytest.raises(MeasureError, match="the disk is on fire") as caught:
            measure_cells(CELLS, task, BUDGETS, 2, journal, retries=1)
        message = str(caught.value)
        assert f"cell {victim.hash} at 3 epochs: RuntimeError" in message
        assert message.startswith("1 job failed, everything else is in ")
        assert message.endswith("(tried 2 times)")
        assert len(list(tmp_path.glob("mark*"))) == 2
        finished = journal.finished()
        assert len(finished) == 4 * 2 * 2 - 2
        assert not any(digest == victim.hash and budget == 3 for digest, budget, _ in finished)
        # Its claim was given back: another try is possible at once.
        assert journal.claim(victim, 3, (0, 1)) == (0, 1)


def test_a_job_that_would_fail_in_the_same_way_is_not_tried_again(
    tmp_path: Path, tiny_task: Task, monkeypatch: pytest.MonkeyPatch
):
    trained = []

    def diverges(cell: Cell, *_: object) -> None:
        trained.append(cell.hash)
        raise MeasureError("training diverged")

    monkeypatch.setattr("pyg_nas.measure.training.trainer.train", diverges)
    with pytest.raises(MeasureError, match=r"at 1 epoch: training diverged$"):
        measure_cells(CELLS[:1], tiny_task, (1,), 2, retries=5)
    assert trained == [CELLS[0].hash]


@pytest.mark.skipif(os.name == "nt", reason="needs SIGKILL")
def test_a_worker_that_dies_takes_only_its_own_job_with_it(tmp_path: Path):
    victim = CELLS[2]
    task = sabotaged(tmp_path, victim, 1, deadly=True)
    with Journal(tmp_path / "j.sqlite", task) as journal:
        with pytest.raises(MeasureError) as caught:
            measure_cells(CELLS, task, BUDGETS, 2, journal, Executor("loky", workers=2), retries=0)
        assert f"cell {victim.hash} at 1 epoch: its worker died" in str(caught.value)
        assert str(caught.value).count("at 1 epoch") == 1
        assert len(journal.finished()) == 4 * 2 * 2 - 2


def test_jobs_are_read_no_further_ahead_than_there_are_workers(tiny_task: Task):
    read = []

    def jobs():
        for number, cell in enumerate(CELLS):
            read.append(number)
            yield Job(cell, 1, (0,))

    outcomes = Executor("sequential").run(jobs(), tiny_task)
    next(outcomes)
    assert read == [0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"backend": "slurm"}, "backend must be one of sequential, threading, loky, ray, dask"),
        ({"workers": 0}, "workers must be at least 1"),
        ({"workers": 10**12}, "workers must be at most 10,000"),
        ({"threads": 0}, "threads must be at least 1"),
        ({"gpus_per_run": -1.0}, "gpus_per_run must be at least 0"),
        ({"gpus_per_run": 1.0}, "only the backend 'ray' supports"),
    ],
)
def test_invalid_executors(options, message):
    with pytest.raises(SettingsError, match=message):
        Executor(**options)


def test_gpus_are_dealt_out_in_turn(monkeypatch):
    monkeypatch.setattr("torch.cuda.is_available", lambda: True)
    monkeypatch.setattr("torch.cuda.device_count", lambda: 2)
    assert [Executor(device="auto")._device(n) for n in range(3)] == ["cuda:0", "cuda:1", "cuda:0"]
    assert Executor(device="cuda:1")._device(0) == "cuda:1"
    assert Executor("ray", device="cuda", gpus_per_run=0.5)._device(1) == "cuda:0"
    monkeypatch.setattr("torch.cuda.is_available", lambda: False)
    assert Executor(device="auto")._device(1) == "cpu"


def test_progress_counts_the_runs_given_up(tmp_path: Path):
    task = sabotaged(tmp_path, CELLS[1], 3)
    seen: list[CampaignProgress] = []
    with pytest.raises(MeasureError, match="the disk is on fire"):
        measure_cells(CELLS, task, BUDGETS, 2, retries=0, on_progress=seen.append)
    assert seen[-1] == CampaignProgress(32 - 2 * 3, 32, 16 - 2, 2)


def test_jobs_have_their_threads_and_leave_the_others_alone(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch
):
    seen: list[int] = []
    original = trainer.train

    def watched(*arguments):
        seen.append(torch.get_num_threads())
        return original(*arguments)

    monkeypatch.setattr(trainer, "train", watched)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        for threads in (3, 1):
            list(Executor(threads=threads).run([Job(chain(), 1, (0,))], tiny_task))
            assert torch.get_num_threads() == 2
        assert seen == [3, 1]
    finally:
        torch.set_num_threads(before)
