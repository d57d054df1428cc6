"""Image classification tasks: what a cell is trained and judged on."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import MeasureError
from pyg_nas.measure.augmentation import Augmentation
from pyg_nas.measure.settings import TrainingSettings

# Training accuracy is read on at most that many training images, as in NAS-Bench-101.
MOST_TRAINING_IMAGES_JUDGED = 10_000


@dataclass(frozen=True, eq=False)
class Part:
    """Images with their labels.

    Args:
        images: uint8 or float32 ``[N, C, H, W]``.
        labels: int64 ``[N]``.
    """

    images: NDArray[np.generic]
    labels: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, rows: NDArray[np.int64] | slice) -> Part:
        """Return some of the images, in the order given."""
        return Part(self.images[rows], self.labels[rows])


@dataclass(frozen=True, eq=False)
class Task:
    """Images to train on, images to judge on, and how to train.

    Args:
        name: A short name, kept in journals and tables.
        train: What the networks learn from, augmented anew each time.
        judged_train: What the training accuracy is read on.
        validation: What the validation accuracy is read on.
        test: What the test accuracy is read on.
        num_labels: Number of classes.
        settings: How networks are trained.

    Raises:
        MeasureError: If a part is empty, images disagree in size, a label is not below
            ``num_labels``, a batch is larger than the training part, or an image too small for
            the network.
    """

    name: str
    train: Part
    judged_train: Part
    validation: Part
    test: Part
    num_labels: int
    settings: TrainingSettings

    def __post_init__(self) -> None:
        shape = self.train.images.shape[1:]
        for name, part in self.parts.items():
            if len(part) == 0:
                raise MeasureError(f"task {self.name!r}: the {name} part has no image")
            if part.images.ndim != 4 or part.images.shape[1:] != shape:
                raise MeasureError(
                    f"task {self.name!r}: images must all be [C, H, W] = {list(shape)}, "
                    f"those of the {name} part are {list(part.images.shape[1:])}"
                )
            if part.labels.min() < 0 or part.labels.max() >= self.num_labels:
                raise MeasureError(
                    f"task {self.name!r}: labels must be 0 to {self.num_labels - 1}, the {name} "
                    f"part has {part.labels.min()} to {part.labels.max()}"
                )
        if self.settings.batch_size > len(self.train):
            raise MeasureError(
                f"task {self.name!r}: a batch of {self.settings.batch_size} is larger than the "
                f"training part of {len(self.train)} images"
            )
        smallest = 2 ** (self.settings.num_stacks - 1)
        if min(shape[1:]) < smallest:
            raise MeasureError(
                f"task {self.name!r}: {self.settings.num_stacks} stacks halve the image "
                f"{self.settings.num_stacks - 1} times and need at least {smallest} pixels a side, "
                f"got {shape[1]} x {shape[2]}"
            )

    @property
    def parts(self) -> dict[str, Part]:
        """All four parts by name."""
        return {
            "train": self.train,
            "judged training": self.judged_train,
            "validation": self.validation,
            "test": self.test,
        }

    @cached_property
    def statistics(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and standard deviation of each channel of the training images, ``[C]`` each."""
        images = self.train.images.astype(np.float32)
        deviation = images.std(axis=(0, 2, 3), dtype=np.float64)
        deviation[deviation == 0] = 1.0  # a channel that is constant stays constant
        mean = images.mean(axis=(0, 2, 3), dtype=np.float64)
        return mean.astype(np.float32), deviation.astype(np.float32)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256 over everything that changes a measured accuracy: images, labels, settings."""
        digest = hashlib.sha256(
            json.dumps([self.name, self.num_labels, self.settings.to_dict()]).encode()
        )
        for part in self.parts.values():
            for array in (part.images, part.labels):
                digest.update(f"{array.dtype}{array.shape}".encode())
                digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()

    def with_settings(self, settings: TrainingSettings) -> Task:
        """Return the same images, trained in another way."""
        return replace(self, settings=settings)


DIGITS_SETTINGS = TrainingSettings(
    stem_channels=16,
    num_stacks=2,
    modules_per_stack=1,
    batch_size=32,
    optimizer="sgd",
    learning_rate=0.07,
    warmup=0.2,
    momentum=0.9,
    weight_decay=1e-3,
    batch_norm_momentum=0.8,
    augmentation=Augmentation(max_shift=1, noise=0.6),
)
_DIGITS_TRAINING = 384
_DIGITS_VALIDATION = 500
_DIGITS_JUDGED = 192


def digits_task() -> Task:
    """Return scikit-learn's 8x8 digits made hard: few training images, shifts and noise.

    Clean digits cannot tell cells apart: nearly every cell reads 98 % of them. Here 384 images
    are for training, shifted by up to one pixel and covered with noise anew each time they are
    seen. 500 are for validation and 913 for testing; those are shifted and covered once and for
    all, each validation image in two ways, so that all cells are judged on the same pixels.
    Training accuracy is read on 192 training images, covered in the same way.
    """
    from sklearn.datasets import load_digits

    # NumPy's generators give the same bits on every machine, and so the task's fingerprint is the
    # same everywhere.
    rng = np.random.default_rng(0)
    images, labels = load_digits(return_X_y=True)
    order = rng.permutation(len(labels))
    images = (images[order] / 16).reshape(-1, 1, 8, 8)
    labels = labels[order].astype(np.int64)
    last = _DIGITS_TRAINING + _DIGITS_VALIDATION
    deviation = round(float(images[:_DIGITS_TRAINING].std()), 6)

    def cover(rows: slice, times: int) -> Part:
        repeated = np.tile(images[rows], (times, 1, 1, 1))
        covered = _cover(repeated, DIGITS_SETTINGS.augmentation, deviation, rng)
        return Part(covered, np.tile(labels[rows], times))

    training = slice(0, _DIGITS_TRAINING)
    return Task(
        name="digits",
        train=Part(images[training].astype(np.float32), labels[training]),
        judged_train=cover(slice(0, _DIGITS_JUDGED), 1),
        validation=cover(slice(_DIGITS_TRAINING, last), 2),
        test=cover(slice(last, None), 1),
        num_labels=10,
        settings=DIGITS_SETTINGS,
    )


def _cover(
    images: NDArray[np.float64],
    augmentation: Augmentation,
    deviation: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Shifts images and adds noise, once and for all."""
    total, _, height, width = images.shape
    reach = augmentation.max_shift
    padded = np.pad(images, ((0, 0), (0, 0), (reach, reach), (reach, reach)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(2, 3))
    down, right = rng.integers(0, 2 * reach + 1, (2, total))
    shifted = windows[np.arange(total), :, down, right]
    noise = rng.standard_normal(shifted.shape) * (augmentation.noise * deviation)
    return (shifted + noise).astype(np.float32)
