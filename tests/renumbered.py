"""Cells with their vertices in another topological order: other drawings of the same cells."""

from __future__ import annotations

from random import Random

import numpy as np

from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray


def another_order(cell: Cell, random: Random) -> list[int]:
    """A random topological order of a cell's vertices."""
    waiting = {v: int(cell.adjacency[:, v].sum()) for v in range(cell.num_vertices)}
    order: list[int] = []
    while waiting:
        chosen = random.choice([v for v, count in waiting.items() if count == 0])
        order.append(chosen)
        del waiting[chosen]
        for v in np.flatnonzero(cell.adjacency[chosen]).tolist():
            waiting[v] -= 1
    return order


def renumbered(cell: Cell, order: list[int]) -> Cell:
    """The cell with its vertices in this order."""
    return Cell(cell.adjacency[np.ix_(order, order)], cell.operation_ids[order])


def all_renumbered(cells: CellArray, seed: int) -> tuple[CellArray, list[list[int]]]:
    """All cells in random orders, and the orders."""
    random = Random(seed)
    orders = [another_order(cell, random) for cell in cells]
    pairs = zip(cells, orders, strict=True)
    return CellArray.from_cells([renumbered(cell, order) for cell, order in pairs]), orders
