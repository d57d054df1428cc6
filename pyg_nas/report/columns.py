"""Figures of cells by name, shown beside drawings and in the table of the best cells."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.metrics.intervals import finite_or_none
from pyg_nas.report.gallery import Gallery
from pyg_nas.report.page import CellTable
from pyg_nas.report.text import MISSING, number
from pyg_nas.visualization.drawing import Drawing

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Column:
    """A figure of every cell.

    Args:
        name: Heading with the unit.
        values: ``[N]``, NaN where not known.
        write: Formats a value.
    """

    name: str
    values: Floats
    write: Callable[[float], str]


def percent_column(name: str, unit: str, values: Floats) -> Column:
    """Return a column of accuracies in their unit, with two digits; small values with three.

    A prediction from few cells may be outside 0 to 100 %: it is shown as ``< 0`` or ``> 100``.
    """
    if unit:
        return Column(f"{name}{unit}", values, _percent)
    if np.nanmax(np.abs(values), initial=0.0) < 1:
        return Column(name, values, lambda v: f"{v:.3g}" if np.isfinite(v) else MISSING)
    return Column(name, values, lambda value: number(value, 2))


def _percent(value: float) -> str:
    if value < 0 or value > 100:
        return "< 0" if value < 0 else "> 100"
    return number(value, 2)


def name_column(names: Sequence[str]) -> Column:
    """Return the column of the names of networks, which are sorted in the order given."""
    rows = np.arange(len(names), dtype=np.float64)
    return Column("name", rows, lambda row: names[int(row)])


def known_columns(columns: Sequence[Column], rows: NDArray[np.int64]) -> list[Column]:
    """Return the columns with a value for at least one of these rows."""
    return [column for column in columns if np.isfinite(column.values[rows]).any()]


def make_gallery(
    space: SearchSpace,
    cells: Sequence[Cell],
    columns: Sequence[Column],
    rows: NDArray[np.int64],
    draw: Callable[[Cell], Drawing] | None = None,
) -> tuple[Gallery, dict[int, int]]:
    """Return a gallery of some cells, and the gallery number of each row.

    Args:
        cells: All cells, ``[N]``.
        columns: Their figures; columns without a value for any shown cell are left out.
        rows: The rows of the shown cells.
        draw: Draws a cell in another way than by its own graph.
    """
    columns = known_columns(columns, rows)
    gallery = Gallery(space, [column.name for column in columns], draw)
    numbers = {
        row: gallery.add(cells[row], [column.write(column.values[row]) for column in columns])
        for row in rows.tolist()
    }
    return gallery, numbers


def cell_table(
    title: str,
    columns: Sequence[Column],
    rows: NDArray[np.int64],
    numbers: dict[int, int],
    missing: str = "",
    thing: str = "cell",
) -> CellTable:
    """Return the table of some cells, in the order of ``rows``.

    ``missing`` explains a dash; by default the value is not known. ``thing`` is what a row is: a
    cell or a network.
    """
    columns = known_columns(columns, rows)
    gaps = any(np.isnan(column.values[rows]).any() for column in columns)
    note = f"{MISSING}: {missing or 'not known'}." if gaps else ""
    return CellTable(
        title,
        note,
        [numbers[row] for row in rows.tolist()],
        [column.name for column in columns],
        [
            [(finite_or_none(c.values[row]), c.write(c.values[row])) for c in columns]
            for row in rows.tolist()
        ],
        thing,
        f"Click a heading to sort, a row to pin the {thing}.",
    )
