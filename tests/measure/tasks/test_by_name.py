"""Tasks from every source, and a clear error for everything malformed."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.errors import MeasureError, SettingsError
from pyg_nas.measure import get_task
from tests.measure.images import make_folder, settings_file


def test_a_folder_named_like_a_built_in_task(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    assert get_task("digits").num_labels == 10  # an empty folder is not a task
    make_folder(tmp_path / "digits")
    message = (
        r"'digits' is a built-in task and also the folder .*digits; \./digits means the folder"
    )
    with pytest.raises(MeasureError, match=message):
        get_task("digits")
    task = get_task("./digits", settings_file(tmp_path))
    assert (task.name, task.num_labels) == ("digits", 2)


def test_the_working_directory_as_a_task_has_its_name(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(make_folder(tmp_path / "bugs"))
    for path in (".", "../bugs", "ant/.."):
        assert get_task(path, settings_file(tmp_path)).name == "bugs"
    (tmp_path / "link").symlink_to(tmp_path / "bugs")
    assert get_task(str(tmp_path / "link"), settings_file(tmp_path)).name == "link"


@pytest.mark.parametrize("name", ["digit", "images.zip", ""])
def test_unknown_tasks(name):
    with pytest.raises(MeasureError, match="a task must be 'digits'"):
        get_task(name)


@pytest.mark.parametrize("seed", [None, 1.5, -1])
def test_splits_of_images_need_a_seed(seed):
    with pytest.raises(SettingsError, match="seed must be "):
        get_task("digits", seed=seed)


def test_a_missing_npz(tmp_path: Path):
    with pytest.raises(MeasureError, match="no such file"):
        get_task(tmp_path / "gone.npz")


@pytest.mark.parametrize("image_size", [None, 16])
def test_a_missing_folder(image_size: int | None, tmp_path: Path):
    gone = tmp_path / "gone"
    with pytest.raises(MeasureError, match=f"got '{gone}', which does not exist"):
        get_task(gone, image_size=image_size)


def test_only_folders_are_resized(tmp_path: Path, monkeypatch):
    with pytest.raises(MeasureError, match="only the images of a folder"):
        get_task("digits", image_size=16)
    monkeypatch.chdir(tmp_path)
    np.savez("arrays.npz", images=np.zeros((9, 4, 4)), labels=np.zeros(9, int))
    with pytest.raises(MeasureError, match="only the images of a folder"):
        get_task("arrays.npz", image_size=16)
    (tmp_path / "digits").mkdir()  # an empty folder is not the task
    with pytest.raises(MeasureError, match="only the images of a folder"):
        get_task("digits", image_size=16)


def test_a_metric_of_a_settings_file_is_imported_only_where_it_is_named_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("metric_of_file.py").write_text("def score(labels, predictions):\n    return 0.5\n")
    named = "metric_of_file.py:score"
    Path("settings.json").write_text(json.dumps({"metric": named}))
    with pytest.raises(SettingsError, match=r"settings\.json: has the metric .*metric_of_file"):
        get_task("digits", "settings.json")
    assert "metric_of_file" not in sys.modules
    task = get_task("digits", "settings.json", metric=named)
    assert task.settings.metric == f"{tmp_path}/{named}"
