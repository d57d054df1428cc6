"""Tasks: the images on which cells are trained and evaluated, and the training settings."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import MeasureError
from pyg_nas.graphs.cell_network import NetworkSize
from pyg_nas.graphs.registry import missing_network
from pyg_nas.io.limits import MOST_SETTINGS_BYTES
from pyg_nas.io.regular_files import read_regular
from pyg_nas.io.text import counted
from pyg_nas.measure.settings import TrainingSettings

if TYPE_CHECKING:
    from pyg_nas.graphs.cell_array import CellArray

# As in NAS-Bench-101.
_MOST_TRAINING_IMAGES_READ = 10_000


@dataclass(frozen=True, eq=False)
class Part:
    """Images with their labels.

    Args:
        images: uint8 or float32 ``[N, C, H, W]``.
        labels: int64 ``[N]``, or float32 ``[N]`` where a number is predicted.
    """

    images: NDArray[np.generic]
    labels: NDArray[np.integer] | NDArray[np.floating]

    def __len__(self) -> int:
        return len(self.labels)

    def __repr__(self) -> str:
        return f"Part({counted(len(self), 'image')} of {list(self.images.shape[1:])})"

    def take(self, rows: NDArray[np.int64] | slice) -> Part:
        """Return some of the images, in the order given."""
        return Part(self.images[rows], self.labels[rows])

    def joined(self, other: Part) -> Part:
        """Return these images followed by others."""
        return Part(
            np.concatenate([self.images, other.images]), np.concatenate([self.labels, other.labels])
        )

    def first(self) -> Part:
        """Return the images that training accuracy is read on: at most 10,000."""
        return self.take(slice(0, _MOST_TRAINING_IMAGES_READ))


@dataclass(frozen=True, eq=False)
class Task:
    """Images for training and for evaluation, and the training settings.

    Args:
        name: A short name, kept in journals and tables.
        train: Training images, augmented again each time they are used.
        evaluated_train: Images for the training accuracy.
        validation: Images for the validation accuracy.
        test: Images for the test accuracy.
        num_labels: Number of classes; 1 where a number is predicted.
        settings: How networks are trained.
        classes: Name of each class; by default its number.
        all_train: Images for the final training, after the architecture is chosen; by default the
            training and validation images.

    Raises:
        MeasureError: If a part is empty, images disagree in size, a label is not below
            ``num_labels``, a batch is larger than the training part, or an image too small for
            the network.
    """

    name: str
    train: Part
    evaluated_train: Part
    validation: Part
    test: Part
    num_labels: int
    settings: TrainingSettings
    classes: tuple[str, ...] = ()
    all_train: Part | None = None

    def __post_init__(self) -> None:
        if not self.classes:
            object.__setattr__(self, "classes", tuple(map(str, range(self.num_labels))))
        if len(self.classes) != self.num_labels:
            raise MeasureError(
                f"task {self.name!r}: needs a name for each of {self.num_labels} classes, "
                f"got {len(self.classes)}"
            )
        shape = self.train.images.shape[1:]
        for name, part in self.parts.items():
            if len(part) == 0:
                raise MeasureError(f"task {self.name!r}: the {name} part has no image")
            if part.images.ndim != 4 or part.images.shape[1:] != shape:
                raise MeasureError(
                    f"task {self.name!r}: images must all be [C, H, W] = {list(shape)}, "
                    f"those of the {name} part are {list(part.images.shape[1:])}"
                )
            if not self.is_regression and (
                part.labels.min() < 0 or part.labels.max() >= self.num_labels
            ):
                raise MeasureError(
                    f"task {self.name!r}: labels must be 0 to {self.num_labels - 1}, the {name} "
                    f"part has {part.labels.min()} to {part.labels.max()}"
                )
        if self.settings.batch_size > len(self.train):
            raise MeasureError(
                f"task {self.name!r}: a batch of {self.settings.batch_size} is larger than the "
                f"training part of {counted(len(self.train), 'image')}"
            )
        smallest = self.settings.stem_stride * 2 ** (self.settings.num_stacks - 1)
        if min(shape[1:]) < smallest:
            raise MeasureError(
                f"task {self.name!r}: {self.settings.num_stacks} stacks halve the image "
                f"{self.settings.num_stacks - 1} times after a stem of stride "
                f"{self.settings.stem_stride} and need at least {smallest} pixels per side, "
                f"got {shape[1]} x {shape[2]}"
            )

    @property
    def is_regression(self) -> bool:
        """Whether a number is predicted for each image, in place of a class."""
        return self.train.labels.dtype.kind == "f"

    @cached_property
    def label_scale(self) -> tuple[float, float]:
        """Mean and standard deviation of the training labels of a regression."""
        labels = self.train.labels.astype(np.float64)
        return float(labels.mean()), float(labels.std()) or 1.0

    @property
    def parts(self) -> dict[str, Part]:
        """All four parts by name."""
        return {
            "train": self.train,
            "evaluated training": self.evaluated_train,
            "validation": self.validation,
            "test": self.test,
        }

    @cached_property
    def statistics(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Mean and standard deviation of each channel of the training images, ``[C]`` each."""
        if self.train.images.dtype == np.uint8:
            mean, deviation = _pixel_statistics(self.train.images)
            deviation[deviation == 0] = 1.0
            return mean.astype(np.float32), deviation.astype(np.float32)
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
        metric_file = self.settings.metric.rpartition(":")[0]
        if metric_file.endswith(".py"):
            digest.update(read_regular(metric_file, MOST_SETTINGS_BYTES))
        return digest.hexdigest()

    @property
    def network_size(self) -> NetworkSize:
        """Size of the networks that are trained on this task."""
        _, channels, height, width = self.train.images.shape
        settings = self.settings
        return NetworkSize(
            settings.stem_channels,
            settings.num_stacks,
            settings.modules_per_stack,
            self.num_labels,
            channels,
            (height, width),
            settings.stem_stride,
        )

    def check_cells(self, cells: CellArray) -> None:
        """Check that the cells have networks and that those of this task are wide enough.

        Raises:
            MeasureError: If not; it names a cell and the channels that it needs.
        """
        network = cells.space.support.network
        if network is None:
            raise MeasureError(missing_network(cells.space))
        needed = network.least_stem_channels(cells)
        if len(cells) and needed.max() > self.settings.stem_channels:
            row = int(needed.argmax())
            raise MeasureError(
                f"task {self.name!r}: stem_channels must be at least {needed[row]}, one for each "
                f"vertex that the output of cell {cells[row].hash} concatenates, got "
                f"{self.settings.stem_channels}"
            )

    def with_settings(self, settings: TrainingSettings) -> Task:
        """Return the same images, trained in another way."""
        return replace(self, settings=settings)

    def for_final_training(self) -> Task:
        """Return the task of the final training, on all images except those for testing.

        Its validation images are therefore among the training images.
        """
        return replace(self, train=self.all_train or self.train.joined(self.validation))


def _pixel_statistics(images: NDArray[Any]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and standard deviation of each channel of 8-bit images, from counts of the values.

    A copy of many large images as numbers of 8 bytes would need more memory than training.
    """
    counts = np.zeros((images.shape[1], 256))
    for image in images:
        for channel, pixels in enumerate(image):
            counts[channel] += np.bincount(pixels.ravel(), minlength=256)
    values = np.arange(256.0)
    total = counts.sum(axis=1)
    mean = counts @ values / total
    variance = (counts * (values - mean[:, None]) ** 2).sum(axis=1) / total
    return mean, np.sqrt(variance)
