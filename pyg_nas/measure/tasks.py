"""Finding a task by its name or the path of its images."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from pyg_nas.errors import MeasureError, SettingsError, quoted
from pyg_nas.io.files import cache_folder, write_text
from pyg_nas.io.json_reader import read_object
from pyg_nas.io.user_code import absolute_reference
from pyg_nas.measure.cifar import cifar10_task
from pyg_nas.measure.digits import digits_task
from pyg_nas.measure.image_files import folder_task, npz_task
from pyg_nas.measure.image_folder import TARGETS, scan_folder
from pyg_nas.measure.journal_file import stored_settings
from pyg_nas.measure.own_images import chosen_settings
from pyg_nas.measure.settings import TrainingSettings
from pyg_nas.measure.task import Task
from pyg_nas.measure.textures import textures_task
from pyg_nas.predictors.registry import class_named

_BUILT_IN = ("digits", "textures", "cifar10")
_URI = "file://"


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
    (:func:`~pyg_nas.measure.own_images.chosen_settings`).

    Args:
        name: ``"digits"``, ``"textures"``, ``"cifar10"``, or the path of an ``.npz`` file or of a
            folder of images (:func:`~pyg_nas.measure.image_folder.scan_folder`);
            ``"./digits"`` is a folder of that name.
        settings: Training settings that replace the task's own: a JSON file, or values by name.
        image_size: Pixels a side that the images of a folder are resized to.
        seed: Seed of the split; digits and textures are always split in the same way.
        journal: If this journal exists, settings that are chosen from the images keep the values
            that it has, so that it can be resumed.
        metric: The setting ``metric``. It is code: a settings file that names one is refused unless
            the caller names one too.

    Raises:
        MeasureError: If there is no such task, its images are malformed, or the name of a built-in
            task is also that of a folder of class folders.
        DownloadError: If images could not be downloaded.
        SettingsError: If the settings file is malformed, or names code that the caller does not.
    """
    named_folder = str(name) != "" and Path(name).is_dir()
    if name in _BUILT_IN and named_folder and any(entry.is_dir() for entry in Path(name).iterdir()):
        raise MeasureError(
            f"{name!r} is a built-in task and also the folder {Path(name).resolve()}; "
            f"./{name} means the folder, the task needs another working directory"
        )
    if image_size is not None and not named_folder:
        raise MeasureError(f"only the images of a folder can be resized; {name!s} is no folder")

    def changed(base: TrainingSettings) -> TrainingSettings:
        if isinstance(settings, Mapping):
            base = base.changed(dict(settings))
        elif settings is not None:
            base = base.changed_by_file(settings)
            if base.metric and metric is None:  # code that a file names
                raise SettingsError(
                    f"{settings}: has the metric {quoted(base.metric, 500)}, which is code: also "
                    f"name it with --metric"
                )
        named = base.metric if metric is None else metric
        return replace(base, metric=absolute_metric(named)) if named else base

    if name in _BUILT_IN:
        generated = {"digits": digits_task, "textures": textures_task}
        make = generated.get(str(name), lambda: cifar10_task(cache_folder() / name, seed))
        task = make()
        return task.with_settings(changed(task.settings))
    stored = None if journal is None else stored_settings(journal)
    if named_folder or Path(name).name == TARGETS:
        scan = scan_folder(name)
        own = changed(chosen_settings(scan, image_size, stored))
        return folder_task(name, own, seed, image_size, scan)
    if Path(name).suffix == ".npz":
        return npz_task(name, changed(chosen_settings(None, None, stored)), seed)
    raise MeasureError(
        f"a task must be 'digits', 'textures', 'cifar10', an .npz file or a folder of class "
        f"folders, got {str(name)!r}"
    )


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


def write_task_source(
    path: str | os.PathLike[str],
    name: str | os.PathLike[str],
    task: Task,
    image_size: int | None,
    seed: int,
) -> None:
    """Write the arguments with which :func:`get_task` made a task to a JSON file.

    Args:
        name: As given to ``get_task``.
    """
    built_in = str(name) in _BUILT_IN
    source = {
        "task": str(name) if built_in else _path_text(Path(name).absolute()),
        "settings": task.settings.to_dict(),
        "image_size": image_size,
        "split_seed": seed,
    }
    write_text(path, json.dumps(source, indent=2) + "\n")


def read_task(
    path: str | os.PathLike[str],
    name: str | os.PathLike[str] | None = None,
    metric: str | None = None,
) -> Task:
    """Return the task of a file that :func:`write_task_source` wrote.

    Args:
        name: Path of the images, if they have moved.
        metric: The metric of the task, if it has one. It is code, which is imported only if the
            caller names it too.

    Raises:
        SettingsError: If the file is missing or damaged, or has another metric.
        MeasureError: If there is no such task any more.
        DownloadError: If images could not be downloaded.
    """
    source = read_object(path)
    known: dict[str, Any] = {
        "task": str,
        "settings": dict,
        "image_size": (int, type(None)),
        "split_seed": int,
    }
    for key, kind in known.items():
        if key not in source or not isinstance(source[key], kind):
            raise SettingsError(
                f"{path}: {key} {quoted(source.get(key))} is not what a search writes there"
            )
    settings = TrainingSettings.all_values(source["settings"])
    stored = settings["metric"] or None
    if stored != (absolute_reference(metric) if metric else None):
        rule = "name it with --metric" if stored else "leave --metric away"
        raise SettingsError(
            f"{path}: the search has the metric {quoted(stored, 500)}, got {quoted(metric)}; {rule}"
        )
    return get_task(
        _path(source["task"]) if name is None else name,
        settings,
        source["image_size"],
        source["split_seed"],
    )


def _path_text(path: Path) -> str:
    """The path, or its URI if some of its bytes are not UTF-8, which JSON must be."""
    try:
        str(path).encode()
    except UnicodeEncodeError:
        return path.as_uri()
    return str(path)


def _path(text: str) -> str:
    is_uri = text.startswith(_URI)
    return os.fsdecode(unquote_to_bytes(text.removeprefix(_URI))) if is_uri else text
