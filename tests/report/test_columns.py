"""Figures of cells in the gallery and in the table of the best."""

from __future__ import annotations

import numpy as np

from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.report.columns import Column, cell_table, make_gallery, percent_column


def test_what_no_shown_cell_has_is_left_out() -> None:
    cells = sample_cells(4, seed=0)
    columns = [
        percent_column("accuracy", ", %", np.array([50.0, np.nan, 70.0, 80.0])),
        Column("time", np.array([np.nan, np.nan, np.nan, 1.0]), str),
    ]
    rows = np.array([2, 0, 1])
    gallery, numbers = make_gallery(cells.space, cells, columns, rows)
    assert gallery.facts == ["accuracy, %"]
    assert [gallery.cell(numbers[row]) for row in (2, 0, 1)] == [cells[2], cells[0], cells[1]]
    table = cell_table("best", columns, rows, numbers)
    assert table.columns == ["accuracy, %"]
    assert table.cells == [0, 1, 2]
    assert table.rows == [[(70.0, "70.00")], [(50.0, "50.00")], [(None, "–")]]
