"""What is said of a folder of images before anything is trained."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from unittest.mock import Mock

import pytest

from pyg_nas.measure.folder_report import TrainingCost, inspect_folder, time_one_step
from pyg_nas.measure.image_folder import scan_folder
from pyg_nas.measure.task import Task
from tests.measure.conftest import chain
from tests.measure.images import make_folder


def test_sizes_unreadable_files_and_copies(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "bugs", sizes=((5, 5), (7, 6), (5, 5), (5, 5)))
    shutil.copy(folder / "ant" / "0.png", folder / "bee" / "copy.png")
    (folder / "ant" / "3.png").write_bytes((folder / "ant" / "3.png").read_bytes()[:60])
    os.truncate(folder / "ant" / "1.png", 200 * 2**30)  # of zeros that no disk has
    seen: list[tuple[int, int]] = []
    facts = inspect_folder(scan_folder(folder), lambda *state: seen.append(state))
    assert facts.sizes == (((5, 5), 12), ((7, 6), 3))
    assert [file.name for file, _ in facts.unreadable] == ["1.png", "3.png"]
    assert facts.unreadable[0][1].startswith("has 214,748,364,800 bytes, at most")
    copies = ((folder / "ant" / "0.png", folder / "bee" / "copy.png"),)
    assert facts.copies == facts.across_classes == copies
    assert facts.across_parts == ()
    assert seen[-1] == (17, 17)


def test_copies_in_different_parts(tmp_path: Path) -> None:
    make_folder(tmp_path / "bugs" / "train")
    shutil.copytree(tmp_path / "bugs" / "train", tmp_path / "bugs" / "test")
    facts = inspect_folder(scan_folder(tmp_path / "bugs"))
    assert len(facts.across_parts) == 16
    assert facts.across_classes == ()


def test_the_estimate_counts_epochs_and_evaluation(tiny_task: Task) -> None:
    cost = TrainingCost(0.5, 3, 100, 2.0, None)
    assert cost.run_seconds(4) == 4 * 3 * 0.5 + 2 * 2.0
    measured = time_one_step(tiny_task, chain("conv3x3-bn-relu"), chain("maxpool3x3"))
    assert measured.steps == 3
    assert measured.evaluated == 104
    assert 0 < measured.step_seconds < 60


def test_on_a_gpu_the_memory_is_that_of_the_gpu(
    tiny_task: Task, monkeypatch: pytest.MonkeyPatch
) -> None:
    waits: list[str] = []
    training = "pyg_nas.measure.trainer._Training"
    made = lambda self, *given: vars(self).update(network=Mock(), device=given[-1])  # noqa: E731
    monkeypatch.setattr(f"{training}.__init__", made)
    monkeypatch.setattr(f"{training}.take_step", lambda self: None)
    monkeypatch.setattr("torch.cuda.synchronize", waits.append)
    monkeypatch.setattr("torch.cuda.max_memory_reserved", lambda device: 3 * 2**30)
    cell = chain("maxpool3x3")
    assert time_one_step(tiny_task, cell, cell, "cuda:1").gpu_bytes == 3 * 2**30
    assert waits == 3 * ["cuda:1"]  # steps on a GPU are timed to their end
    assert time_one_step(tiny_task, cell, cell).gpu_bytes is None
