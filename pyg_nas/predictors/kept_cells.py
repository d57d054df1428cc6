"""Cached intermediate results of many cells between the rounds of a search, for each fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from pyg_nas.compute.threads import single_threaded_pool
from pyg_nas.graphs.cell_array import CellArray

MOST_BYTES = 2**30
"""Largest memory of the cache."""


@dataclass(frozen=True)
class WhitenedCells:
    """Whitened covariances of ``N`` cells with the first ``n`` training cells of a process.

    They do not change when cells are added to the process. Single precision is enough: whitened
    rows and labels are of order one, so that no large terms cancel.

    Args:
        inputs: Weighted inputs, float32 ``[N, d]``.
        squares: Their squared lengths, float64 ``[N]``.
        rows: The inverse Cholesky factor times the covariances of both, float32 ``[n, N]``.
        variances: Variances given the ``n`` cells, without noise, float64 ``[N]``.
    """

    inputs: Tensor
    squares: Tensor
    rows: Tensor
    variances: Tensor


@dataclass(frozen=True)
class KeptBlock:
    """Some of the cells, with the parts of their predictions that an update does not change.

    Args:
        rows: Which of the cells.
        whitened: As the process sees them.
        others: Means of the networks and trees, ``[N]`` each.
    """

    rows: slice
    whitened: WhitenedCells
    others: tuple[NDArray[np.floating[Any]] | None, ...]


class KeptCells:
    """The cells that a fit scored last. Copies of the fit share it, and stored ones are empty."""

    def __init__(self) -> None:
        self._last: tuple[bytes, list[KeptBlock]] | None = None

    def __deepcopy__(self, memo: Any) -> KeptCells:
        return self

    def __reduce__(self) -> tuple[type[KeptCells], tuple[()]]:
        return KeptCells, ()

    def blocks(self, cells: CellArray, make: Callable[[], list[KeptBlock]]) -> list[KeptBlock]:
        """Return the cached blocks of cells; ``make`` makes them if others were scored last."""
        last = self._last
        if last is None or last[0] != cells.digest:
            self._last = None  # its memory is free before more is used
            self._last = last = cells.digest, make()
        return last[1]


def fits_memory(cells: int, known: int, inputs: int) -> bool:
    """Return whether the cache has enough memory for these cells and ``known`` training cells."""
    return 4 * cells * (known + inputs) <= MOST_BYTES


def map_kept_blocks(blocks: list[KeptBlock], use: Callable[[KeptBlock], None]) -> None:
    """Call ``use`` with each block, in threads; torch and BLAS use no further ones in them."""
    with single_threaded_pool(torch.get_num_threads()) as pool:
        for _ in pool.map(use, blocks):
            pass
