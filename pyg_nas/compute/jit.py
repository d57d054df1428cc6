"""Functions compiled to machine code by Numba: loops too small or too irregular for array calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numba
import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
Integers = NDArray[np.integer[Any]]

_Function = TypeVar("_Function", bound=Callable[..., Any])

# Sums may be reordered, which vector registers need; NaN and infinity keep their meaning.
_FLOATS = {"contract", "reassoc", "nsz", "arcp"}


def compiled(function: _Function) -> _Function:
    """Compile ``function`` at its first call, without Python's lock, and keep the result on disk.

    The kept result goes stale with the function's own file only: call nothing compiled in another.
    """
    options = {"nogil": True, "fastmath": _FLOATS, "error_model": "numpy"}
    try:
        result: _Function = numba.njit(cache=True, **options)(function)
    except RuntimeError:
        # Numba found no folder to write to: neither beside the package nor in the user's cache.
        result = numba.njit(**options)(function)
    return result
