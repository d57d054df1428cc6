"""A training that is killed resumes from an epoch and gives what it would have given."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

from pyg_nas.measure.tasks.task import Task
from pyg_nas.measure.training.checkpoint import Checkpoint
from pyg_nas.measure.training.trainer import train_network
from tests.measure.conftest import chain

CELL = chain("conv3x3-bn-relu")


@pytest.mark.parametrize("last", [1, 4, 7, 11])
def test_a_killed_training_resumes_from_an_epoch(
    tmp_path: Path, tiny_task: Task, last: int
) -> None:
    expected, network = train_network(CELL, tiny_task, 4, 0)
    checkpoint = Checkpoint(tmp_path / "state", seconds=0)
    done: list[int] = []

    def on_step(step: int, total: int) -> None:
        done.append(step)
        if step == last and done.count(step) == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train_network(CELL, tiny_task, 4, 0, on_step=on_step, checkpoint=checkpoint)
    run, again = train_network(CELL, tiny_task, 4, 0, on_step=on_step, checkpoint=checkpoint)
    # 3 steps an epoch: what is repeated is less than one.
    assert done == [*range(1, last + 1), *range((last - 1) // 3 * 3 + 1, 13)]
    for name, value in network.state_dict().items():
        torch.testing.assert_close(again.state_dict()[name], value, rtol=0, atol=0)
    assert run.end.test_accuracy == expected.end.test_accuracy
    assert run.halfway.validation_accuracy == expected.halfway.validation_accuracy


def test_a_damaged_or_missing_file_is_no_state(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "state")
    assert checkpoint.read() is None
    for content in (b"", b"hello", b"PK\3\4broken"):
        checkpoint.path.write_bytes(content)
        assert checkpoint.read() is None
    assert not checkpoint.is_due
    checkpoint.write({"step": 3})
    assert checkpoint.read() == {"step": 3}
    content = bytearray(checkpoint.path.read_bytes())
    content[len(content) // 2] ^= 1
    checkpoint.path.write_bytes(content)
    assert checkpoint.read() is None
    checkpoint.remove()
    assert checkpoint.read() is None
    os.mkfifo(checkpoint.path)
    assert checkpoint.read() is None
