"""The cells that a report can show, as compact data from which the page draws them."""

from __future__ import annotations

from typing import Any

import numpy as np

from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.visualization.cells import (
    arrow_path,
    box_width,
    edge_path,
    operation_colour,
    operation_label,
    text_colour,
)
from pyg_nas.visualization.layout import BOX_HEIGHT, layered_layout


class Gallery:
    """Cells by number, with the figures that a reader sees beside their drawing.

    Thousands of cells share far fewer graphs, so a graph's geometry is kept once, and the page
    fills in operations and colours.

    Args:
        space: The search space of the cells.
        facts: Names of the figures of each cell.
    """

    def __init__(self, space: SearchSpace, facts: list[str]) -> None:
        self.space = space
        self.facts = facts
        self._width = box_width(space)
        self._cells: list[Cell] = []
        self._records: list[dict[str, Any]] = []
        self._layouts: list[dict[str, Any]] = []
        self._layout_numbers: dict[bytes, int] = {}

    def add(self, cell: Cell, values: list[str]) -> int:
        """Add a cell and return its number.

        Args:
            cell: The cell.
            values: Text of each of the facts.
        """
        self._cells.append(cell)
        self._records.append(
            {
                "g": self._layout_number(cell),
                "o": (cell.operation_ids.astype(int) - self.space.first_id).tolist(),
                "h": cell.hash,
                "f": values,
            }
        )
        return len(self._cells) - 1

    def cell(self, number: int) -> Cell:
        """Return a cell by its number."""
        return self._cells[number]

    def __len__(self) -> int:
        return len(self._cells)

    def to_dict(self) -> dict[str, Any]:
        """Return what the page's script needs, JSON-ready."""
        operations = []
        for column, name in enumerate(self.space.vocabulary):
            colour = operation_colour(column + self.space.first_id)
            operations.append(
                {"label": operation_label(name), "fill": colour, "ink": text_colour(colour)}
            )
        return {
            "boxWidth": round(self._width, 1),
            "boxHeight": BOX_HEIGHT,
            "operations": operations,
            "facts": self.facts,
            "layouts": self._layouts,
            "cells": self._records,
        }

    def _layout_number(self, cell: Cell) -> int:
        key = np.packbits(cell.adjacency).tobytes() + bytes([cell.num_vertices])
        if key not in self._layout_numbers:
            layout = layered_layout(cell.adjacency, self._width)
            routes = layout.routes.values()
            self._layout_numbers[key] = len(self._layouts)
            self._layouts.append(
                {
                    "w": round(layout.width),
                    "h": round(layout.height),
                    "c": [[round(x, 1), round(y, 1)] for x, y in layout.centres],
                    "e": "".join(edge_path(route) for route in routes),
                    "a": "".join(arrow_path(route[-1]) for route in routes),
                }
            )
        return self._layout_numbers[key]
