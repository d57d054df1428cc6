"""Training runs: reproducible, independent of each other, and with errors that name the cause."""

from __future__ import annotations

import itertools
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import Mock

import numpy as np
import pytest
import torch
from torch import nn

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import MeasureError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.registry import register_space
from pyg_nas.measure.tasks.digits import digits_task
from pyg_nas.measure.tasks.task import Part, Task
from pyg_nas.measure.training import trainer
from pyg_nas.measure.training.checkpoint import Checkpoint
from pyg_nas.measure.training.trainer import train, train_network
from pyg_nas.spaces.own import CellModule, OwnSpace
from tests.own_space import forget

from ..conftest import TINY_SETTINGS, chain, make_tiny_task

SHIPPED = Path(__file__).parents[3] / "datasets" / "nasbench_digits.hdf5"
CELL = chain("conv3x3-bn-relu", "maxpool3x3")


def accuracies(runs):
    return [
        [(r.train_accuracy, r.validation_accuracy, r.test_accuracy) for r in (run.halfway, run.end)]
        for run in runs
    ]


@pytest.mark.parametrize("optimizer", ["sgd", "rmsprop"])
def test_runs_trained_together_are_those_trained_alone(optimizer: str):
    task = make_tiny_task(replace(TINY_SETTINGS, optimizer=optimizer))
    together = train(CELL, task, 6, (0, 1, 2))
    alone = [train(CELL, task, 6, (seed,))[0] for seed in (0, 1, 2)]
    np.testing.assert_allclose(accuracies(together), accuracies(alone), atol=0.026)
    assert len({str(run) for run in accuracies(together)}) > 1


