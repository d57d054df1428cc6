"""Predictions of the cells of a stream, so that a drawing that comes again is scored once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pyg_nas.compute.jit import FEWEST_COMPILED, compiled_enabled
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.ragged import Ints
from pyg_nas.scoring.blocks import Graphs

if TYPE_CHECKING:
    from pyg_nas.scoring.numba_drawings import DrawingNumbers

MOST_DRAWINGS = 5_000_000
"""Drawings whose predictions are kept, the first ones. Each needs a key of 16 bytes, at most 32
bytes of slots and 8 bytes of each column: 0.3 GB in all, 0.4 GB with standard deviations."""

_MOSTLY = 0.9  # share of fresh cells from which on all are predicted: leaving some out needs a copy

Values = dict[str, NDArray[Any]]


class Places(NamedTuple):
    """The places of a block's cells among the drawings that are kept."""

    numbers: Ints  # [n]; -1 for a drawing that is not kept
    fresh: Ints  # [k], the rows that are to be predicted, the new ones among them


class SeenCells:
    """Predictions of the cells of blocks, which are looked up and completed in the same order.

    One thread may look up the next block while another completes the earlier one.
    """

    def __init__(self) -> None:
        self._drawings: DrawingNumbers | None = None
        self._space: Any = None
        self._kept: Values = {}

    def look_up(self, graphs: Graphs) -> Places | None:
        """Return the places of all graphs ``[n]``; None if all of them are to be predicted.

        All are predicted if they are few cells, large cells, cells of another space than the first
        ones or whole networks, and without compiled code.
        """
        if not isinstance(graphs, CellArray) or len(graphs) < FEWEST_COMPILED:
            return None
        if not compiled_enabled():
            return None
        from pyg_nas.scoring.numba_drawings import DrawingNumbers

        if self._drawings is None and DrawingNumbers.fits(graphs.space):
            self._space = graphs.space
            self._drawings = DrawingNumbers(graphs.space, MOST_DRAWINGS)
        if self._drawings is None or self._space != graphs.space:
            return None
        numbers, is_new = self._drawings.number(graphs)
        if is_new.mean() > _MOSTLY:
            is_new[:] = True
        return Places(numbers, np.flatnonzero(is_new))

    def complete(self, places: Places, predicted: Values) -> Values:
        """Keep the columns of the fresh rows ``[k]`` and return those of all rows ``[n]``.

        Args:
            places: Places of the block.
            predicted: float64 columns of the fresh rows, of the same names for each block; empty if
                there is no fresh row.
        """
        numbers, fresh = places
        for name in predicted:
            self._kept.setdefault(name, np.empty(MOST_DRAWINGS))
        place = numbers[fresh]
        has_place = place >= 0
        columns = {}
        for name, kept in self._kept.items():
            values = predicted.get(name, np.empty(0))
            kept[place[has_place]] = values[has_place]
            columns[name] = kept[numbers]
            columns[name][fresh[~has_place]] = values[~has_place]
        return columns
