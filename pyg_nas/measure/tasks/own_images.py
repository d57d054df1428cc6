"""Training settings for the user's own images, some of which are chosen from the images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pyg_nas.measure.settings import TrainingSettings
from pyg_nas.measure.tasks.image_files import image_size as size_of
from pyg_nas.measure.tasks.image_folder import FolderScan

# Small enough for a CPU; larger settings can be given for a GPU.
OWN_IMAGES_SETTINGS = TrainingSettings(
    stem_channels=16,
    modules_per_stack=1,
    batch_size=32,
    optimizer="sgd",
    learning_rate=0.05,
    warmup=0.1,
    batch_norm_momentum=0.9,
)

CHOSEN = (
    "stem_stride", "balanced", "huber_loss", "whole_epochs", "held_out", "image_fit", "batch_size",
)  # fmt: skip
"""Settings that are chosen from the images."""

_UNEQUAL = 1.5
"""Ratio of the largest to the smallest class above which classes are unequal."""

_LARGEST_CELL_INPUT = 64
# From this stride of the stem on, activations need most of the memory.
_FEW_FROM_STRIDE, _FEW_AT_ONCE = 4, 8
_MOST_HELD_OUT = 2_500  # the standard error of an accuracy is then 1 point at most


def chosen_settings(
    scan: FolderScan | None, image_size: int | None, stored: Mapping[str, Any] | None = None
) -> TrainingSettings:
    """Return the settings for the user's own images.

    Args:
        scan: The folder; None for an archive, whose settings are always the same.
        image_size: Pixels per side to which images are resized; None where they are not resized.
        stored: Settings of an earlier task of these images: every setting that is chosen from the
            images keeps the value that it has there.

    Returns:
        Settings with which every training image is used in every epoch; classes count equally if
        one has more than 1.5 times the images of another; numbers are learned by Huber's loss; at
        most 2,500 images are for validation and as many for testing; images are padded to keep
        their aspect ratio; and the first cell gets at most 64 pixels per side. Batches have 32
        images, or 8 with more than 128 pixels per side.
    """
    if stored is not None:
        known = TrainingSettings.all_values(dict(stored))
        return OWN_IMAGES_SETTINGS.changed({name: known[name] for name in CHOSEN})
    if scan is None:
        return OWN_IMAGES_SETTINGS
    held_out = min(OWN_IMAGES_SETTINGS.held_out, _MOST_HELD_OUT / len(scan.files))
    changes: dict[str, Any] = {
        "whole_epochs": True, "image_fit": "pad", "held_out": round(held_out, 4) or 0.0001,
    }  # fmt: skip
    if scan.classes:
        counts = scan.counts
        changes["balanced"] = bool(counts.max() > _UNEQUAL * counts.min())
    else:
        changes["huber_loss"] = True
    side = image_size or max(size_of(scan.files[0]))  # images that are not resized are all alike
    stride = 1
    while side / stride > _LARGEST_CELL_INPUT:
        stride *= 2
    changes["stem_stride"] = stride
    if stride >= _FEW_FROM_STRIDE:
        changes["batch_size"] = _FEW_AT_ONCE
    for_training = (1 - 2 * held_out) * len(scan.files)
    if scan.parts is not None:
        for_training = (1 - 2 * held_out) * int(np.count_nonzero(scan.parts == 0))
    if for_training < changes.get("batch_size", OWN_IMAGES_SETTINGS.batch_size):
        changes["batch_size"] = max(1, int(for_training) // 2)
    return OWN_IMAGES_SETTINGS.changed(changes)
