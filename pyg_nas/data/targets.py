"""Named numbers of architectures beside their accuracies, such as latencies."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyg_nas.errors import TableError


def checked_targets(
    targets: Mapping[str, ArrayLike] | None,
    count: int,
    taken: Collection[str],
    joined: str,
) -> dict[str, NDArray[np.float64]]:
    """Return targets of ``count`` architectures as float64 ``[count]``, NaN for not measured.

    Args:
        targets: Numbers by name; None for none.
        taken: Names that mean something else.
        joined: These names in the words of an error.

    Raises:
        TableError: If a name is empty, has a slash or is taken, or numbers have another shape or
            are infinite.
    """
    checked = {}
    for name, values in (targets or {}).items():
        if not name or "/" in name or name in taken:
            raise TableError(
                f"target {name!r} must have a name without a slash, other than {joined}"
            )
        numbers = np.asarray(values, dtype=np.float64)
        infinite = np.isinf(numbers)
        if numbers.shape != (count,) or infinite.any():
            shape = list(numbers.shape)
            got = f"shape {shape}" if numbers.shape != (count,) else numbers[infinite][0]
            raise TableError(
                f"target {name!r} must be [{count}] numbers, finite or NaN for not measured, got "
                f"{got}"
            )
        checked[name] = numbers
    return checked
