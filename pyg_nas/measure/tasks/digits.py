"""The built-in task ``digits``: scikit-learn's digits, so hard that cells differ in accuracy."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyg_nas.measure.settings import TrainingSettings
from pyg_nas.measure.tasks.task import Part, Task
from pyg_nas.measure.training.augmentation import Augmentation

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
_DIGITS_EVALUATED = 192


def digits_task() -> Task:
    """Return scikit-learn's 8x8 digits made hard: few training images, shifts and noise.

    Clean digits do not distinguish cells: nearly every cell classifies 98 % of them. Here 384
    images are for training, with new shifts of up to one pixel and new noise at each use. 500 are
    for validation, in two versions each, and 913 for testing, with fixed shifts and noise, so that
    all cells are evaluated on the same pixels. Training accuracy is read on 192 training images
    with fixed shifts and noise.
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
    learned = slice(0, last)
    return Task(
        name="digits",
        train=Part(images[training].astype(np.float32), labels[training]),
        evaluated_train=cover(slice(0, _DIGITS_EVALUATED), 1),
        validation=cover(slice(_DIGITS_TRAINING, last), 2),
        test=cover(slice(last, None), 1),
        num_labels=10,
        settings=DIGITS_SETTINGS,
        # The validation images without the noise that each training image gets when it is seen.
        all_train=Part(images[learned].astype(np.float32), labels[learned]),
    )


def _cover(
    images: NDArray[np.float64],
    augmentation: Augmentation,
    deviation: float,
    rng: np.random.Generator,
) -> NDArray[np.float32]:
    """Return images with fixed shifts and noise."""
    total, _, height, width = images.shape
    reach = augmentation.max_shift
    padded = np.pad(images, ((0, 0), (0, 0), (reach, reach), (reach, reach)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (height, width), axis=(2, 3))
    down, right = rng.integers(0, 2 * reach + 1, (2, total))
    shifted = windows[np.arange(total), :, down, right]
    noise = rng.standard_normal(shifted.shape) * (augmentation.noise * deviation)
    return (shifted + noise).astype(np.float32)
