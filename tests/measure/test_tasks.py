"""Tasks from every source, and a clear error for everything malformed."""

from __future__ import annotations

import contextlib
import json
import sys
import types
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.data.table import Table
from pyg_nas.errors import DownloadError, MeasureError, SettingsError
from pyg_nas.measure import TrainingSettings, get_task
from pyg_nas.measure.augmentation import Augmentation
from pyg_nas.measure.cifar import cifar10_task
from pyg_nas.measure.digits import digits_task
from pyg_nas.measure.task import Part, Task
from tests.fuzz.mutation import flipped_bits

from .conftest import TINY_SETTINGS, make_tiny_task

SHIPPED = Path(__file__).parents[2] / "datasets" / "nasbench_digits.hdf5"
SMALL = {"batch_size": 4}


def settings_file(folder: Path, **changes) -> Path:
    path = folder / "settings.json"
    path.write_text(json.dumps({**SMALL, **changes}))
    return path


def save_npz(path: Path, **arrays) -> Path:
    np.savez(path, **arrays)
    return path


def sound_images(count: int = 30, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {
        "images": rng.integers(0, 256, (count, 6, 6, 3), dtype=np.uint8),
        "labels": np.arange(count) % 3 + 5,
    }


def rows(part: Part) -> set[bytes]:
    return {image.tobytes() for image in part.images}


# digits


def test_digits_have_the_parts_that_they_say():
    task = digits_task()
    assert [len(part) for part in task.parts.values()] == [384, 192, 1000, 913]
    assert task.train.images.shape[1:] == (1, 8, 8)
    # Each validation image is seen twice, with the same label and different noise.
    assert np.array_equal(task.validation.labels[:500], task.validation.labels[500:])
    assert not np.array_equal(task.validation.images[:500], task.validation.images[500:])


def test_digits_are_the_task_of_the_shipped_table():
    about = Table.load(SHIPPED).about
    assert about["fingerprint"] == digits_task().fingerprint
    assert about["settings"] == digits_task().settings.to_dict()


def test_fingerprint_sees_settings_labels_and_pixels():
    task = make_tiny_task()
    images = task.train.images.copy()
    images[0, 0, 0, 0] += 1
    labels = np.roll(task.train.labels, 1)
    variants = [
        task,
        make_tiny_task(TINY_SETTINGS.changed({"learning_rate": 0.06})),
        make_tiny_task(TINY_SETTINGS.changed({"augmentation": {"noise": 0.31}})),
        make_tiny_task(name="other"),
        *(
            Task("tiny", part, task.judged_train, task.validation, task.test, 3, TINY_SETTINGS)
            for part in (Part(images, task.train.labels), Part(task.train.images, labels))
        ),
    ]
    assert len({variant.fingerprint for variant in variants}) == len(variants)
    assert make_tiny_task().fingerprint == task.fingerprint


# .npz


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
        ({"images": np.zeros((30, 6, 6), np.int64)}, "uint8 or floating point, got int64"),
        ({"images": np.full((30, 6, 6), np.nan)}, "must be finite"),
        ({"labels": np.arange(29)}, r"labels must be whole numbers \[30\]"),
        ({"labels": np.full(30, 0.5)}, "labels must be whole numbers"),
        ({"labels": np.zeros(30, int)}, "at least 2 classes, has 1"),
        ({"labels": np.arange(30) == 0}, "labels must be whole numbers"),
        ({"labels": (np.arange(30) < 2).astype(int)}, "class 1 has 2"),
        ({"images": np.zeros((30, 2, 2), np.uint8)}, "at least 4 pixels a side"),
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


# folders


def make_folder(root: Path, sizes=((5, 5),), mode: str = "RGB", per_class: int = 8) -> Path:
    image_module = pytest.importorskip("PIL.Image")
    rng = np.random.default_rng(0)
    for label in ("ant", "bee"):
        (root / label).mkdir(parents=True)
        for i in range(per_class):
            width, height = sizes[i % len(sizes)]
            pixels = rng.integers(0, 256, (height, width, 3), dtype=np.uint8)
            image_module.fromarray(pixels).convert(mode).save(root / label / f"{i}.png")
    (root / ".hidden").mkdir()
    (root / "ant" / ".DS_Store").write_text("not an image")
    return root


@pytest.mark.parametrize(("mode", "channels"), [("RGB", 3), ("L", 1), ("RGBA", 3), ("P", 3)])
def test_folder_of_class_folders(tmp_path: Path, mode, channels):
    task = get_task(make_folder(tmp_path / "bugs", mode=mode), settings_file(tmp_path))
    assert (task.name, task.num_labels) == ("bugs", 2)
    assert task.train.images.shape[1:] == (channels, 5, 5)
    assert [len(task.train), len(task.validation), len(task.test)] == [8, 4, 4]


def test_a_folder_named_like_a_built_in_task(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "digits").mkdir()
    assert get_task("digits").num_labels == 10  # an empty folder is no task
    make_folder(tmp_path / "digits")
    message = (
        r"'digits' is a built-in task and also the folder .*digits; \./digits means the folder"
    )
    with pytest.raises(MeasureError, match=message):
        get_task("digits")
    task = get_task("./digits", settings_file(tmp_path))
    assert (task.name, task.num_labels) == ("digits", 2)


def test_the_working_directory_as_a_task_has_its_name(tmp_path: Path, monkeypatch):
    monkeypatch.chdir(make_folder(tmp_path / "bugs"))
    for path in (".", "../bugs", "ant/.."):
        assert get_task(path, settings_file(tmp_path)).name == "bugs"
    (tmp_path / "link").symlink_to(tmp_path / "bugs")
    assert get_task(str(tmp_path / "link"), settings_file(tmp_path)).name == "link"


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


def test_images_of_different_sizes_are_refused_or_resized(tmp_path: Path):
    folder = make_folder(tmp_path / "bugs", sizes=((5, 5), (7, 6)))
    with pytest.raises(MeasureError, match=r"1\.png: is 7 x 6 pixels, .*0\.png is 5 x 5"):
        get_task(folder, settings_file(tmp_path))
    task = get_task(folder, settings_file(tmp_path), image_size=8)
    assert task.train.images.shape[1:] == (3, 8, 8)


def test_malformed_folders(tmp_path: Path):
    folder = make_folder(tmp_path / "bugs")
    (folder / "ant" / "notes.txt").write_text("these are ants")
    with pytest.raises(MeasureError, match=r"notes\.txt: not a readable image"):
        get_task(folder)
    (folder / "ant" / "notes.txt").unlink()
    picture = folder / "bee" / "3.png"
    picture.write_bytes(picture.read_bytes()[:60])
    with pytest.raises(MeasureError, match=r"3\.png: not a readable image"):
        get_task(folder)
    with pytest.raises(MeasureError, match="image_size must be at least 1"):
        get_task(folder, image_size=0)
    lonely = tmp_path / "lonely"
    (lonely / "one").mkdir(parents=True)
    with pytest.raises(MeasureError, match="at least 2 classes, has 1"):
        get_task(lonely)
    (lonely / "two").mkdir()
    with pytest.raises(MeasureError, match="have no image"):
        get_task(lonely)


# CIFAR-10


def fake_torchvision(monkeypatch, dataset) -> None:
    module = types.ModuleType("torchvision")
    module.datasets = types.ModuleType("torchvision.datasets")
    module.datasets.CIFAR10 = dataset
    monkeypatch.setitem(sys.modules, "torchvision", module)
    monkeypatch.setitem(sys.modules, "torchvision.datasets", module.datasets)


def test_cifar10_is_split_as_in_nasbench101(monkeypatch, tmp_path: Path):
    asked = []

    class CIFAR10:
        def __init__(self, root, train, download):
            asked.append((root, train, download))
            count = 10_400 if train else 100
            rng = np.random.default_rng(train)
            self.data = rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
            self.targets = (np.arange(count) % 10).tolist()

    fake_torchvision(monkeypatch, CIFAR10)
    task = cifar10_task(tmp_path)
    assert asked == [(str(tmp_path), True, True), (str(tmp_path), False, True)]
    assert [len(part) for part in task.parts.values()] == [400, 400, 10_000, 100]
    assert task.train.images.shape[1:] == (3, 32, 32)
    assert not rows(task.train) & rows(task.validation)
    # The published settings of NAS-Bench-101.
    assert task.settings == TrainingSettings(
        128, 3, 3, 256, "rmsprop", 0.2, 0.0, 0.9, 1e-4, 0.997, Augmentation(4, True)
    )


@pytest.mark.parametrize("failure", [RuntimeError("file corrupted"), OSError("no route to host")])
def test_cifar10_that_cannot_be_downloaded(monkeypatch, tmp_path: Path, failure):
    def broken(root, train, download):
        raise failure

    fake_torchvision(monkeypatch, broken)
    with pytest.raises(DownloadError, match=str(failure)):
        cifar10_task(tmp_path)


def test_cifar10_without_torchvision(monkeypatch, tmp_path: Path):
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(MeasureError, match=r"pyg-nas\[vision\]"):
        cifar10_task(tmp_path)


# names and settings


@pytest.mark.parametrize("name", ["digit", "images.zip", ""])
def test_unknown_tasks(name):
    with pytest.raises(MeasureError, match="a task must be 'digits'"):
        get_task(name)


def test_a_missing_npz(tmp_path: Path):
    with pytest.raises(MeasureError, match="no such file"):
        get_task(tmp_path / "gone.npz")


def test_only_folders_are_resized():
    with pytest.raises(MeasureError, match="only the images of a folder"):
        get_task("digits", image_size=16)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a readable JSON file"),
        ("[]", "must be a JSON object"),
        ('{"width": 8}', "unknown name 'width'"),
        ('{"stem_channels": "8"}', "stem_channels must be of the type"),
        ('{"stem_channels": true}', "stem_channels must be of the type"),
        ('{"stem_channels": 0}', "stem_channels must be a whole number >= 1"),
        ('{"optimizer": "adam"}', "optimizer must be one of sgd, rmsprop"),
        ('{"learning_rate": NaN}', "learning_rate must be above 0"),
        ('{"momentum": 1}', "momentum must be from 0 to below 1"),
        ('{"weight_decay": -1}', "weight_decay must be at least 0"),
        ('{"augmentation": {"noise": -1}}', "noise must be at least 0"),
        ('{"augmentation": {"blur": 1}}', "unknown name 'blur'"),
    ],
)
def test_malformed_settings(tmp_path: Path, text, message):
    path = tmp_path / "settings.json"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message) as caught:
        get_task("digits", path)
    assert "settings.json" in str(caught.value)


