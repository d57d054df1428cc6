"""Picture files, written completely or not at all, in the format of their ending."""

from __future__ import annotations

import os
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from pyg_nas.errors import SettingsError
from pyg_nas.io.files import atomic_path

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FORMATS = ("svg", "png", "pdf")
_DOTS_PER_INCH = 200


def check_picture_format(path: str | os.PathLike[str]) -> str:
    """Return the picture format of a file's ending.

    Raises:
        SettingsError: If it is not one of :data:`FORMATS`.
    """
    ending = Path(path).suffix.lower().lstrip(".")
    if ending not in FORMATS:
        raise SettingsError(f"picture {Path(path).name!r} must end in .{', .'.join(FORMATS)}")
    return ending


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> None:
    """Write a matplotlib figure in the format of the path's ending, completely or not at all.

    The same figure gives the same bytes, and the text of a PDF can be searched.

    Raises:
        SettingsError: If the ending is not one of :data:`FORMATS`.
    """
    from matplotlib import rc_context

    picture_format = check_picture_format(path)
    date = {"svg": "Date", "pdf": "CreationDate"}.get(picture_format)
    # In memory, because matplotlib's PDF writer hides the error of a full disk by another one.
    content = BytesIO()
    with rc_context({"svg.hashsalt": "pyg_nas", "pdf.fonttype": 42}):
        figure.savefig(
            content,
            format=picture_format,
            dpi=_DOTS_PER_INCH,
            metadata=None if date is None else {date: None},
        )
    with atomic_path(path) as temporary:
        temporary.write_bytes(content.getvalue())
