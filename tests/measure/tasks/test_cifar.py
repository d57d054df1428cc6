"""CIFAR-10 in the parts of NAS-Bench-101."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.errors import DownloadError, MeasureError
from pyg_nas.measure import TrainingSettings
from pyg_nas.measure.tasks.cifar import cifar10_task
from pyg_nas.measure.training.augmentation import Augmentation
from tests.measure.images import rows


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
    with pytest.raises(MeasureError, match=r"\.\[vision\]"):
        cifar10_task(tmp_path)


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
