"""A task so small that a run takes a few hundredths of a second."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.graphs.cell import Cell
from pyg_nas.measure.campaigns.journal import Journal
from pyg_nas.measure.settings import TrainingSettings
from pyg_nas.measure.tasks.task import Part, Task
from pyg_nas.measure.training.augmentation import Augmentation

TINY_SETTINGS = TrainingSettings(
    stem_channels=4,
    num_stacks=2,
    modules_per_stack=1,
    batch_size=8,
    optimizer="sgd",
    learning_rate=0.05,
    batch_norm_momentum=0.8,
    augmentation=Augmentation(max_shift=1, noise=0.3),
)


def make_tiny_task(settings: TrainingSettings = TINY_SETTINGS, name: str = "tiny") -> Task:
    """Three classes of 4x4 images: a bright row at a height that tells the class."""
    rng = np.random.default_rng(0)

    def part(count: int) -> Part:
        labels = rng.integers(0, 3, count)
        images = rng.normal(0, 0.5, (count, 1, 4, 4)).astype(np.float32)
        images[np.arange(count), 0, labels] += 1.5
        return Part(images, labels)

    train = part(24)
    return Task(name, train, train.first(), part(40), part(40), 3, settings)


def save_tiny_images(folder: Path) -> Path:
    """Write all images of the tiny task as an archive of which a task is made."""
    tiny = make_tiny_task()
    parts = tiny.train, tiny.validation, tiny.test
    images = np.concatenate([part.images for part in parts])
    labels = np.concatenate([part.labels for part in parts])
    np.savez(folder / "tiny.npz", images=images.transpose(0, 2, 3, 1), labels=labels)
    return folder / "tiny.npz"


@pytest.fixture(scope="session")
def tiny_task() -> Task:
    return make_tiny_task()


@pytest.fixture
def opened(tmp_path: Path, tiny_task: Task) -> Iterator[Journal]:
    with Journal(tmp_path / "j.sqlite", tiny_task) as journal:
        yield journal


def chain(*operations: str) -> Cell:
    """A cell whose vertices follow one another."""
    total = len(operations) + 2
    return Cell(np.eye(total, k=1, dtype=np.int8), ["input", *operations, "output"])
