"""CIFAR-10 as NAS-Bench-101 used it: 40,000 images for training, 10,000 for each evaluation."""

from __future__ import annotations

import os

import numpy as np

from pyg_nas.errors import DownloadError, MeasureError, needs_extra
from pyg_nas.measure.settings import TrainingSettings
from pyg_nas.measure.tasks.task import Part, Task
from pyg_nas.measure.training.augmentation import Augmentation

CIFAR10_SETTINGS = TrainingSettings(augmentation=Augmentation(max_shift=4, flip=True))
CIFAR10_CLASSES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
_VALIDATION = 10_000


def cifar10_task(root: str | os.PathLike[str], seed: int = 0) -> Task:
    """Read CIFAR-10 through torchvision, which downloads it where it is missing.

    The settings are those of NAS-Bench-101 (arXiv:1902.09635, released code).

    Args:
        root: Folder of the data.
        seed: Seed of the split of the 50,000 training images.

    Raises:
        MeasureError: If torchvision is missing.
        DownloadError: If the data are missing and cannot be downloaded.
    """
    try:
        from torchvision.datasets import CIFAR10
    except ImportError as error:
        raise MeasureError(needs_extra("the task 'cifar10' needs torchvision", "vision")) from error
    try:
        learned, tested = (
            CIFAR10(str(root), train=train, download=True) for train in (True, False)
        )
    except (OSError, RuntimeError) as error:
        # URLError is an OSError; a wrong checksum is torchvision's RuntimeError.
        raise DownloadError(
            f"CIFAR-10 could not be read or downloaded to {root}: {error}"
        ) from error
    training, test = (
        Part(
            np.ascontiguousarray(np.asarray(part.data).transpose(0, 3, 1, 2)),
            np.asarray(part.targets, dtype=np.int64),
        )
        for part in (learned, tested)
    )
    if len(training) <= _VALIDATION:
        raise MeasureError(
            f"CIFAR-10 in {root} has {len(training)} training images, more than {_VALIDATION} "
            f"are needed"
        )
    order = np.random.default_rng(seed).permutation(len(training))
    train = training.take(order[_VALIDATION:])
    return Task(
        name="cifar10",
        train=train,
        evaluated_train=train.first(),
        validation=training.take(order[:_VALIDATION]),
        test=test,
        num_labels=10,
        settings=CIFAR10_SETTINGS,
        classes=CIFAR10_CLASSES,
    )