def test_large_images_are_trained_in_turn(tiny_task: Task, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(
        "pyg_nas.measure.training.batches._LARGE_PIXELS", 15
    )  # those of this task have 16
    alone = [train(CELL, tiny_task, 2, (seed,))[0] for seed in (1, 4)]
    monkeypatch.setattr(trainer, "build_members", members := Mock(wraps=trainer.build_members))
    assert accuracies(train(CELL, tiny_task, 2, (1, 4))) == accuracies(alone)
    assert [call.args[-1] for call in members.call_args_list] == [1, 1]


def test_the_same_run_twice_gives_the_same_accuracies(tiny_task: Task):
    assert accuracies(train(CELL, tiny_task, 3, (4,))) == accuracies(
        train(CELL, tiny_task, 3, (4,))
    )


def test_networks_with_dropout_are_reproducible_and_resumed_exactly(
    tiny_task: Task, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def build(cell, task):
        inner = CellModule(cell, {"conv": lambda n: nn.Conv2d(n, n, 3, padding=1)}, 4)
        layers = [nn.Conv2d(task.image_channels, 4, 3), inner, nn.Dropout(0.5)]
        head = [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, task.num_labels)]
        return nn.Sequential(*layers, *head)

    forget(monkeypatch)
    support = OwnSpace("dropping", {"conv": nn.Identity}, build, max_vertices=3)
    register_space(support)
    cell = Cell.from_edges([(0, 1), (1, 2)], ["input", "conv", "output"], support.space)

    def weights(network: nn.Module) -> torch.Tensor:
        return torch.cat([weight.flatten() for weight in network.parameters()])

    _, expected = train_network(cell, tiny_task, 4, 7)
    torch.rand(5)  # another state of the global generator
    kept = Checkpoint(tmp_path / "state", seconds=0)

    def stop(step: int, total: int) -> None:
        if step > total // 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_network(cell, tiny_task, 4, 7, on_step=stop, checkpoint=kept)
    _, resumed = train_network(cell, tiny_task, 4, 7, checkpoint=kept)
    assert torch.equal(weights(resumed), weights(expected))
    together = train(cell, tiny_task, 4, (3, 7))[1]
    assert accuracies([together]) == accuracies(train(cell, tiny_task, 4, (7,)))


def test_a_network_is_returned_with_its_run(tiny_task: Task):
    steps = []
    run, network = train_network(CELL, tiny_task, 3, 4, on_step=lambda *at: steps.append(at))
    assert accuracies([run]) == accuracies(train(CELL, tiny_task, 3, (4,)))
    assert steps == [(step, 9) for step in range(1, 10)]
    for part, name in ((tiny_task.validation, "validation"), (tiny_task.test, "test")):
        with torch.inference_mode():
            classes = network(torch.from_numpy(part.images)).argmax(1).numpy()
        assert (classes == part.labels).mean() == getattr(run.end, f"{name}_accuracy")


def test_budgets_and_seeds_are_different_runs(tiny_task: Task):
    halves = [
        accuracies(train(CELL, tiny_task, budget, (seed,)))[0][1]
        for budget, seed in ((4, 0), (4, 1), (8, 0))
    ]
    assert len(set(halves)) == 3


def test_training_learns_the_task(tiny_task: Task):
    (run,) = train(CELL, tiny_task, 40, (0,))
    assert run.end.test_accuracy > 0.6  # a third is chance
    assert run.halfway.wall_seconds < run.end.wall_seconds
    assert 0 < run.halfway.cpu_seconds < run.end.cpu_seconds


def test_halfway_of_one_epoch_is_after_half_of_its_steps(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch
):
    """3 steps per epoch: one before the first reading, two after it."""
    calls = []

    def record(kind, method, name):
        function = getattr(kind, method)

        def call(*arguments):
            calls.append(name)
            return function(*arguments)

        monkeypatch.setattr(kind, method, call)

    record(trainer._Training, "take_step", "step")
    record(trainer.AccuracyReader, "__call__", "read")
    (run,) = train(CELL, tiny_task, 1, (0,))
    assert calls == ["step", "read", "step", "step", "read"]
    assert 0 < run.halfway.wall_seconds < run.end.wall_seconds


@pytest.mark.parametrize("cell", [chain(), CELL], ids=["input to output only", "chain"])
def test_a_run_that_fails_is_recorded_as_it_is(cell):
    task = make_tiny_task(replace(TINY_SETTINGS, learning_rate=1e30, weight_decay=1.0))
    runs = train(cell, task, 6, (0, 1))
    chance = np.bincount(task.test.labels).max() / len(task.test)
    for run in runs:
        assert 0 <= run.end.test_accuracy <= chance


@pytest.mark.parametrize(("budget", "seeds"), [(0, (0,)), (1, ()), (1, (2, 2))])
def test_an_invalid_request_is_refused(tiny_task: Task, budget, seeds):
    with pytest.raises(MeasureError, match="budget must be at least 1"):
        train(CELL, tiny_task, budget, seeds)


@pytest.mark.parametrize("row", [0, 2])
def test_the_shipped_table_can_be_measured_again(row: int):
    """Rounding differs between processors, so that a run may differ as another seed would."""
    table = Table.load(SHIPPED)
    runs = train(table.cells[row], digits_task(), table.budgets[-1], table.about["seeds"])
    again = np.array(accuracies(runs))[:, 1].mean(0)
    shipped = table.metrics[row, -1, :, 1, 1:].mean(0)
    np.testing.assert_allclose(again, shipped, atol=0.1)


def test_validation_and_test_accuracy_are_of_their_own_images(tiny_task: Task):
    """The test part has every label wrong."""
    wrong = Part(tiny_task.validation.images, (tiny_task.validation.labels + 1) % 3)
    task = replace(tiny_task, name="turned", test=wrong)
    (run,) = train(CELL, task, 40, (0,))
    assert run.end.train_accuracy > 0.6
    assert run.end.validation_accuracy > 0.6
    assert run.end.test_accuracy < 0.4


def test_runs_side_by_side_share_the_time_and_evaluation_takes_none(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch
):
    """By a clock that ticks each time it is read."""
    clocks = [itertools.count(0.0, 10.0), itertools.count(0.0, 6.0)]
    fake = SimpleNamespace(
        perf_counter=lambda: next(clocks[0]), process_time=lambda: next(clocks[1])
    )
    monkeypatch.setattr(trainer, "time", fake)
    for run in train(CELL, tiny_task, 2, (0, 1)):
        assert (run.halfway.wall_seconds, run.halfway.cpu_seconds) == (5.0, 3.0)
        assert (run.end.wall_seconds, run.end.cpu_seconds) == (10.0, 6.0)


WITHOUT_COMPILER = """
import sys
from dataclasses import replace
from tests.measure.conftest import TINY_SETTINGS, chain, make_tiny_task
from pyg_nas.measure.training.trainer import train
for optimizer in ("sgd", "rmsprop"):
    train(chain("maxpool3x3"), make_tiny_task(replace(TINY_SETTINGS, optimizer=optimizer)), 1, (0,))
print({"torch._dynamo", "sympy", "scipy"} & set(sys.modules))
"""


def test_training_imports_neither_a_compiler_nor_scipy():
    """Torch's own optimizers import its compiler: 70 MB and two seconds for each worker."""
    found = subprocess.run(
        [sys.executable, "-c", WITHOUT_COMPILER], capture_output=True, text=True, check=True
    )
    assert found.stdout == "set()\n"
