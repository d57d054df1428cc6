"""The user's images as a task: an ``.npz`` file, or a folder of class folders."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import MeasureError, one_line
from pyg_nas.io.limits import MOST_IMAGE_SIDE, MOST_IMAGES_BYTES, MOST_PIXELS
from pyg_nas.io.npz import read_npz
from pyg_nas.io.regular_files import open_regular
from pyg_nas.io.text import printable
from pyg_nas.measure.settings import TrainingSettings
from pyg_nas.measure.task import Part, Task

if TYPE_CHECKING:
    from PIL import Image

# Shares of validation and test images; the rest is for training.
_HELD_OUT = 0.2


def npz_task(path: str | os.PathLike[str], settings: TrainingSettings, seed: int = 0) -> Task:
    """Read a task from a NumPy archive.

    Args:
        path: ``.npz`` file with ``images``, uint8 or floating point, ``[N, H, W]`` or
            ``[N, H, W, C]``, and ``labels``, whole numbers ``[N]``.
        settings: How networks are trained.
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
    return split_task(printable(path.stem), images, labels, settings, seed, str(path))


def folder_task(
    path: str | os.PathLike[str],
    settings: TrainingSettings,
    seed: int = 0,
    image_size: int | None = None,
) -> Task:
    """Read a task from a folder with one folder of image files for each class.

    Images are read in the order of their names and are grey if all of them are, else RGB.
    Names that begin with a dot are skipped.

    Args:
        path: The folder.
        settings: How networks are trained.
        seed: Seed of the split into training, validation and test images.
        image_size: Pixels a side that every image is resized to; None takes them as they are.

    Raises:
        MeasureError: If Pillow is missing, there are fewer than two class folders, a file is no
            image, images differ in size, or one or all of them are too large.
    """
    if image_size is not None and not 1 <= image_size <= MOST_IMAGE_SIDE:
        raise MeasureError(f"image size must be 1 to {MOST_IMAGE_SIDE} pixels, got {image_size}")
    path = Path(path)
    if not path.is_dir():
        raise MeasureError(f"{path}: no such folder")
    classes = [entry for entry in _visible(path) if entry.is_dir()]
    if len(classes) < 2:
        raise MeasureError(
            f"{path}: needs a folder for each of at least 2 classes, has {len(classes)}"
        )
    files = [(file, label) for label, folder in enumerate(classes) for file in _visible(folder)]
    if not files:
        raise MeasureError(f"{path}: its class folders have no image")
    mode, size = _common_form(path, [file for file, _ in files], image_size)
    images = np.stack([_pixels(file, mode, size) for file, _ in files])
    images = images.reshape(*images.shape[:3], -1)
    labels = np.array([label for _, label in files], dtype=np.int64)
    # "." and ".." are not names; a link keeps its own.
    name = path.resolve().name if path.name in ("", "..") else path.name
    names = [printable(entry.name) for entry in classes]
    return split_task(printable(name), images, labels, settings, seed, str(path), names)


# Formats that Pillow decodes itself; PostScript, for one, would start another program.
_FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TGA", "TIFF", "WEBP")
_GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L", "F")


def _common_form(
    folder: Path, files: list[Path], image_size: int | None
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
            if size is None:
                size = picture.size
            elif image_size is None and picture.size != size:
                raise MeasureError(
                    f"{file}: is {picture.width} x {picture.height} pixels, {files[0]} is "
                    f"{size[0]} x {size[1]}; give an image size to resize all"
                )
    assert size is not None  # there is at least one file
    needed = len(files) * size[0] * size[1] * (1 if mode == "L" else 3)
    if needed > MOST_IMAGES_BYTES:
        raise MeasureError(
            f"{folder}: {len(files):,} images of {size[0]} x {size[1]} pixels need {needed:,} "
            f"bytes, at most {MOST_IMAGES_BYTES:,} are read; give a smaller image size"
        )
    return mode, size


def _pixels(file: Path, mode: str, size: tuple[int, int]) -> NDArray[np.uint8]:
    from PIL import Image

    with _opened(file) as picture:
        eight_bits = _eight_bits(picture)
        if eight_bits.size != size:
            eight_bits = eight_bits.resize(size, Image.Resampling.BILINEAR)
        return np.asarray(eight_bits.convert(mode))


def _eight_bits(picture: Image.Image) -> Image.Image:
    """The image as ``L`` or ``RGB``."""
    if picture.mode.startswith("I"):  # 16 bits a pixel, which Pillow would clip, not scale
        return picture.convert("I").point(lambda value: value * (1 / 256)).convert("L")
    return picture.convert("L" if picture.mode in _GREY else "RGB")


@contextmanager
def _opened(file: Path) -> Iterator[Image.Image]:
    """Give an image of which only the header is read; all damage becomes one error."""
    try:
        from PIL import Image
    except ImportError as error:
        raise MeasureError(
            f"{file}: reading image files needs Pillow: "
            "pip install '.[vision]' in a clone of pyg_nas"
        ) from error
    with open_regular(file, MeasureError) as content, warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # we have a limit
        try:
            with Image.open(content, formats=_FORMATS) as picture:
                yield picture
        except MeasureError:
            raise
        except (OSError, ValueError, SyntaxError, MemoryError, Image.DecompressionBombError) as e:
            # Pillow reports damage in all of these.
            raise MeasureError(f"{file}: not a readable image ({one_line(e)})") from e


def split_task(
    name: str,
    images: NDArray[np.generic],
    labels: NDArray[np.integer],
    settings: TrainingSettings,
    seed: int,
    source: str,
    names: Sequence[str] | None = None,
) -> Task:
    """Split images of every class 60 : 20 : 20 into training, validation and test images.

    Args:
        name: Name of the task.
        images: uint8 or float32 ``[N, H, W, C]``.
        labels: Whole numbers ``[N]``, renumbered from 0 in their order.
        settings: How networks are trained.
        seed: Seed of the split.
        source: Where the images come from, for the message.
        names: Name of each label; by default its number.

    Raises:
        MeasureError: If there are fewer than two classes or a class has fewer than 3 images.
    """
    classes, renumbered, counts = np.unique(labels, return_inverse=True, return_counts=True)
    if len(classes) < 2:
        raise MeasureError(f"{source}: needs at least 2 classes, has {len(classes)}")
    if counts.min() < 3:
        scarce = classes[counts.argmin()]
        raise MeasureError(
            f"{source}: every class needs at least 3 images, class {scarce} has {counts.min()}"
        )
    rng = np.random.default_rng(seed)
    chosen: tuple[list[NDArray[np.int64]], ...] = ([], [], [])
    for label, count in enumerate(counts):
        rows = rng.permutation(np.flatnonzero(renumbered == label))
        held_out = max(1, round(_HELD_OUT * count))
        for part, some in zip(
            chosen,
            (rows[2 * held_out :], rows[:held_out], rows[held_out : 2 * held_out]),
            strict=True,
        ):
            part.append(some)
    everything = Part(
        np.ascontiguousarray(images.transpose(0, 3, 1, 2)), renumbered.astype(np.int64)
    )
    train, validation, test = (
        everything.take(rng.permutation(np.concatenate(part))) for part in chosen
    )
    named = tuple(str(label) if names is None else names[label] for label in classes)
    return Task(name, train, train.first(), validation, test, len(classes), settings, named)


def _visible(folder: Path) -> list[Path]:
    return sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
