"""The task of a search, read again for commands that come later."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.measure import get_task
from pyg_nas.measure.tasks.source import read_task, write_task_source


def test_a_task_whose_path_is_no_text_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / os.fsdecode(b"caf\xe9 %20.npz")
    labels = np.arange(90) % 3
    np.savez(path, images=np.zeros((90, 4, 4), np.uint8), labels=labels)
    task = get_task(path)
    write_task_source(tmp_path / "task.json", path, task, None, 0)
    (tmp_path / "task.json").read_bytes().decode()
    assert read_task(tmp_path / "task.json").fingerprint == task.fingerprint


def test_a_stored_metric_is_imported_only_where_it_is_named_again(tmp_path: Path, monkeypatch):
    file = tmp_path / "stored_metric.py"
    file.write_text("def score(labels, predictions):\n    return 0.5\n")
    metric = f"{file}:score"
    task = get_task("digits", metric=metric)
    write_task_source(tmp_path / "task.json", "digits", task, None, 0)
    monkeypatch.delitem(sys.modules, "stored_metric")
    for given in (None, "os:getcwd"):
        with pytest.raises(SettingsError, match=r"has the metric .*with the argument `metric`"):
            read_task(tmp_path / "task.json", metric=given)
    assert "stored_metric" not in sys.modules
    monkeypatch.chdir(tmp_path)
    read = read_task(tmp_path / "task.json", metric="stored_metric.py:score")
    assert read.fingerprint == task.fingerprint
    write_task_source(tmp_path / "task.json", "digits", get_task("digits"), None, 0)
    with pytest.raises(SettingsError, match="leave away the argument `metric`"):
        read_task(tmp_path / "task.json", metric=metric)
