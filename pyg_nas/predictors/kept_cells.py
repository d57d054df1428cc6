"""What is kept of many cells between the rounds of a search, for each fit of a predictor."""

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
"""So much is kept at most."""


@dataclass(frozen=True)
class WhitenedCells:
    """``N`` cells as the first ``n`` training cells of a Gaussian process see them.

    Cells that are added to the process later change none of it. Single precision is enough to keep:
    whitened rows and labels are of order one, so that no large terms cancel.

    Args:
        inputs: Weighted inputs, float32 ``[N, d]``.
        rows: The inverse Cholesky factor times the covariances of both, float32 ``[n, N]``.
        variances: Variances given the ``n`` cells, without noise, float64 ``[N]``.
    """

    inputs: Tensor
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
        """Return what is kept of cells; ``make`` returns it where other cells were scored last."""
        last = self._last
        if last is None or last[0] != cells.digest:
            self._last = None  # what it needs is free before more is made
            self._last = last = cells.digest, make()
        return last[1]


def fits_memory(cells: int, known: int, inputs: int) -> bool:
    """Return whether cells with so many inputs can be kept for a fit to ``known`` cells."""
    return 4 * cells * (known + inputs) <= MOST_BYTES


def over_kept(blocks: list[KeptBlock], use: Callable[[KeptBlock], None]) -> None:
    """Call ``use`` with each block, in threads; torch and BLAS use no further ones in them."""
    with single_threaded_pool(torch.get_num_threads()) as pool:
        for _ in pool.map(use, blocks):
            pass