def test_a_batch_larger_than_the_training_part_is_refused(tmp_path: Path):
    with pytest.raises(MeasureError, match="a batch of 385 is larger than the training part"):
        get_task("digits", settings_file(tmp_path, batch_size=385))


def test_statistics_are_those_of_the_training_images(tiny_task: Task):
    shifted = Part(tiny_task.validation.images + 5, tiny_task.validation.labels)
    task = replace(tiny_task, validation=shifted, test=shifted, judged_train=shifted)
    mean, deviation = task.statistics
    assert mean.tolist() == pytest.approx([tiny_task.train.images.mean()], abs=1e-6)
    assert deviation.tolist() == pytest.approx([tiny_task.train.images.std()], rel=1e-5)


def test_cifar10_images_stand_upright_and_have_their_labels(monkeypatch, tmp_path: Path):
    made = {}

    class CIFAR10:
        def __init__(self, root, train, download):
            count = 10_400 if train else 100
            rng = np.random.default_rng(train)
            self.data = rng.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
            self.targets = rng.integers(0, 10, count).tolist()
            made[train] = self

    fake_torchvision(monkeypatch, CIFAR10)
    task = cifar10_task(tmp_path)
    for part, source in ((task.train, True), (task.validation, True), (task.test, False)):
        known = {
            image.transpose(2, 0, 1).tobytes(): label
            for image, label in zip(made[source].data, made[source].targets, strict=True)
        }
        for image, label in zip(part.images, part.labels, strict=True):
            assert known[image.tobytes()] == label
    other = cifar10_task(tmp_path, seed=1)
    assert not np.array_equal(other.validation.labels, task.validation.labels)
    assert np.array_equal(other.test.images, task.test.images)


def test_images_of_a_folder_have_the_label_of_their_folder(tmp_path: Path):
    """Black ants, white bees."""
    image_module = pytest.importorskip("PIL.Image")
    for name, shade in (("bee", 255), ("ant", 0)):
        (tmp_path / "bugs" / name).mkdir(parents=True)
        for i in range(7):
            picture = image_module.fromarray(np.full((8, 8), shade, np.uint8))
            picture.save(tmp_path / "bugs" / name / f"{i}.png")
    task = get_task(tmp_path / "bugs", settings_file(tmp_path))
    for part in (task.train, task.validation, task.test):
        np.testing.assert_array_equal(part.images.max(axis=(1, 2, 3)) == 255, part.labels == 1)
