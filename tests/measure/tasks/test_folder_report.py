"""What is said of a folder of images before anything is trained."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

from pyg_nas.errors import MeasureError
from pyg_nas.measure.tasks.folder_report import inspect_folder
from pyg_nas.measure.tasks.image_folder import scan_folder
from tests.measure.images import make_folder


def test_sizes_unreadable_files_and_copies(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "bugs", sizes=((5, 5), (7, 6), (5, 5), (5, 5)))
    shutil.copy(folder / "ant" / "0.png", folder / "bee" / "copy.png")
    (folder / "ant" / "3.png").write_bytes((folder / "ant" / "3.png").read_bytes()[:60])
    os.truncate(folder / "ant" / "1.png", 200 * 2**30)  # of zeros that no disk has
    seen: list[tuple[int, int]] = []
    facts = inspect_folder(scan_folder(folder), lambda *state: seen.append(state))
    assert facts.sizes == (((5, 5), 12), ((7, 6), 3))
    assert [file.name for file, _ in facts.unreadable] == ["1.png", "3.png"]
    assert facts.unreadable[0][1].startswith("has 214,748,364,800 bytes, at most")
    copies = ((folder / "ant" / "0.png", folder / "bee" / "copy.png"),)
    assert facts.copies == facts.across_classes == copies
    assert facts.across_parts == ()
    assert seen[-1] == (17, 17)


def test_copies_in_different_parts(tmp_path: Path) -> None:
    make_folder(tmp_path / "bugs" / "train")
    shutil.copytree(tmp_path / "bugs" / "train", tmp_path / "bugs" / "test")
    facts = inspect_folder(scan_folder(tmp_path / "bugs"))
    assert len(facts.across_parts) == 16
    assert facts.across_classes == ()


def test_a_missing_pillow_is_no_property_of_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_folder(tmp_path / "bugs")
    monkeypatch.setitem(sys.modules, "PIL.Image", None)
    with pytest.raises(MeasureError, match=r"bugs: reading image files needs Pillow: pip install"):
        inspect_folder(scan_folder(folder))
