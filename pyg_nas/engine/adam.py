"""Adam's constants, and one cycle of its learning rate and momentum."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ADAM_BETAS, ADAM_EPSILON = (0.9, 0.999), 1e-8
"""Adam's constants (Kingma and Ba, 2015, algorithm 1), which the paper uses."""
# The defaults of torch's OneCycleLR, which are fastai's.
_START, _END = 1 / 25, 1e-4
_MOST_MOMENTUM, _LEAST_MOMENTUM = 0.95, 0.85


def one_cycle(
    steps: int, highest: float, rising: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the learning rate and Adam's first beta of each step, ``[steps]`` (Smith, 2018).

    They are equal to those of torch's ``OneCycleLR``, which needs an optimizer of torch.

    Args:
        steps: Number of steps of the training.
        highest: The highest learning rate.
        rising: Share of the steps in which the learning rate rises.
    """
    step = np.arange(steps)
    top, last = rising * steps - 1, steps - 1
    first, lowest = highest * _START, highest * _START * _END
    rises = step <= top
    # The part of the way, and the values at its ends.
    part = np.where(rises, step / max(top, 1), (step - top) / (last - top))
    weight = (1 + np.cos(np.pi * part)) / 2
    begin, end = np.where(rises, first, highest), np.where(rises, highest, lowest)
    rates = end + (begin - end) * weight
    begin = np.where(rises, _MOST_MOMENTUM, _LEAST_MOMENTUM)
    end = _MOST_MOMENTUM + _LEAST_MOMENTUM - begin
    return rates, end + (begin - end) * weight
