"""Finding a task by its name or the path of its images."""

from __future__ import annotations

import os
from pathlib import Path

from pyg_nas.errors import MeasureError
from pyg_nas.io.files import cache_folder
from pyg_nas.measure.cifar import cifar10_task
from pyg_nas.measure.digits import digits_task
from pyg_nas.measure.image_files import folder_task, npz_task
from pyg_nas.measure.settings import TrainingSettings
from pyg_nas.measure.task import Task

# Small enough for a CPU; larger settings can be given for a GPU.
OWN_IMAGES_SETTINGS = TrainingSettings(
    stem_channels=16,
    modules_per_stack=1,
    batch_size=32,
    optimizer="sgd",
    learning_rate=0.05,
    warmup=0.1,
    batch_norm_momentum=0.9,
)

_BUILT_IN = ("digits", "cifar10")


def get_task(
    name: str | os.PathLike[str],
    settings: str | os.PathLike[str] | None = None,
    image_size: int | None = None,
    seed: int = 0,
) -> Task:
    """Return a task.

    Args:
        name: ``"digits"``, ``"cifar10"``, or the path of an ``.npz`` file or of a folder of class
            folders; ``"./digits"`` is a folder of that name.
        settings: JSON file of training settings that replace the task's own.
        image_size: Pixels a side that the images of a folder are resized to.
        seed: Seed of the split; the digits are always split in the same way.

    Raises:
        MeasureError: If there is no such task, its images are malformed, or the name of a built-in
            task is also that of a folder of class folders.
        DownloadError: If images could not be downloaded.
        SettingsError: If the settings file is malformed.
    """
    named_folder = str(name) != "" and Path(name).is_dir()
    if name in _BUILT_IN and named_folder and any(entry.is_dir() for entry in Path(name).iterdir()):
        raise MeasureError(
            f"{name!r} is a built-in task and also the folder {Path(name).resolve()}; "
            f"./{name} means the folder, the task needs another working directory"
        )
    if image_size is not None and not named_folder:
        raise MeasureError(f"only the images of a folder can be resized, got the task {name!s}")

    def changed(base: TrainingSettings) -> TrainingSettings:
        return base if settings is None else base.changed_by_file(settings)

    if name == "digits":
        task = digits_task()
        return task.with_settings(changed(task.settings))
    if name == "cifar10":
        task = cifar10_task(cache_folder() / "cifar10", seed)
        return task.with_settings(changed(task.settings))
    if named_folder:
        return folder_task(name, changed(OWN_IMAGES_SETTINGS), seed, image_size)
    if Path(name).suffix == ".npz":
        return npz_task(name, changed(OWN_IMAGES_SETTINGS), seed)
    raise MeasureError(
        f"a task must be 'digits', 'cifar10', an .npz file or a folder of class folders, "
        f"got {str(name)!r}"
    )
