"""Named numbers of architectures beside their accuracies, such as latencies."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyg_nas.errors import TableError, listed
from pyg_nas.io.limits import LARGEST_LABEL


def checked_targets(
    targets: Mapping[str, ArrayLike] | None,
    count: int,
    taken: Collection[str],
) -> dict[str, NDArray[np.float64]]:
    """Return targets of ``count`` architectures as float64 ``[count]``, NaN for not measured.

    Args:
        targets: Numbers by name; None for none.
        taken: Names that have another meaning.

    Raises:
        TableError: If a name is invalid in HDF5 or is taken, or values are no numbers, have another
            shape or are beyond :data:`LARGEST_LABEL`.
    """
    checked = {}
    for name, values in (targets or {}).items():
        if name in ("", ".", "..") or "/" in name or "\0" in name or name in taken:
            raise TableError(
                f"target {name!r} must have a name without a slash, other than '.' and "
                f"{listed(taken)}"
            )
        try:
            numbers = np.asarray(values, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise TableError(f"target {name!r} must be numbers: {error}") from None
        large = np.abs(numbers) > LARGEST_LABEL
        if numbers.shape != (count,) or large.any():
            shape = list(numbers.shape)
            got = f"shape {shape}" if numbers.shape != (count,) else f"{numbers[large][0]:g}"
            raise TableError(
                f"target {name!r} must be [{count}] numbers, from {-LARGEST_LABEL:g} to "
                f"{LARGEST_LABEL:g}, or NaN for not measured, got {got}"
            )
        checked[name] = numbers
    return checked
