"""The images of an epoch: each once, normalised, in another order each time."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from itertools import islice

import numpy as np
import pytest
import torch

from pyg_nas.measure.training.augmentation import Augmentation
from pyg_nas.measure.training.batches import steps_per_epoch, training_batches

from ..conftest import TINY_SETTINGS, make_tiny_task


@pytest.mark.parametrize(("whole", "steps"), [(False, 2), (True, 3)])
@pytest.mark.parametrize("large", [False, True])
def test_an_epoch_has_every_image_once(
    whole: bool, steps: int, large: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """24 images by batches of 10: the last batch is dropped, or filled with others."""
    if large:
        monkeypatch.setattr("pyg_nas.measure.training.batches._LARGE_PIXELS", 15)  # these have 16
    settings = replace(
        TINY_SETTINGS, batch_size=10, whole_epochs=whole, augmentation=Augmentation()
    )
    task = make_tiny_task(settings)
    assert steps_per_epoch(task) == steps
    mean, deviation = (value[:, None, None] for value in task.statistics)
    expected = (task.train.images - mean) / deviation
    generators = [torch.Generator().manual_seed(seed) for seed in (0, 1)]
    batches = training_batches(task, generators)
    orders = []
    for _ in range(2):
        images, labels = (
            torch.cat(parts, dim=1).numpy() for parts in zip(*islice(batches, steps), strict=True)
        )
        assert images.shape == (2, 10 * steps, 1, 4, 4)
        for member in range(2):
            difference = np.abs(images[member][:, None] - expected[None]).max(axis=(2, 3, 4))
            rows = difference.argmin(axis=1)
            np.testing.assert_allclose(difference.min(axis=1), 0, atol=1e-5)
            np.testing.assert_array_equal(labels[member], task.train.labels[rows])
            assert len(set(rows.tolist())) == min(24, 10 * steps)
            orders.append(rows.tolist())
    assert len(set(map(tuple, orders))) == 4


READ_ONLY = """
import warnings
import numpy as np
from pyg_nas.measure.training.batches import read_tensor

warnings.simplefilter("error")  # torch warns once in each process
array = np.arange(3.0)
array.flags.writeable = False
assert read_tensor(array).tolist() == [0.0, 1.0, 2.0]
"""


def test_shared_memory_of_workers_is_read_without_a_warning() -> None:
    done = subprocess.run([sys.executable, "-c", READ_ONLY], capture_output=True, text=True)
    assert done.stderr == ""
    assert done.returncode == 0
