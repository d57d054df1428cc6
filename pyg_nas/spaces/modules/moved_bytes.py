"""Bytes that an operation reads and writes.

- It reads each of its inputs once, parameters included, and writes each of its results once.
- An operation in place reads its tensor once and writes it once. An assignment, also to a part of
  a tensor, reads only what is assigned and writes only the part.
- A view, whose result is the memory of an input, moves no bytes. In a module that is decided by
  memory: a transposition is a view, and ``reshape`` is one or copies. An ONNX runtime makes views
  of ``Reshape``, ``Flatten``, ``Squeeze`` and ``Unsqueeze``; it copies a ``Transpose``.
- A selection, such as the rows of an embedding, reads of its largest input no more than it writes.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

SELECTIONS = ("slice", "embedding")
"""Normalised operations that return a part of an input."""

_BYTES_OF_UNKNOWN = 4.0


def bytes_of_number(dtype: str) -> float:
    """Return the bytes of one number of a type, as ``float32``, of PyTorch or NumPy."""
    if dtype == "bool":
        return 1.0
    bits = re.search(r"\d+", dtype)
    return int(bits[0]) / 8 if bits else _BYTES_OF_UNKNOWN


def bytes_of(shape: Sequence[int], dtype: str) -> int:
    """Return the bytes of a tensor."""
    return math.ceil(math.prod(shape) * bytes_of_number(dtype))


def bytes_read(operation: str, inputs: Sequence[int], written: int) -> int:
    """Return the bytes that an operation reads.

    Args:
        operation: Its normalised name.
        inputs: Bytes of each different input.
        written: Bytes that it writes; 0 for a view.
    """
    if not written:
        return 0
    largest = max(inputs, default=0)
    if operation in SELECTIONS:
        return sum(inputs) - largest + min(largest, written)
    return sum(inputs)
