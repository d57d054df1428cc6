"""Cells as one line of text: adjacency digits and operations, as in NAS-Bench-101's records.

``0100101000010000:input,conv3x3-bn-relu,maxpool3x3,output``: ``V * V`` digits by rows, a colon,
and the names of the vertices' operations.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import CellError, quoted
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.graphs.space_support import SpaceSupport

_MOST_DIGITS = 64**2


def to_text(cell: Cell) -> str:
    """Return the text form of a cell."""
    digits = "".join(map(str, cell.adjacency.ravel().tolist()))
    return f"{digits}:{','.join(cell.operations)}"


def general_support(space: SearchSpace) -> SpaceSupport:
    """Return the support of a space of which no more is known than its vocabulary and limits.

    Its cells have this text form if they have an input and an output, and if the text can be read
    again.
    """
    readable = not any("," in name for name in space.vocabulary)
    if space.terminals and readable and space.max_vertices**2 <= _MOST_DIGITS:
        return GraphTextSupport(space)
    return SpaceSupport(space)


class GraphTextSupport(SpaceSupport):
    """Support of a space whose cells have this text form."""

    has_text_form = True

    def to_text(self, cell: Cell) -> str:
        """Return the text form of a cell."""
        return to_text(cell)

    def to_texts(self, cells: CellArray) -> NDArray[np.bytes_]:
        """Return the text forms of many cells, UTF-8 bytes ``[N]``."""
        sizes = cells.num_vertices
        names = [name.encode() for name in self.space.vocabulary]  # by one-hot column
        found = [(np.empty(0, np.int64), np.empty(0, np.bytes_))]
        for size in np.unique(sizes).tolist():
            rows = np.flatnonzero(sizes == size)
            digits = (cells.adjacency[rows, :size, :size] + ord("0")).astype(np.uint8)
            # Equal lists of operations are found by their bytes, in a hundredth of the time.
            ids = np.ascontiguousarray(cells.operations[rows, :size])
            as_bytes = ids.view(f"S{size * ids.itemsize}").ravel()
            _, first, chosen = np.unique(as_bytes, return_index=True, return_inverse=True)
            lists = (ids[first].astype(np.int64) - self.space.first_id).tolist()
            joined = np.array([b":" + b",".join(names[column] for column in one) for one in lists])
            lines = digits.reshape(-1, size * size).view(f"S{size * size}").ravel()
            found.append((rows, np.char.add(lines, joined[chosen])))
        texts = np.empty(len(cells), np.result_type(*(part for _, part in found)))
        for rows, part in found:
            texts[rows] = part
        return texts

    def from_text(self, text: str) -> Cell:
        """Return the cell of a text form.

        Raises:
            CellError: If the text is not of this form, or not a cell of the space.
        """
        digits, colon, names = text.partition(":")
        size = math.isqrt(len(digits))
        if not colon or set(digits) - {"0", "1"} or not 0 < size**2 == len(digits) <= _MOST_DIGITS:
            raise CellError(
                f"a cell of {self.space.name!r} is written as V*V digits 0 and 1, a colon and V "
                f"operations joined by commas, got {quoted(text)}"
            )
        adjacency = np.array(list(map(int, digits)), dtype=np.int8).reshape(size, size)
        return Cell(adjacency, names.split(","), self.space)
