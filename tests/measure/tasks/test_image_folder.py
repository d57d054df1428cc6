"""What is found in folders of images, in each of their forms."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyg_nas.errors import MeasureError
from pyg_nas.measure import get_task
from pyg_nas.measure.tasks.image_folder import scan_folder
from tests.measure.images import make_folder, settings_file


def test_strays_are_ignored_and_suffixes_may_be_missing(tmp_path: Path, caplog) -> None:
    folder = make_folder(tmp_path / "bugs")
    (folder / "ant" / "notes.txt").write_text("these are ants")
    (folder / "read me.md").write_text("bugs")
    (folder / "ant" / "0.png").rename(folder / "ant" / "0")
    (folder / "bee" / "inner").mkdir()
    (folder / "bee" / "0.png").rename(folder / "bee" / "inner" / "0.PNG")
    scan = scan_folder(folder)
    assert [file.name for file in scan.stray] == ["notes.txt", "read me.md"]
    assert scan.counts.tolist() == [8, 8]
    assert scan.classes == ("ant", "bee")
    with caplog.at_level("INFO", "pyg_nas"):
        task = get_task(folder, settings_file(tmp_path))
    assert "ignored 2 files of other kinds than images, such as ant/notes.txt" in caplog.text
    assert sum(map(len, (task.train, task.validation, task.test))) == 16


def test_a_folder_without_an_image_is_no_class(tmp_path: Path, caplog) -> None:
    folder = make_folder(tmp_path / "bugs")
    alone = scan_folder(folder)
    (folder / "notes").mkdir()
    (folder / "notes" / "a.txt").write_bytes(b"x")
    scan = scan_folder(folder)
    assert (scan.classes, scan.counts.tolist()) == (alone.classes, alone.counts.tolist())
    assert [place.name for place in scan.empty] == ["notes"]
    with caplog.at_level("INFO", "pyg_nas"):
        task = get_task(folder, settings_file(tmp_path))
    assert "ignored 1 folder without an image, such as notes" in caplog.text
    assert not task.settings.balanced  # the classes with images have equally many


def test_images_outside_the_classes_are_named(tmp_path: Path, caplog) -> None:
    folder = make_folder(tmp_path / "bugs")
    (folder / "one.png").write_bytes((folder / "ant" / "0.png").read_bytes())
    scan = scan_folder(folder)
    assert [file.name for file in scan.unused] == ["one.png"]
    assert not scan.stray
    with caplog.at_level("INFO", "pyg_nas"):
        get_task(folder, settings_file(tmp_path))
    assert "ignored 1 image without a class, such as one.png" in caplog.text
    (folder / "targets.csv").write_text("file,value\nant/0.png,1\nbee/1.png,2\n")
    assert len(scan_folder(folder).unused) == 15


def test_photos_of_a_format_that_is_not_read_are_an_error(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "bugs")
    (folder / "ant" / "IMG_1.HEIC").write_bytes(b"\0\0\0\x18ftypheic")
    with pytest.raises(MeasureError, match=r"IMG_1\.HEIC: not a readable image"):
        get_task(folder, settings_file(tmp_path))


@pytest.mark.parametrize("parts", [("train", "val", "test"), ("Train", "test"), ("train", "valid")])
def test_folders_that_are_divided_already(tmp_path: Path, parts: tuple[str, ...]) -> None:
    image_module = pytest.importorskip("PIL.Image")
    shades = {}
    for number, part in enumerate(parts):
        make_folder(tmp_path / "bugs" / part)
        for shade, file in enumerate(sorted((tmp_path / "bugs" / part).glob("*/*.png"))):
            value = 20 * number + shade
            image_module.fromarray(np.full((5, 5), value, np.uint8)).save(file)
            shades[value] = part
    task = get_task(tmp_path / "bugs", settings_file(tmp_path))
    found = {
        name: {shades[int(image.max())] for image in part.images}
        for name, part in (("train", task.train), ("val", task.validation), ("test", task.test))
    }
    expected = {
        "val": next((part for part in parts if part.startswith("val")), parts[0]),
        "test": "test" if "test" in parts else parts[0],
        "train": parts[0],
    }
    assert found == {name: {part} for name, part in expected.items()}
    assert sum(map(len, (task.train, task.validation, task.test))) == 16 * len(parts)


def test_folders_beside_parts_are_named_or_ignored(tmp_path: Path) -> None:
    for part in ("train", "val"):
        make_folder(tmp_path / part)
    for name in ("__MACOSX", "notes", "lost+found"):
        (tmp_path / name).mkdir()
    (tmp_path / "lost+found" / "0.png").write_bytes((tmp_path / "val/ant/0.png").read_bytes())
    scan = scan_folder(tmp_path)
    assert scan.classes == ("ant", "bee")
    assert np.bincount(scan.parts).tolist() == [16, 16]
    assert [folder.name for folder in scan.empty] == ["notes"]
    make_folder(tmp_path / "unlabelled")
    with pytest.raises(MeasureError, match=r"has train, val, which .* images in unlabelled; move"):
        scan_folder(tmp_path)


def test_targets(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "bugs")
    names = [str(file.relative_to(folder)) for file in sorted(folder.glob("*/*.png"))]
    lines = [f"{name},{value / 4}" for value, name in enumerate(names)]
    (folder / "targets.csv").write_text("\n".join(["file,value", *lines]))
    for path in (folder, folder / "targets.csv"):
        task = get_task(path, settings_file(tmp_path))
        assert task.is_regression
        values = np.concatenate([task.train.labels, task.validation.labels, task.test.labels])
        assert sorted(values.tolist()) == [value / 4 for value in range(16)]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name,value\nant/0.png,1", "needs the columns file and value"),
        ("file,value\nant/0.png,big", "line 2: value must be a finite number, got 'big'"),
        ("file,value\nant/0.png,nan", "line 2: value must be a finite number"),
        ("file,value\nant/99.png,1", r"line 2: no such file: 'ant/99.png'"),
        ("file,value\nant/0.png,1\nant/0.png,2", "has ant/0.png more than once"),
        ("file,value\n", "has no image"),
        ("file,value\n../1.png,1\n", "line 2: must be in this folder: '../1.png'"),
        ("file,value\n/etc/passwd,1\n", "line 2: must be in this folder"),
        (f"file,value\n{'a' * 5000},1\n", "line 2: no such file: 'aaa"),
        ("file,value\n\0,1\n", "line 2: no such file"),
        ("file,value\n0.png,1e300\n", "must be a finite number"),
        ("file,value\n" + "a" * 5_000_000, "line 2: longer than"),
    ],
)
def test_malformed_targets(tmp_path: Path, text: str, message: str) -> None:
    folder = make_folder(tmp_path / "bugs")
    (folder / "targets.csv").write_text(text)
    with pytest.raises(MeasureError, match=message):
        scan_folder(folder)
