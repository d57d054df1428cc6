"""The command that looks at a folder of images."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyg_nas.cli.images import images
from pyg_nas.errors import MeasureError
from tests.measure.images import make_folder


def test_a_folder_is_described(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = make_folder(tmp_path / "bugs")
    for name in "567":
        (folder / "bee" / f"{name}.png").unlink()
    (folder / "notes.txt").write_text("")
    images(folder)
    shown = capsys.readouterr().out
    for text in ("images: 13", "ant: 8", "bee: 5", "5 x 5 (13)", "notes.txt", "balanced accuracy",
                 "one run of 12 epochs: about"):  # fmt: skip
        assert text in shown


def test_what_keeps_a_folder_from_being_used_is_an_error(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "bugs", sizes=((5, 5), (7, 6)))
    with pytest.raises(MeasureError, match="images have 2 sizes; give --image-size"):
        images(folder)
    (folder / "ant" / "3.png").write_bytes(b"broken")
    with pytest.raises(MeasureError, match="1 images cannot be read"):
        images(folder)
