"""Image files of folders: their form, their size, and damage."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyg_nas.errors import MeasureError
from pyg_nas.measure import get_task
from pyg_nas.measure.tasks.image_files import check_image, read_pixels
from tests.measure.images import make_folder, settings_file


def test_16_bit_images_are_scaled_to_8(tmp_path: Path):
    image_module = pytest.importorskip("PIL.Image")
    plain = make_folder(tmp_path / "plain", mode="L")
    deep = make_folder(tmp_path / "deep", mode="L")
    for path in deep.glob("*/[0-9]*.png"):
        pixels = np.asarray(image_module.open(path)).astype(np.uint16)
        image_module.fromarray(pixels * 257).save(path)
        assert image_module.open(path).mode.startswith("I")
    small = settings_file(tmp_path)
    expected, found = get_task(plain, small), get_task(deep, small)
    np.testing.assert_array_equal(found.train.images, expected.train.images)


@pytest.mark.parametrize(
    ("pixels", "message"),
    [
        (np.full((8, 8), 0.5, np.float32), "its pixels are floating-point numbers, whose range"),
        (np.full((8, 8), 70_000, np.int32), "pixels must be 0 to 65,535, got 70,000 to 70,000"),
        (np.full((8, 8), -1, np.int32), "pixels must be 0 to 65,535, got -1 to -1"),
    ],
)
def test_pixels_that_would_be_clipped_are_refused(pixels: np.ndarray, message: str, tmp_path: Path):
    image_module = pytest.importorskip("PIL.Image")
    file = tmp_path / "depth.tif"
    image_module.fromarray(pixels).save(file)
    for read in (check_image, lambda file: read_pixels(file, "L", (4, 4), "pad")):
        with pytest.raises(MeasureError, match=rf"depth\.tif: {message}.*; save it with 8 or 16 "):
            read(file)


def test_images_of_different_sizes_are_refused_or_resized(tmp_path: Path):
    folder = make_folder(tmp_path / "bugs", sizes=((5, 5), (7, 6)))
    with pytest.raises(MeasureError, match=r"1\.png: is 7 x 6 pixels, .*0\.png is 5 x 5"):
        get_task(folder, settings_file(tmp_path))
    task = get_task(folder, settings_file(tmp_path), image_size=8)
    assert task.train.images.shape[1:] == (3, 8, 8)


def test_large_images_are_refused_where_none_are_resized(tmp_path: Path):
    folder = make_folder(tmp_path / "strips", sizes=((1100, 2),))
    with pytest.raises(
        MeasureError, match=r"1100 x 2 pixels, at most 1,024 .*give the argument `image_size`"
    ):
        get_task(folder, settings_file(tmp_path))
    assert get_task(folder, settings_file(tmp_path), image_size=4).train.images.shape[2:] == (4, 4)


def test_malformed_folders(tmp_path: Path):
    folder = make_folder(tmp_path / "bugs")
    picture = folder / "bee" / "3.png"
    picture.write_bytes(picture.read_bytes()[:60])
    with pytest.raises(MeasureError, match=r"3\.png: not a readable image \(image file is tr"):
        get_task(folder)
    picture.write_bytes(picture.read_bytes()[:8])
    with pytest.raises(MeasureError, match=r"3\.png: not a readable image \(damaged, or none of"):
        get_task(folder)
    with pytest.raises(MeasureError, match="image size must be 1 to 1024 pixels"):
        get_task(folder, image_size=0)
    (tmp_path / "parts" / "val" / "bee").mkdir(parents=True)
    with pytest.raises(MeasureError, match="parts: has val, but no folder train with a folder"):
        get_task(tmp_path / "parts")
    lonely = tmp_path / "lonely"
    (lonely / "one").mkdir(parents=True)
    with pytest.raises(MeasureError, match="at least 2 classes, has 0"):
        get_task(lonely)
