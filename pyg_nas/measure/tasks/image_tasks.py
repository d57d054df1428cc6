"""The user's images as a task: an ``.npz`` file, or a folder of image files."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import MeasureError
from pyg_nas.io.formats.npz import read_npz
from pyg_nas.io.limits import MOST_IMAGE_SIDE
from pyg_nas.io.text import counted, printable
from pyg_nas.measure.settings import TrainingSettings
from pyg_nas.measure.tasks.image_files import check_sides, common_form, read_pixels
from pyg_nas.measure.tasks.image_folder import FolderScan, scan_folder
from pyg_nas.measure.tasks.task import Part, Task

Rows = NDArray[np.int64]

_log = logging.getLogger(__name__)


def npz_task(path: str | os.PathLike[str], settings: TrainingSettings, seed: int = 0) -> Task:
    """Read a task from a NumPy archive.

    Args:
        path: ``.npz`` file with ``images``, uint8 or floating point, ``[N, H, W]`` or
            ``[N, H, W, C]``, and ``labels``, whole numbers ``[N]``.
        seed: Seed of the split into training, validation and test images.

    Raises:
        MeasureError: If the file is missing or damaged, lacks one of the two, or contains
            something other than images and labels.
    """
    path = Path(path)
    arrays = read_npz(path, ("images", "labels"), MeasureError)
    for name in ("images", "labels"):
        if name not in arrays:
            raise MeasureError(f"{path}: has no array {name!r}")
    images, labels = arrays["images"], arrays["labels"]
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or not 1 <= images.shape[3] <= 4:
        raise MeasureError(
            f"{path}: images must be [N, H, W] or [N, H, W, C] with 1 to 4 channels, "
            f"got {list(arrays['images'].shape)}"
        )
    check_sides(str(path), (images.shape[2], images.shape[1]), "resize them")
    if images.dtype != np.uint8:
        if images.dtype.kind != "f":
            raise MeasureError(
                f"{path}: images must be uint8 or floating point, got {images.dtype}"
            )
        images = images.astype(np.float32)
        if not np.isfinite(images).all():
            raise MeasureError(f"{path}: images must be finite, some values are NaN or infinite")
    if labels.dtype.kind not in "iu" or labels.shape != images.shape[:1]:
        raise MeasureError(
            f"{path}: labels must be whole numbers [{len(images)}], one for each image, "
            f"got {labels.dtype} {list(labels.shape)}"
        )

    def rows(chosen: Rows) -> NDArray[np.generic]:
        return np.ascontiguousarray(images[chosen].transpose(0, 3, 1, 2))

    return split_task(printable(path.stem), rows, labels, settings, seed, str(path))


def folder_task(
    path: str | os.PathLike[str],
    settings: TrainingSettings,
    seed: int = 0,
    image_size: int | None = None,
    scan: FolderScan | None = None,
) -> Task:
    """Read a task from a folder with one folder of image files for each class, or with numbers.

    See :func:`~pyg_nas.measure.tasks.image_folder.scan_folder` for the forms of a folder. Images
    are grey if all of them are, else RGB.

    Args:
        settings: How networks are trained, and images divided and resized.
        seed: Seed of the split into training, validation and test images.
        image_size: Pixels per side to which every image is resized; None for no resizing.
        scan: Result of :func:`~pyg_nas.measure.tasks.image_folder.scan_folder`; computed where
            None.

    Raises:
        MeasureError: If Pillow is missing, there are fewer than two class folders, a file is no
            image, images differ in size, or one or all of them are too large.
    """
    if image_size is not None and not 1 <= image_size <= MOST_IMAGE_SIDE:
        raise MeasureError(f"image size must be 1 to {MOST_IMAGE_SIDE} pixels, got {image_size}")
    scan = scan or scan_folder(path)
    if scan.stray:
        _log.info(
            f"{scan.path}: ignored {counted(len(scan.stray), 'file')} of other kinds than images, "
            f"such as {scan.stray[0].relative_to(scan.path)}"
        )
    if scan.unused:
        _log.info(
            f"{scan.path}: ignored {counted(len(scan.unused), 'image')} without a "
            f"{'class' if scan.classes else 'number'}, such as "
            f"{scan.unused[0].relative_to(scan.path)}"
        )
    if scan.empty:
        _log.info(
            f"{scan.path}: ignored {counted(len(scan.empty), 'folder')} without an image, such as "
            f"{scan.empty[0].relative_to(scan.path)}"
        )
    mode, size = common_form(scan.path, scan.files, image_size)
    shape = size[1], size[0], 1 if mode == "L" else 3

    def rows(chosen: Rows) -> NDArray[np.generic]:
        images = np.empty((len(chosen), shape[2], *shape[:2]), dtype=np.uint8)
        for image, row in zip(images, chosen, strict=True):
            pixels = read_pixels(scan.files[row], mode, size, settings.image_fit)
            image[:] = pixels.reshape(shape).transpose(2, 0, 1)
        return images

    return split_task(
        scan.name, rows, scan.labels, settings, seed, str(path), scan.classes, scan.parts
    )


def split_task(
    name: str,
    images: Callable[[Rows], NDArray[np.generic]],
    labels: NDArray[Any],
    settings: TrainingSettings,
    seed: int,
    source: str,
    names: Sequence[str] | None = None,
    parts: NDArray[np.int8] | None = None,
) -> Task:
    """Split images of every class into training, validation and test images, 60 : 20 : 20.

    Args:
        images: Returns those of some rows, uint8 or float32 ``[rows, C, H, W]``. It is called once
            for each part, so that images of a folder are in memory once.
        labels: Whole numbers ``[N]``, renumbered from 0 in their order; or floating point ``[N]``,
            to predict a number for each image.
        settings: How networks are trained, and the share of validation and of test images.
        source: Where the images come from, for the message.
        names: Name of each label; by default its number.
        parts: Part of each image where the images are divided already, ``[N]``: 0 for training,
            1 for validation, 2 for testing. A part without an image is taken from the first.

    Raises:
        MeasureError: If there are fewer than two classes or a class has fewer than 3 images.
    """
    if labels.dtype.kind == "f":
        renumbered: NDArray[Any] = labels.astype(np.float32)
        named: tuple[str, ...] = ("value",)
        groups = np.zeros(len(labels), dtype=np.int64)
    else:
        classes, groups = np.unique(labels, return_inverse=True)
        if len(classes) < 2:
            raise MeasureError(f"{source}: needs at least 2 classes, has {len(classes)}")
        named = tuple(str(label) if names is None else names[label] for label in classes)
        renumbered = groups.astype(np.int64)
    divided = np.zeros(len(labels), dtype=np.int8) if parts is None else parts
    missing = [part for part in (1, 2) if not (divided == part).any()]
    counts = np.bincount(groups[divided == 0], minlength=groups.max() + 1)
    if counts.min() < 1 + len(missing):
        scarce = named[counts.argmin()] if names is not None else classes[counts.argmin()]
        what = "images" if parts is None else "training images"
        raise MeasureError(
            f"{source}: every class needs at least {1 + len(missing)} {what}, class {scarce} has "
            f"{counts.min()}"
        )
    rng = np.random.default_rng(seed)
    chosen: list[list[NDArray[np.int64]]] = [[], [], []]
    for label, count in enumerate(counts):
        rows = rng.permutation(np.flatnonzero((groups == label) & (divided == 0)))
        held_out = max(1, min(round(settings.held_out * count), (count - 1) // 2))
        for part in missing:
            chosen[part].append(rows[:held_out])
            rows = rows[held_out:]
        chosen[0].append(rows)
    for part in {1, 2} - set(missing):
        chosen[part].append(np.flatnonzero(divided == part))
    divisions = [rng.permutation(np.concatenate(part)) for part in chosen]
    train, validation, test = (Part(images(part), renumbered[part]) for part in divisions)
    return Task(name, train, train.first(), validation, test, len(named), settings, named)
