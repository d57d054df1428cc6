"""Take noise out of numbers of all cells of a space with operations on edges.

The numbers of cells that differ in one edge are similar. Each column of numbers becomes the
posterior mean of a Gaussian process over the operations of the edges. Its two settings are those
with the smallest leave-one-out error on a sample of the cells; no label of any task is used.
"""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve

from pyg_nas.graphs.registry import find_space

Array = NDArray[np.float64]
Setting = tuple[float, float]

# Of the variance that an edge shares with all other operations, and of noise.
_SHARES, _NOISES = (0.8, 1.6, 3.2, 6.4, 12.8), (1e-3, 3e-3, 0.01, 0.03, 0.1, 0.3, 1.0)
_SAMPLE = 1_500
_SMALLEST_STD = 1e-9


def smoothed(space: str, measured: Array) -> tuple[Array, list[Setting]]:
    """Return smoothed numbers of all cells of a space, and the settings of each column.

    Args:
        space: Name of the space.
        measured: ``[N, columns]``, in the order of the space's cells.
    """
    support = find_space(space).support
    operations = support.operations(support.cells())
    mean, std = measured.mean(axis=0), np.maximum(measured.std(axis=0), _SMALLEST_STD)
    scaled = (measured - mean) / std
    chosen = _choose(operations, scaled)
    found = np.empty_like(scaled)
    for setting in set(chosen):
        share, noise = setting
        columns = [column for column, one in enumerate(chosen) if one == setting]
        kernel = _kernel(operations, share)
        factor = cho_factor(kernel + noise * np.eye(len(kernel)), overwrite_a=True)
        found[:, columns] = kernel @ cho_solve(factor, scaled[:, columns])
    return found * std + mean, chosen


def _choose(operations: NDArray[np.int64], scaled: Array) -> list[Setting]:
    """Return the settings with the smallest mean squared leave-one-out error of each column."""
    sample = np.random.default_rng(0).permutation(len(scaled))[:_SAMPLE]
    errors = []
    for share in _SHARES:
        kernel = _kernel(operations[sample], share)
        for noise in _NOISES:
            inverse = np.linalg.inv(kernel + noise * np.eye(len(kernel)))
            left_out = inverse @ scaled[sample] / np.diag(inverse)[:, None]
            errors.append(np.square(left_out).mean(axis=0))
    settings = list(itertools.product(_SHARES, _NOISES))
    return [settings[number] for number in np.argmin(errors, axis=0)]


def _kernel(operations: NDArray[np.int64], share: float) -> Array:
    """Return the covariances ``[n, n]`` of cells with operations ``[n, edges]``.

    They are products over the edges: 1 where the operations are equal, else the part of ``share``
    in ``share + 1``.
    """
    kernel = np.ones((len(operations), len(operations)))
    for edge in operations.T:
        kernel *= (share + (edge[:, None] == edge)) / (share + 1)
    return kernel
