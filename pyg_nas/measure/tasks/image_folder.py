"""The files of a folder of images: classes or numbers, parts (train, val, test), other files."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import MeasureError, first_repeated, listed, quoted
from pyg_nas.io.files import check_input_folder, is_visible, visible_files
from pyg_nas.io.formats.csv_rows import finite_number, read_csv
from pyg_nas.io.limits import LARGEST_FLOAT32
from pyg_nas.io.text import folder_name, printable

TARGETS = "targets.csv"
"""File of a folder of images with a number for each: columns ``file`` and ``value``."""

PARTS = ("training", "validation", "test")
_PART_NAMES = {
    "train": 0, "training": 0, "val": 1, "valid": 1, "validation": 1, "dev": 1, "test": 2,
    "testing": 2,
}  # fmt: skip
SUFFIXES = (
    ".bmp", ".dib", ".gif", ".jpg", ".jpeg", ".jpe", ".jfif", ".jp2", ".j2k", ".png", ".ppm",
    ".pgm", ".pbm", ".pnm", ".tga", ".tif", ".tiff", ".webp",
    # Photos that cannot be read: an error names them, because to ignore them would lose images.
    ".avif", ".heic", ".heif",
)  # fmt: skip

_SIGNATURES = (
    b"\x89PNG", b"\xff\xd8\xff", b"GIF8", b"BM", b"II*\0", b"MM\0*", b"RIFF", b"\0\0\0\x0cjP",
    b"P5\n", b"P6\n",
)  # fmt: skip


@dataclass(frozen=True)
class FolderScan:
    """The files of a folder of images.

    Args:
        files: ``N`` image files in the order of their names.
        labels: Class of each file, int64 ``[N]``, or its number, float32 ``[N]``.
        classes: Name of each class; empty where a number is predicted.
        parts: Part of each file, int8 ``[N]``, see :data:`PARTS`; None where they are not divided.
        stray: Files that are no images by their names and first bytes.
        unused: Images outside the folders of the classes, or without a number.
        empty: Folders where classes are expected, without an image: they are no classes.
    """

    path: Path
    name: str
    files: tuple[Path, ...]
    labels: NDArray[Any]
    classes: tuple[str, ...]
    parts: NDArray[np.int8] | None
    stray: tuple[Path, ...]
    unused: tuple[Path, ...]
    empty: tuple[Path, ...] = ()

    @property
    def counts(self) -> NDArray[np.int64]:
        """Files of each class, ``[classes]``."""
        return np.bincount(self.labels, minlength=len(self.classes))


def scan_folder(path: str | os.PathLike[str]) -> FolderScan:
    """List the image files of a folder, which has one of three forms.

    - A folder for each class, with image files at any depth.
    - Folders ``train``, ``val`` (or ``valid``, ``validation``) and ``test`` with a folder for each
      class; one of the last two may be missing.
    - Image files and ``targets.csv`` with the columns ``file`` and ``value``, to predict numbers.

    Names that begin with a dot are skipped, and folders of operating systems.

    Raises:
        MeasureError: If the folder has none of these forms, or other folders with images beside
            the parts, or ``targets.csv`` is malformed.
    """
    path = Path(path)
    if path.name == TARGETS and path.is_file():
        path = path.parent
    check_input_folder(path, MeasureError)
    name = printable(folder_name(path))
    if (path / TARGETS).is_file():
        files, values = _targets(path)
        labels = np.array(values, dtype=np.float32)
        return FolderScan(path, name, tuple(files), labels, (), None, *_others(path, files))
    folders = _folders(path)
    parts = {folder: _PART_NAMES.get(folder.name.lower()) for folder in folders}
    divided = 0 in parts.values() and bool({1, 2} & set(parts.values()))
    beside = [folder for folder, part in parts.items() if divided and part is None]
    if odd := [folder.name for folder in beside if _images(folder)]:
        names = [folder.name for folder, part in parts.items() if part is not None]
        raise MeasureError(
            f"{path}: has {listed(names)}, which divide the images, and beside them images in "
            f"{listed(odd)}; move these out of the folder"
        )
    inner = [(part, folder) for part, top in enumerate(_parts(parts)) for folder in top]
    if not divided:
        inner = [(0, folder) for folder in folders]
    images = {folder: _images(folder) for _, folder in inner} | {folder: [] for folder in beside}
    names = sorted({folder.name for folder, files in images.items() if files})
    numbers = {name: number for number, name in enumerate(names)}
    if len(names) < 2:
        if set(parts.values()) & {1, 2} and 0 not in parts.values():
            raise MeasureError(
                f"{path}: has {listed(folder.name for folder in folders)}, but no folder train "
                f"with a folder of images for each class"
            )
        raise MeasureError(
            f"{path}: needs a folder with images for each of at least 2 classes, has {len(names)}; "
            f"or {TARGETS} with a number for each image"
        )
    found = [
        (file, numbers[folder.name], part) for part, folder in inner for file in images[folder]
    ]
    paths, labels_, of_parts = zip(*found, strict=True)
    return FolderScan(
        path,
        name,
        paths,
        np.array(labels_, dtype=np.int64),
        tuple(map(printable, names)),
        np.array(of_parts, dtype=np.int8) if divided else None,
        *_others(path, paths),
        tuple(folder for folder, files in images.items() if not files),
    )


def _parts(parts: dict[Path, int | None]) -> Iterator[list[Path]]:
    for part in range(len(PARTS)):
        yield [f for top, number in parts.items() if number == part for f in _folders(top)]


def _images(folder: Path) -> list[Path]:
    return [file for file in visible_files(folder, MeasureError) if _is_image(file)]


def _targets(path: Path) -> tuple[list[Path], list[float]]:
    """Return the files and numbers of ``targets.csv``."""
    source = path / TARGETS
    files, values = [], []
    header, rows = read_csv(source, MeasureError)
    if not {"file", "value"} <= set(header):
        raise MeasureError(f"{source}: needs the columns file and value, has {quoted(header)}")
    for line, row in rows:
        where = f"{source}, line {line}"
        value = finite_number(row["value"])
        if value is None or abs(value) > LARGEST_FLOAT32:
            raise MeasureError(
                f"{where}: value must be a finite number, got {quoted(row['value'])}"
            )
        name = Path(row["file"])
        if name.is_absolute() or ".." in name.parts:
            raise MeasureError(f"{where}: must be in this folder: {quoted(row['file'])}")
        image = path / name
        if not _is_file(image):
            raise MeasureError(f"{where}: no such file: {quoted(row['file'])}")
        files.append(image)
        values.append(value)
    if repeated := first_repeated(files):
        raise MeasureError(f"{source}: has {repeated[0].relative_to(path)} more than once")
    if not files:
        raise MeasureError(f"{source}: has no image")
    return files, values


def _is_file(path: Path) -> bool:
    try:
        return path.is_file()
    except (OSError, ValueError):  # its name is too long, or has a NUL byte
        return False


def _others(path: Path, used: Sequence[Path]) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Return the files that are no images, and the images that are not used."""
    others = set(visible_files(path, MeasureError)) - {path / TARGETS, *used}
    images = {file for file in others if _is_image(file)}
    return tuple(sorted(others - images)), tuple(sorted(images))


def _is_image(file: Path) -> bool:
    """Whether a file is an image by its name, or by its first bytes."""
    if file.suffix.lower() in SUFFIXES:
        return True
    if not file.is_file():  # reading a pipe would wait
        return False
    with file.open("rb") as content:
        return content.read(12).startswith(_SIGNATURES)


def _folders(path: Path) -> list[Path]:
    return sorted(entry for entry in path.iterdir() if is_visible(entry.name) and entry.is_dir())
