"""Choice of the fastest way in which the installed BLAS multiplies small matrices."""

from __future__ import annotations

from functools import cache

import scipy.linalg.cython_blas  # noqa: F401  loaded to be inspected: compiled code uses it
from threadpoolctl import threadpool_info

# OpenBLAS packs both factors before it multiplies, except below a million multiply-adds on
# processors with AVX-512, where it has kernels that read them in place.
_LEAST_PACKED = 1_000_000
_WITH_IN_PLACE = {"SkylakeX", "Cooperlake", "SapphireRapids"}
_LANES = 16  # float32 numbers in a register of AVX-512


def rows_per_product(rows: int, multiply_adds_per_row: int) -> int:
    """Return how many rows (or columns) of a matrix product BLAS should get per call.

    Args:
        rows: Number of rows.
        multiply_adds_per_row: Multiply-adds of one row.
    """
    fitting = (_LEAST_PACKED - 1) // multiply_adds_per_row // _LANES * _LANES
    return min(fitting, rows) if fitting and _multiplies_in_place() else rows


@cache
def _multiplies_in_place() -> bool:
    return any(
        library["internal_api"] == "openblas"
        and "scipy.libs" in library["filepath"]
        and library.get("architecture") in _WITH_IN_PLACE
        for library in threadpool_info()
    )
