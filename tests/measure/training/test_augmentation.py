"""Shifts, flips and noise."""

from __future__ import annotations

import pytest
import torch

from pyg_nas.measure.training.augmentation import Augmentation


def test_shifts_move_whole_images_and_fill_with_zero():
    images = torch.arange(1.0, 10.0).view(1, 1, 3, 3).repeat(200, 1, 1, 1)
    moved = Augmentation(max_shift=1)(images, torch.ones(1), torch.Generator().manual_seed(0))
    padded = torch.nn.functional.pad(images[0, 0], (1, 1, 1, 1))
    possible = [padded[y : y + 3, x : x + 3] for y in range(3) for x in range(3)]
    seen = {next(i for i, p in enumerate(possible) if torch.equal(p, m[0])) for m in moved}
    assert seen == set(range(9))


def test_flips_mirror_about_half_of_the_images():
    images = torch.tensor([[1.0, 2.0]]).view(1, 1, 1, 2).repeat(1000, 1, 1, 1)
    flipped = Augmentation(flip=True)(images, torch.ones(1), torch.Generator().manual_seed(0))
    mirrored = (flipped[:, 0, 0, 0] == 2).sum().item()
    assert 400 < mirrored < 600
    assert (flipped.sum(3) == 3).all()


def test_noise_is_in_deviations_of_the_training_images():
    images = torch.zeros(500, 2, 4, 4)
    noisy = Augmentation(noise=0.5)(
        images, torch.tensor([2.0, 6.0]).view(2, 1, 1), torch.Generator().manual_seed(0)
    )
    assert noisy.std((0, 2, 3)).tolist() == pytest.approx([1.0, 3.0], rel=0.05)
