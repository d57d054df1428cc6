"""Indices of rows in the forms that NumPy and scikit-learn accept."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def without_ellipsis(index: Any) -> Any:
    """Return ``rows`` of ``X[rows, ...]``, which scikit-learn writes for samples of a matrix."""
    is_of_matrix = isinstance(index, tuple) and len(index) == 2 and index[1] is ...
    return index[0] if is_of_matrix else index


def row_numbers(index: Any, count: int) -> NDArray[np.int64]:
    """Return the numbers ``[n]`` of some of ``count`` rows.

    Args:
        index: One number, several, a slice or a mask.
        count: Number of all rows.
    """
    if isinstance(index, list) and not index:
        index = np.array([], dtype=np.int64)  # NumPy makes floats of an empty list
    return np.atleast_1d(np.arange(count)[index])
