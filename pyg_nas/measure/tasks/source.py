"""The file in a search's folder with the images and settings of its task, to make it again."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from pyg_nas.errors import MeasureError, SettingsError, argument, quoted
from pyg_nas.io.files import write_json
from pyg_nas.io.formats.json_reader import read_object
from pyg_nas.io.user_code import absolute_reference
from pyg_nas.measure.settings import TrainingSettings
from pyg_nas.measure.tasks.by_name import BUILT_IN, get_task
from pyg_nas.measure.tasks.task import Task

_URI = "file://"


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
    built_in = str(name) in BUILT_IN
    source = {
        "task": str(name) if built_in else _path_text(Path(name).absolute()),
        "settings": task.settings.to_dict(),
        "image_size": image_size,
        "split_seed": seed,
    }
    write_json(path, source)


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
        rule = ("name it with" if stored else "leave away") + f" {argument('metric')}"
        raise SettingsError(
            f"{path}: the search has {_named(stored)}, got {_named(metric)}; {rule}"
        )
    place = _path(source["task"]) if name is None else name
    if name is None and place not in BUILT_IN and not Path(place).exists():
        raise MeasureError(
            f"{path}: the images are not at {place} any more; give their new place (`pyg-nas "
            f"finish --images`)"
        )
    return get_task(
        place,
        settings,
        source["image_size"],
        source["split_seed"],
    )


def _named(metric: str | None) -> str:
    return f"the metric {quoted(metric, 500)}" if metric else "no metric"


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
