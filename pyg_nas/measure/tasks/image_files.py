"""Image files: their headers and pixels, and the one form that all files of a folder get."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import MeasureError, argument, needs_extra, one_line
from pyg_nas.io.limits import (
    MOST_IMAGE_BYTES,
    MOST_IMAGE_SIDE,
    MOST_IMAGES_BYTES,
    MOST_PIXELS,
)
from pyg_nas.io.regular_files import open_regular

if TYPE_CHECKING:
    from PIL import Image

# Formats that Pillow decodes itself; PostScript, for one, would start another program.
_FORMATS = ("BMP", "GIF", "JPEG", "JPEG2000", "PNG", "PPM", "TGA", "TIFF", "WEBP")
_PHOTOS, _ORIENTATION = ("JPEG", "MPO", "TIFF", "WEBP"), 0x0112  # the tag of EXIF
_GREY = ("1", "L", "LA", "I", "I;16", "I;16B", "I;16L")

_REMEDY = "save it with 8 or 16 bits a pixel"


def common_form(
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
                    f"{size[0]} x {size[1]}; "
                    f"give {argument('image_size')} to resize all"
                )
    assert size is not None  # there is at least one file
    check_sides(str(folder), size, f"give {argument('image_size')}")
    needed = len(files) * size[0] * size[1] * (1 if mode == "L" else 3)
    if needed > MOST_IMAGES_BYTES:
        raise MeasureError(
            f"{folder}: {len(files):,} images of {size[0]} x {size[1]} pixels need {needed:,} "
            f"bytes, at most {MOST_IMAGES_BYTES:,} are read; give a smaller image size"
        )
    return mode, size


def check_sides(name: str, size: tuple[int, int], remedy: str) -> None:
    """Check that the width and height of images are small enough for training.

    Args:
        name: Of the file or folder.
        size: Width and height.
        remedy: What the user can do, for the message.

    Raises:
        MeasureError: If they are not.
    """
    if max(size) > MOST_IMAGE_SIDE:
        raise MeasureError(
            f"{name}: images have {size[0]} x {size[1]} pixels, at most {MOST_IMAGE_SIDE:,} per "
            f"side are trained on; {remedy}"
        )


def read_pixels(file: Path, mode: str, size: tuple[int, int], fit: str) -> NDArray[np.uint8]:
    """Return the pixels of an image, ``[H, W]`` or ``[H, W, 3]``.

    Args:
        mode: ``"L"`` or ``"RGB"``.
        size: Width and height.
        fit: How it is resized, one of :data:`~pyg_nas.measure.settings.IMAGE_FITS`.

    Raises:
        MeasureError: If it is not a readable image.
    """
    from PIL import Image, ImageOps

    with _opened(file) as picture:
        _check_range(file, picture)
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


def _check_range(file: Path, picture: Image.Image) -> None:
    """Check that the pixels of an image of whole numbers are of 16 bits.

    Raises:
        MeasureError: If one is not.
    """
    if picture.mode == "I":
        low, high = picture.getextrema()
        if low < 0 or high > 0xFFFF:
            raise MeasureError(
                f"{file}: pixels must be 0 to 65,535, got {low:,} to {high:,}; {_REMEDY}"
            )


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
    check_pillow(file)
    from PIL import Image, UnidentifiedImageError

    with open_regular(file, MeasureError) as content, warnings.catch_warnings():
        size = os.fstat(content.fileno()).st_size
        if size > MOST_IMAGE_BYTES:
            raise MeasureError(
                f"{file}: has {size:,} bytes, at most {MOST_IMAGE_BYTES:,} are read of an image"
            )
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # we have a limit
        try:
            with Image.open(content, formats=_FORMATS) as picture:
                if picture.mode == "F":  # Pillow would clip them, from 0 to 1 all to black
                    raise MeasureError(
                        f"{file}: its pixels are floating-point numbers, whose range is not known; "
                        f"{_REMEDY}"
                    )
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
        _check_range(file, picture)
    return size, grey


def check_pillow(source: Path) -> None:
    """Check that Pillow is installed.

    Args:
        source: File or folder that it is to read, for the message.

    Raises:
        MeasureError: If it is not.
    """
    try:
        import PIL.Image  # noqa: F401
    except ImportError as error:
        raise MeasureError(
            needs_extra(f"{source}: reading image files needs Pillow", "vision")
        ) from error
