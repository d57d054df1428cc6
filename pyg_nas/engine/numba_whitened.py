"""Compiled means of cells of which a Gaussian process knows most covariances.

They are those of :func:`pyg_nas.predictors.gaussian_process.whitened.predict_whitened`. A cell's
numbers are read from memory once and converted to double precision in the core's own cache.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pyg_nas.compute.jit import Floats, compiled

_Doubles = NDArray[np.float64]


@compiled
def whitened_means(
    inputs: Floats,
    squares: _Doubles,
    rows: Floats,
    covariances: Floats,
    targets: _Doubles,
    dual: _Doubles,
    new: _Doubles,
    new_rows: _Doubles,
    known: int,
    variance: float,
    linear: float,
) -> _Doubles:
    """Return the means of ``N`` cells, and write the covariances of the new cells.

    Args:
        inputs: Weighted inputs, ``[N, d]``.
        squares: Their squared lengths, ``[N]``.
        rows: Whitened covariances with the ``n`` cells of the fit, ``[N, n]``.
        covariances: Those with added cells, given the others, ``[most, N]``.
        targets: Whitened targets of the cells of the fit, ``[n]``.
        dual: What the covariances with the added cells are multiplied by, ``[k]``.
        new: Weighted inputs of the added cells whose covariances are not known, ``[k - known, d]``.
        new_rows: Their whitened covariances with the cells of the fit, ``[k - known, n]``.
        known: How many of ``covariances`` are known.
        variance: Variance of the Matérn part of the kernel.
        linear: Variance of its linear part.
    """
    zero = np.float64(0)
    count, width = rows.shape[1], inputs.shape[1]
    lengths = np.zeros(len(new))
    for r in range(len(new)):
        for k in range(width):
            lengths[r] += new[r, k] * new[r, k]
    own, row = np.empty(width), np.empty(count)
    means = np.empty(len(inputs))
    for i in range(len(inputs)):
        for k in range(count):
            row[k] = rows[i, k]
        mean = zero
        for k in range(count):
            mean += targets[k] * row[k]
        means[i] = mean
        if len(new):
            for k in range(width):
                own[k] = inputs[i, k]
        for r in range(len(new)):
            product, explained = zero, zero
            for k in range(width):
                product += new[r, k] * own[k]
            for k in range(count):
                explained += new_rows[r, k] * row[k]
            between = max(lengths[r] + squares[i] - 2 * product, zero)
            distance = math.sqrt(5 * between + 1e-10)
            matern = (1 + distance + distance * distance / 3) * math.exp(-distance)
            covariances[known + r, i] = variance * matern + linear * product - explained
    for r in range(len(dual)):
        for i in range(len(inputs)):
            means[i] += dual[r] * covariances[r, i]
    return means
