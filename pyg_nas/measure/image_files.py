"""The user's images as a task: an ``.npz`` file, or a folder of image files."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import MeasureError, one_line
from pyg_nas.io.limits import (
    MOST_IMAGE_BYTES,
    MOST_IMAGE_SIDE,
    MOST_IMAGES_BYTES,
    MOST_PIXELS,
)
from pyg_nas.io.npz import read_npz
from pyg_nas.io.regular_files import open_regular
from pyg_nas.io.text import counted, printable
from pyg_nas.measure.image_folder import FolderScan, scan_folder
from pyg_nas.measure.settings import TrainingSettings
from pyg_nas.measure.task import Part, Task

if TYPE_CHECKING:
    from PIL import Image

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
    _check_sides(str(path), (images.shape[2], images.shape[1]), "resize them")
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

    See :func:`~pyg_nas.measure.image_folder.scan_folder` for the forms of a folder. Images are grey
    if all of them are, else RGB.

    Args:
        settings: How networks are trained, and images divided and resized.
        seed: Seed of the split into training, validation and test images.
        image_size: Pixels per side to which every image is resized; None for no resizing.
        scan: Result of :func:`~pyg_nas.measure.image_folder.scan_folder`; computed where None.

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
    if scan.empty:
        _log.info(
            f"{scan.path}: ignored {counted(len(scan.empty), 'folder')} without an image, such as "
            f"{scan.empty[0].relative_to(scan.path)}"
        )
    mode, size = _common_form(scan.path, scan.files, image_size)
    shape = size[1], size[0], 1 if mode == "L" else 3

    def rows(chosen: Rows) -> NDArray[np.generic]:
        images = np.empty((len(chosen), shape[2], *shape[:2]), dtype=np.uint8)
        for image, row in zip(images, chosen, strict=True):
            pixels = _pixels(scan.files[row], mode, size, settings.image_fit)
            image[:] = pixels.reshape(shape).transpose(2, 0, 1)
        return images

    return split_task(
        scan.name, rows, scan.labels, settings, seed, str(path), scan.classes, scan.parts
    )


# Formats that Pillow decodes itself; PostScript, for one, would start another program.
_FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TGA", "TIFF", "WEBP")
_PHOTOS, _ORIENTATION = ("JPEG", "MPO", "TIFF", "WEBP"), 0x0112  # the tag of EXIF
_GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F")


def _common_form(
    folder: Path, files: Sequence[Path], image_size: int | None
) -> tuple[str, tuple[int, int]]:
    """The mode and size (width, height) that all images get, from their headers alone.

    Raises:
        MeasureError: If a file is not an image, images differ in size and are not resized, or one
            of them or all together are too large.
    """
    mode, size = "L", None if image_size is None else (image_size, image_size)
    for file in files:
        with _opened(file) as picture:
            if picture.width * picture.height > MOST_PIXELS:
                raise MeasureError(
                    f"{file}: has {picture.width} x {picture.height} pixels, at most "
                    f"{MOST_PIXELS:,} are read"
                )
            if picture.mode not in _GREY:
                mode = "RGB"
            shown = _shown_size(picture)
            if size is None:
                size = shown
            elif image_size is None and shown != size:
                raise MeasureError(
                    f"{file}: is {shown[0]} x {shown[1]} pixels, {files[0]} is "
                    f"{size[0]} x {size[1]}; give an image size to resize all"
                )
    assert size is not None  # there is at least one file
    _check_sides(str(folder), size, "give an image size")
    needed = len(files) * size[0] * size[1] * (1 if mode == "L" else 3)
    if needed > MOST_IMAGES_BYTES:
        raise MeasureError(
            f"{folder}: {len(files):,} images of {size[0]} x {size[1]} pixels need {needed:,} "
            f"bytes, at most {MOST_IMAGES_BYTES:,} are read; give a smaller image size"
        )
    return mode, size


def _check_sides(name: str, size: tuple[int, int], remedy: str) -> None:
    """Refuse images whose width or height is too large for training."""
    if max(size) > MOST_IMAGE_SIDE:
        raise MeasureError(
            f"{name}: images have {size[0]} x {size[1]} pixels, at most {MOST_IMAGE_SIDE:,} per "
            f"side are trained on; {remedy}"
        )


def _pixels(file: Path, mode: str, size: tuple[int, int], fit: str) -> NDArray[np.uint8]:
    from PIL import Image, ImageOps

    with _opened(file) as picture:
        eight_bits = _eight_bits(ImageOps.exif_transpose(picture))
        if eight_bits.size != size:
            bilinear = Image.Resampling.BILINEAR
            if fit == "pad":
                eight_bits = ImageOps.pad(eight_bits, size, bilinear)
            elif fit == "crop":
                eight_bits = ImageOps.fit(eight_bits, size, bilinear)
            else:
                eight_bits = eight_bits.resize(size, bilinear)
        return np.asarray(eight_bits.convert(mode))


def _eight_bits(picture: Image.Image) -> Image.Image:
    """The image as ``L`` or ``RGB``."""
    if picture.mode.startswith("I"):  # 16 bits a pixel, which Pillow would clip, not scale
        return picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    return picture.convert("L" if picture.mode in _GREY else "RGB")


def _shown_size(picture: Image.Image) -> tuple[int, int]:
    """The width and height of a photo as it was held when it was taken, from its header."""
    # Asked for where headers have it: of other formats Pillow decodes the whole image for this.
    turned = picture.format in _PHOTOS and picture.getexif().get(_ORIENTATION, 1) > 4
    width, height = picture.size
    return (height, width) if turned else (width, height)


@contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    """Yield an image of which only the header is read; all damage becomes one error."""
    try:
        from PIL import Image, UnidentifiedImageError
    except ImportError as error:
        raise MeasureError(
            f"{file}: reading image files needs Pillow: "
            "pip install '.[vision]' in a clone of pyg_nas"
        ) from error
    with open_regular(file, MeasureError) as content, warnings.catch_warnings():
        size = os.fstat(content.fileno()).st_size
        if size > MOST_IMAGE_BYTES:
            raise MeasureError(
                f"{file}: has {size:,} bytes, at most {MOST_IMAGE_BYTES:,} are read of an image"
            )
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # we have a limit
        try:
            with Image.open(content, formats=_FORMATS) as picture:
                yield picture
        except MeasureError:
            raise
        except UnidentifiedImageError as error:  # its message names an object of ours
            known = ", ".join(_FORMATS)
            raise MeasureError(
                f"{file}: not a readable image (damaged, or none of {known})"
            ) from error
        except (OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError) as e:
            # Pillow reports damage in all of these.
            raise MeasureError(f"{file}: not a readable image ({one_line(e)})") from e


def image_size(file: Path) -> tuple[int, int]:
    """Return the width and height of an image from its header.

    Raises:
        MeasureError: If it is not a readable image.
    """
    with _opened(file) as picture:
        return _shown_size(picture)


def check_image(file: Path) -> tuple[tuple[int, int], bool]:
    """Decode an image; return its size (width, height) and whether it is grey.

    Raises:
        MeasureError: If it is not a readable image.
    """
    with _opened(file) as picture:
        size, grey = _shown_size(picture), picture.mode in _GREY
        picture.load()
    return size, grey


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
