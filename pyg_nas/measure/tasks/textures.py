"""The built-in task ``textures`` of generated images, which needs no data."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyg_nas.measure.settings import TrainingSettings
from pyg_nas.measure.tasks.task import Part, Task
from pyg_nas.measure.training.augmentation import Augmentation

TEXTURES_SETTINGS = TrainingSettings(
    stem_channels=8,
    num_stacks=1,
    modules_per_stack=2,
    batch_size=32,
    optimizer="sgd",
    learning_rate=0.1,
    warmup=0.2,
    momentum=0.9,
    weight_decay=1e-3,
    batch_norm_momentum=0.8,
    augmentation=Augmentation(noise=0.4),
)
_CLASSES, _HIDDEN, _SIZE = 10, 4, 8
_TRAINING, _VALIDATION, _TEST = 640, 400, 400
_EVALUATED = 128
_LIGHT = 0.5  # standard deviation of a colour that is added to a whole image
_DECIMALS = 4


def textures_task() -> Task:
    """Return ten classes of 8x8 colour textures, generated from a fixed seed.

    Each class has a different random filter: two layers of 3x3 convolutions with a ReLU between
    them, applied to white noise. No two images of a class share a pixel, so that only the relations
    between neighbouring pixels and colours distinguish the classes; the mean colour of an image is
    random. 640 images are for training, with new noise at each use, 400 for validation and 400 for
    testing.
    """
    rng = np.random.default_rng(0)
    first = rng.standard_normal((_CLASSES, _HIDDEN, 3, 3, 3))
    second = rng.standard_normal((_CLASSES, 3, _HIDDEN, 3, 3))
    total = _TRAINING + _VALIDATION + _TEST
    labels = rng.permutation(np.arange(total, dtype=np.int64) % _CLASSES)
    white = rng.standard_normal((total, 3, _SIZE + 4, _SIZE + 4))
    images = np.empty((total, 3, _SIZE, _SIZE))
    for label in range(_CLASSES):
        rows = labels == label
        hidden = np.maximum(_filtered(white[rows], first[label]), 0)
        images[rows] = _filtered(hidden, second[label])
    images -= images.mean(axis=(2, 3), keepdims=True)
    images /= images.std(axis=(1, 2, 3), keepdims=True)
    images += _LIGHT * rng.standard_normal((total, 3, 1, 1))
    images += TEXTURES_SETTINGS.augmentation.noise * rng.standard_normal(images.shape)
    # The order of sums differs between machines; rounding makes the fingerprint the same.
    images = images.round(_DECIMALS)
    every = Part(images.astype(np.float32), labels)
    known = _TRAINING + _VALIDATION
    return Task(
        name="textures",
        train=every.take(slice(0, _TRAINING)),
        evaluated_train=every.take(slice(0, _EVALUATED)),
        validation=every.take(slice(_TRAINING, known)),
        test=every.take(slice(known, total)),
        num_labels=_CLASSES,
        settings=TEXTURES_SETTINGS,
    )


def _filtered(images: NDArray[np.float64], kernels: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return images ``[N, C, H, W]`` convolved with ``[K, C, 3, 3]``, without the margin."""
    windows = np.lib.stride_tricks.sliding_window_view(images, (3, 3), axis=(2, 3))
    return np.asarray(np.einsum("nchwij,kcij->nkhw", windows, kernels, optimize=True))
