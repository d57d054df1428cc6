"""A task so small that a run takes a few hundredths of a second."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.graphs.cell import Cell
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


@pytest.fixture(scope="session")
def tiny_task() -> Task:
    return make_tiny_task()


def chain(*operations: str) -> Cell:
    """A cell whose vertices follow one another."""
    total = len(operations) + 2
    return Cell(np.eye(total, k=1, dtype=np.int8), ["input", *operations, "output"])
