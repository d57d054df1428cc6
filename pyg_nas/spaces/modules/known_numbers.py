"""Which numbers of a constant tensor are part of a network, and which are weights.

Whole numbers and truth values choose what is computed, as indices, masks and sizes do: all of them
are in the hash of a network. So is a single number of another type, such as a factor. Several
floating-point numbers count as weights, which are not in the hash; so do numbers of one byte, which
are rounded weights or their zero points. Parameters of a module are weights of any type.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import numpy as np
from numpy.typing import NDArray

_MOST_WRITTEN = 64


def are_weights(kind: str, bytes_of_number: int, size: int) -> bool:
    """Return whether the numbers of a constant count as weights.

    Args:
        kind: Of its type in NumPy: ``b``, ``i``, ``u``, ``f``.
        bytes_of_number: Bytes of a number.
        size: How many numbers it has.
    """
    if size == 1:
        return kind not in "biuf"
    return kind != "b" and (kind not in "iu" or bytes_of_number < 2)


def known_numbers(array: NDArray[Any]) -> Any:
    """Return the numbers of a constant as a number, a list or a text with their digest."""
    if are_weights(array.dtype.kind, array.dtype.itemsize, array.size):
        return unknown_numbers(array.shape)
    # Truth values select other items than the numbers 0 and 1, and have another digest.
    if array.ndim == 1 and array.size <= _MOST_WRITTEN and array.dtype.kind != "b":
        return array.tolist()
    if array.size == 1:
        return array.item()
    # Numbers of 32 and 64 bits are the same ones.
    equal = array if array.dtype.kind == "b" else array.astype("<i8", copy=False)
    digest = sha256(np.ascontiguousarray(equal).tobytes()).hexdigest()
    return f"constant {tuple(array.shape)} {digest[:16]}"


def unknown_numbers(shape: Sequence[int]) -> str:
    """Return the text of a constant whose numbers are not known."""
    return f"constant {tuple(shape)}"
