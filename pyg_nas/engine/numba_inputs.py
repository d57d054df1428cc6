"""Compiled weighted inputs of a Gaussian process: one pass over the features of many cells."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pyg_nas.compute.jit import Floats, compiled

_Doubles = NDArray[np.float64]


@compiled
def weighted_inputs(
    features: Floats,
    columns: NDArray[np.int64],
    centre: _Doubles,
    scale: _Doubles,
    weights: _Doubles,
    most: float,
) -> _Doubles:
    """Return columns of features, standardised, clipped and weighted, ``[N, d]``.

    Args:
        features: ``[N, D]``.
        columns: Those in use, ``[d]``.
        centre: What is subtracted from each of them, ``[d]``.
        scale: What each is then divided by, ``[d]``.
        weights: What each is at last multiplied by, ``[d]``.
        most: Largest absolute value of a standardised feature.
    """
    inputs = np.empty((len(features), len(columns)))
    for i in range(len(features)):
        for k in range(len(columns)):
            standard = (np.float64(features[i, columns[k]]) - centre[k]) / scale[k]
            inputs[i, k] = min(max(standard, -most), most) * weights[k]
    return inputs
