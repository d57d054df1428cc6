"""Finding a task by its name or the path of its images."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pyg_nas.errors import MeasureError, SettingsError, argument, check_count, quoted
from pyg_nas.io.files import cache_folder
from pyg_nas.io.limits import MOST_SEED
from pyg_nas.io.user_code import absolute_reference
from pyg_nas.measure.campaigns.journal_file import stored_settings
from pyg_nas.measure.settings import TrainingSettings
from pyg_nas.measure.tasks.cifar import cifar10_task
from pyg_nas.measure.tasks.digits import digits_task
from pyg_nas.measure.tasks.image_folder import TARGETS, scan_folder
from pyg_nas.measure.tasks.image_tasks import folder_task, npz_task
from pyg_nas.measure.tasks.objective import Objective
from pyg_nas.measure.tasks.own_images import chosen_settings
from pyg_nas.measure.tasks.task import Task
from pyg_nas.measure.tasks.textures import textures_task
from pyg_nas.predictors.storage.registry import class_named

BUILT_IN = ("digits", "textures", "cifar10")
"""Names of the tasks that need no images of the user."""
FIXED_SPLIT = ("digits", "textures")
"""Those that are always split in the same way."""


def get_task(
    name: str | os.PathLike[str],
    settings: str | os.PathLike[str] | Mapping[str, Any] | None = None,
    image_size: int | None = None,
    seed: int = 0,
    journal: str | os.PathLike[str] | None = None,
    metric: str | None = None,
) -> Task:
    """Return a task.

    Some settings of the user's own images are chosen from the images unless they are given
    (:func:`~pyg_nas.measure.tasks.own_images.chosen_settings`).

    Args:
        name: ``"digits"``, ``"textures"``, ``"cifar10"``, or the path of an ``.npz`` file or of a
            folder of images (:func:`~pyg_nas.measure.tasks.image_folder.scan_folder`);
            ``"./digits"`` is a folder of that name.
        settings: Training settings that replace the task's own: a JSON file, or values by name.
        image_size: Pixels a side that the images of a folder are resized to.
        seed: Seed of the split, which the tasks of :data:`FIXED_SPLIT` do not need.
        journal: If this journal exists, settings that are chosen from the images keep the values
            that it has, so that it can be resumed.
        metric: The setting ``metric``. It is code: a settings file that names one is refused unless
            the caller names one too.

    Raises:
        MeasureError: If there is no such task, its images are malformed, or the name of a built-in
            task is also that of a folder of class folders; or the metric fails.
        DownloadError: If images could not be downloaded.
        SettingsError: If the settings file is malformed, or names code that the caller does not;
            or the seed is no whole number from 0.
    """
    check_count("seed", seed, MOST_SEED, least=0)
    task = _opened(name, settings, image_size, seed, journal, metric)
    Objective(task).check()
    return task


def _opened(
    name: str | os.PathLike[str],
    settings: str | os.PathLike[str] | Mapping[str, Any] | None,
    image_size: int | None,
    seed: int,
    journal: str | os.PathLike[str] | None,
    metric: str | None,
) -> Task:
    is_folder = str(name) != "" and Path(name).is_dir()
    is_built_in = name in BUILT_IN
    if is_built_in and is_folder and any(entry.is_dir() for entry in Path(name).iterdir()):
        raise MeasureError(
            f"{name!r} is a built-in task and also the folder {Path(name).resolve()}; "
            f"./{name} means the folder, the task needs another working directory"
        )
    is_other = is_built_in or (not is_folder and Path(name).exists())
    if image_size is not None and is_other:
        raise MeasureError(f"only the images of a folder can be resized; {name!s} is no folder")
    if is_built_in:
        generated = {"digits": digits_task, "textures": textures_task}
        make = generated.get(str(name), lambda: cifar10_task(cache_folder() / name, seed))
        task = make()
        return task.with_settings(_changed(task.settings, settings, metric))
    stored = None if journal is None else stored_settings(journal)
    if is_folder or Path(name).name == TARGETS:
        scan = scan_folder(name)
        own = _changed(chosen_settings(scan, image_size, stored), settings, metric)
        return folder_task(name, own, seed, image_size, scan)
    if Path(name).suffix == ".npz":
        own = _changed(chosen_settings(None, None, stored), settings, metric)
        return npz_task(name, own, seed)
    missing = "" if Path(name).exists() else ", which does not exist"
    raise MeasureError(
        f"a task must be 'digits', 'textures', 'cifar10', an .npz file or a folder of class "
        f"folders, got {str(name)!r}{missing}"
    )


def _changed(
    base: TrainingSettings,
    settings: str | os.PathLike[str] | Mapping[str, Any] | None,
    metric: str | None,
) -> TrainingSettings:
    """Return training settings with those that the caller gives in place of some."""
    if isinstance(settings, Mapping):
        base = base.changed(dict(settings))
    elif settings is not None:
        base = base.changed_by_file(settings)
        if base.metric and metric is None:  # code that a file names
            raise SettingsError(
                f"{settings}: has the metric {quoted(base.metric, 500)}, which is code: name "
                f"it also with {argument('metric')}"
            )
    named = base.metric if metric is None else metric
    return replace(base, metric=absolute_metric(named)) if named else base


def absolute_metric(metric: str) -> str:
    """Return ``file.py:function`` with the whole path, and ``module:function`` as it is.

    Raises:
        SettingsError: If it has another form or cannot be imported.
    """
    place, colon, function = metric.rpartition(":")
    if not (place and colon and function):
        raise SettingsError(
            f"metric must be module:function or file.py:function, got {quoted(metric)}"
        )
    class_named(metric)
    return absolute_reference(metric)
