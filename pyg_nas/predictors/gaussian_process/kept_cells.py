"""Cached intermediate results of many cells between the rounds of a search, for each fit."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from pyg_nas.compute.threads import single_threaded_pool
from pyg_nas.features.graph_features import FEATURE_BLOCK
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.predictors.gaussian_process.whitened import WhitenedCells

MOST_BYTES = 2**30
"""Largest memory of the cache."""

_LEAST_BLOCKS = 16  # that many cells are divided into
_MOST_CELLS = 16_384  # in a block


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


class KeptMemory:
    """Memory for what a process knows of all cells.

    It is one piece for each kind of number, which the operating system gets back: memory that is
    freed in many small pieces stays with the process.

    Args:
        cells: Number of cells.
        known: Number of training cells.
        inputs: Number of inputs.
        most: Largest number of added cells.
    """

    def __init__(self, cells: int, known: int, inputs: int, most: int) -> None:
        self._inputs, self._rows = torch.empty(cells, inputs), torch.empty(cells, known)
        self._squares, self._variances = torch.empty(2, cells, dtype=torch.float64)
        self._added_rows = torch.empty(cells, most)

    def fill(self, rows: slice, cells: WhitenedCells) -> None:
        """Copy what is known of some of the cells, without added cells, into this memory."""
        self._inputs[rows], self._rows[rows] = cells.inputs, cells.rows
        self._squares[rows], self._variances[rows] = cells.squares, cells.variances

    def block(self, rows: slice) -> WhitenedCells:
        """Return what is known of some of the cells, in this memory."""
        return WhitenedCells(
            self._inputs[rows],
            self._squares[rows],
            self._rows[rows],
            self._variances[rows],
            self._added_rows[rows],
            torch.empty(0, self._inputs.shape[1], dtype=torch.float64),
        )


class KeptCells:
    """The cells that a fit scored last. Copies of the fit share it, and stored ones are empty."""

    def __init__(self) -> None:
        self._last: tuple[bytes, list[KeptBlock]] | None = None
        self._in_use = threading.Lock()

    def __deepcopy__(self, memo: Any) -> KeptCells:
        return self

    def __reduce__(self) -> tuple[type[KeptCells], tuple[()]]:
        return KeptCells, ()

    def map_blocks(
        self,
        cells: CellArray,
        make: Callable[[], list[KeptBlock]],
        use: Callable[[KeptBlock], None],
    ) -> None:
        """Call ``use``, which may add to a block, with each block of cells, in threads.

        Torch and BLAS are single-threaded in them. ``make`` makes the blocks if other cells were
        scored last.
        """
        with self._in_use:
            last = self._last
            if last is None or last[0] != cells.digest:
                self._last = None  # its memory is free before more is used
                self._last = last = cells.digest, make()
            with single_threaded_pool(torch.get_num_threads()) as pool:
                for _ in pool.map(use, last[1]):
                    pass


def kept_rows(cells: int) -> list[slice]:
    """Return the rows of the blocks that a number of cells is kept in.

    Of many cells they are large: a block's prediction begins with an empty cache of the core, which
    costs as much as some hundred cells.
    """
    size = min(max(cells // _LEAST_BLOCKS, FEATURE_BLOCK), _MOST_CELLS)
    return [slice(start, min(start + size, cells)) for start in range(0, cells, size)]


def fits_memory(cells: int, known: int, inputs: int) -> bool:
    """Return whether the cache has enough memory for these cells and ``known`` training cells."""
    return 4 * cells * (known + inputs) <= MOST_BYTES
