"""Properties of the files of a folder of images."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pyg_nas.errors import MeasureError
from pyg_nas.io.regular_files import file_digest
from pyg_nas.measure.tasks.image_files import check_image, check_pillow
from pyg_nas.measure.tasks.image_folder import FolderScan


@dataclass(frozen=True)
class FolderFacts:
    """Properties of the files of a folder.

    Args:
        sizes: Number of images of each (width, height), the most frequent first.
        grey: Images without colour.
        unreadable: Files that cannot be decoded, each with the reason.
        copies: Groups of files of equal content.
    """

    scan: FolderScan
    sizes: tuple[tuple[tuple[int, int], int], ...]
    grey: int
    unreadable: tuple[tuple[Path, str], ...]
    copies: tuple[tuple[Path, ...], ...]

    @property
    def across_parts(self) -> tuple[tuple[Path, ...], ...]:
        """Groups of equal files in more than one part of a divided folder."""
        return self._groups(self.scan.parts)

    @property
    def across_classes(self) -> tuple[tuple[Path, ...], ...]:
        """Groups of equal files with more than one class or number."""
        return self._groups(self.scan.labels)

    def _groups(self, values: object) -> tuple[tuple[Path, ...], ...]:
        if values is None:
            return ()
        known = dict(zip(self.scan.files, np.asarray(values).tolist(), strict=True))
        return tuple(group for group in self.copies if len({known[file] for file in group}) > 1)


def inspect_folder(
    scan: FolderScan, on_file: Callable[[int, int], None] | None = None
) -> FolderFacts:
    """Open every image of a folder.

    Args:
        on_file: Called after each file with the number of files done and that of all.

    Raises:
        MeasureError: If Pillow is missing.
    """
    sizes: Counter[tuple[int, int]] = Counter()
    unreadable, grey = [], 0
    contents: dict[bytes, list[Path]] = defaultdict(list)
    check_pillow(scan.path)
    for done, file in enumerate(scan.files, start=1):
        try:
            size, is_grey = check_image(file)
        except MeasureError as error:
            unreadable.append((file, str(error).removeprefix(f"{file}: ")))
        else:
            sizes[size] += 1
            grey += is_grey
            contents[file_digest(file, MeasureError)].append(file)
        if on_file is not None:
            on_file(done, len(scan.files))
    copies = tuple(tuple(group) for group in contents.values() if len(group) > 1)
    return FolderFacts(scan, tuple(sizes.most_common()), grey, tuple(unreadable), copies)
