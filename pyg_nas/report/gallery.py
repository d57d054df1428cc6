"""The cells of a report, as compact data from which the page's script draws them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.text import printable
from pyg_nas.visualization.cells import (
    MOST_VERTICES,
    cell_drawing,
    fitting_width,
    operation_colour,
    operation_label,
    text_colour,
)
from pyg_nas.visualization.drawing import Drawing, svg


class Gallery:
    """Cells by number, with the figures that are shown beside their drawing.

    Thousands of cells have far fewer different graphs, so that each graph is stored once, and the
    page adds the operations and their colours.

    Args:
        space: The search space of the cells.
        facts: Names of the figures of each cell.
        draw: Draws a cell in another way than by its own graph.
    """

    def __init__(
        self, space: SearchSpace, facts: list[str], draw: Callable[[Cell], Drawing] | None = None
    ) -> None:
        self._draw = draw
        self.space = space
        self.facts = facts
        self._width = fitting_width([operation_label(name, space) for name in space.vocabulary])
        self._cells: list[Cell] = []
        self._records: list[dict[str, Any]] = []
        self._drawings: list[str] = []
        self._drawing_numbers: dict[bytes, int] = {}

    def add(self, cell: Cell, values: list[str]) -> int:
        """Add a cell and return its number.

        Args:
            values: Text of each figure.
        """
        whole = cell.num_vertices <= MOST_VERTICES and self._draw is None
        operations = (cell.operation_ids.astype(int) - self.space.first_id).tolist()
        self._cells.append(cell)
        self._records.append(
            {
                "g": self._drawing_number(cell, whole),
                "o": operations if whole else [],  # an overview has its own labels
                # A listed network is no cell of its own: its name is among the figures.
                "h": cell.hash if self._draw is None else "",
                "f": [printable(value) for value in values],
            }
        )
        return len(self._cells) - 1

    def cell(self, number: int) -> Cell:
        """Return a cell by its number."""
        return self._cells[number]

    def svg(self, number: int) -> str:
        """Return the drawing of a cell by its number, with its labels."""
        return svg((self._draw or cell_drawing)(self._cells[number]))

    def __len__(self) -> int:
        return len(self._cells)

    def to_dict(self) -> dict[str, Any]:
        """Return the data for the page's script, JSON-ready."""
        operations = []
        for column, name in enumerate(self.space.vocabulary):
            colour = operation_colour(column + self.space.first_id, self.space)
            operations.append(
                {
                    "label": operation_label(name, self.space),
                    "fill": colour,
                    "ink": text_colour(colour),
                }
            )
        return {
            "operations": operations,
            "facts": [printable(name) for name in self.facts],
            "drawings": self._drawings,
            "cells": self._records,
        }

    def _drawing_number(self, cell: Cell, whole: bool) -> int:
        key = cell.num_vertices.to_bytes(4, "little") + cell.edge_index.tobytes()
        if not whole:
            key += cell.operation_ids.tobytes()
        if key not in self._drawing_numbers:
            self._drawing_numbers[key] = len(self._drawings)
            drawing = (
                (self._draw or cell_drawing)(cell) if not whole else cell_drawing(cell, self._width)
            )
            self._drawings.append(svg(drawing))
        return self._drawing_numbers[key]
