"""Tasks from image folders and .npz files, and what is refused."""

from __future__ import annotations

import contextlib
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.errors import MeasureError
from pyg_nas.measure import get_task
from tests.fuzz.mutation import flipped_bits
from tests.measure.images import make_folder, rows, save_npz, settings_file, sound_images


def test_npz_is_split_by_class_and_seed(tmp_path: Path):
    arrays = sound_images()
    path = save_npz(tmp_path / "mine.npz", **arrays)
    task = get_task(path, settings_file(tmp_path))
    assert (task.name, task.num_labels, task.settings.batch_size) == ("mine", 3, 4)
    parts = (task.train, task.validation, task.test)
    assert [len(part) for part in parts] == [18, 6, 6]
    assert all(np.bincount(part.labels).tolist() == [len(part) // 3] * 3 for part in parts)
    together = [rows(part) for part in parts]
    assert len(set.union(*together)) == sum(map(len, together)) == 30
    by_image = dict(
        zip(
            (i.transpose(2, 0, 1).tobytes() for i in arrays["images"]),
            arrays["labels"],
            strict=True,
        )
    )
    assert all(
        by_image[image.tobytes()] == label + 5
        for part in parts
        for image, label in zip(part.images, part.labels, strict=True)
    )
    assert get_task(path, settings_file(tmp_path)).fingerprint == task.fingerprint
    assert get_task(path, settings_file(tmp_path), seed=1).fingerprint != task.fingerprint


def test_npz_of_grey_floats(tmp_path: Path):
    arrays = {"images": np.random.default_rng(0).random((30, 6, 6)), "labels": np.arange(30) % 2}
    task = get_task(save_npz(tmp_path / "g.npz", **arrays), settings_file(tmp_path))
    assert task.train.images.shape[1:] == (1, 6, 6)
    assert task.train.images.dtype == np.float32


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"images": None}, "has no array 'images'"),
        ({"labels": None}, "has no array 'labels'"),
        ({"images": np.zeros((30, 6), np.uint8)}, "images must be"),
        ({"images": np.zeros((30, 6, 6, 9), np.uint8)}, "1 to 4 channels"),
        ({"images": np.zeros((30, 1, 1025), np.uint8)}, "1025 x 1 pixels, at most 1,024 per side"),
        ({"images": np.zeros((30, 6, 6), np.int64)}, "uint8 or floating point, got int64"),
        ({"images": np.full((30, 6, 6), np.nan)}, "must be finite"),
        ({"labels": np.arange(29)}, r"labels must be whole numbers \[30\]"),
        ({"labels": np.full(30, 0.5)}, "labels must be whole numbers"),
        ({"labels": np.zeros(30, int)}, "at least 2 classes, has 1"),
        ({"labels": np.arange(30) == 0}, "labels must be whole numbers"),
        ({"labels": (np.arange(30) < 2).astype(int)}, "class 1 has 2"),
        ({"images": np.zeros((30, 2, 2), np.uint8)}, "at least 4 pixels per side"),
        ({"images": np.zeros((0, 6, 6), np.uint8), "labels": np.zeros(0, int)}, "has 0"),
        ({"images": np.array([{}] * 30, dtype=object)}, "not a readable .npz"),
    ],
)
def test_malformed_npz(tmp_path: Path, change, message):
    arrays = {k: v for k, v in {**sound_images(), **change}.items() if v is not None}
    path = save_npz(tmp_path / "bad.npz", **arrays)
    with pytest.raises(MeasureError, match=message) as caught:
        get_task(path, settings_file(tmp_path))
    assert "bad" in str(caught.value)


def test_damaged_npz(tmp_path: Path):
    path = save_npz(tmp_path / "a.npz", **sound_images())
    whole = path.read_bytes()
    plain = tmp_path / "plain.npz"
    with plain.open("wb") as file:
        np.save(file, np.zeros(3))
    for content in (b"", b"hello", whole[: len(whole) // 2], plain.read_bytes()):
        path.write_bytes(content)
        with pytest.raises(MeasureError, match=r"a\.npz: not a readable \.npz file"):
            get_task(path)


def test_a_flipped_bit_in_an_npz_is_noticed(tmp_path: Path):
    path = save_npz(tmp_path / "a.npz", **sound_images())
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(MeasureError, match="not a readable"):
        get_task(path)


def test_damage_anywhere_in_a_compressed_npz_is_named(tmp_path: Path):
    path = tmp_path / "a.npz"
    np.savez_compressed(path, **sound_images())
    for content in flipped_bits(path.read_bytes(), 300):
        path.write_bytes(content)
        # What no checksum covers, a date in a header say, may change unseen.
        with contextlib.suppress(MeasureError):
            get_task(path, settings_file(tmp_path))


@pytest.mark.parametrize(("mode", "channels"), [("RGB", 3), ("L", 1), ("RGBA", 3), ("P", 3)])
def test_folder_of_class_folders(tmp_path: Path, mode, channels):
    task = get_task(make_folder(tmp_path / "bugs", mode=mode), settings_file(tmp_path))
    assert (task.name, task.num_labels) == ("bugs", 2)
    assert task.train.images.shape[1:] == (channels, 5, 5)
    assert [len(task.train), len(task.validation), len(task.test)] == [8, 4, 4]


def test_images_of_a_folder_have_the_label_of_their_folder(tmp_path: Path):
    """Black ants, white bees."""
    image_module = pytest.importorskip("PIL.Image")
    for name, shade in (("bee", 255), ("ant", 0)):
        (tmp_path / "bugs" / name).mkdir(parents=True)
        for i in range(7):
            picture = image_module.fromarray(np.full((8, 8), shade, np.uint8))
            picture.save(tmp_path / "bugs" / name / f"{i}.png")
    task = get_task(tmp_path / "bugs", settings_file(tmp_path))
    assert task.classes == ("ant", "bee")
    for part in (task.train, task.validation, task.test):
        np.testing.assert_array_equal(part.images.max(axis=(1, 2, 3)) == 255, part.labels == 1)
