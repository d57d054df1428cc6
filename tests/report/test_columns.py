"""Figures of cells in the gallery and in the table of the best."""

from __future__ import annotations

import numpy as np

from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.report.columns import Column, cell_table, make_gallery, percent_column


def test_predictions_that_no_percentage_can_be_are_cut_where_shown() -> None:
    values = np.array([111.3, -0.2, 100.0, 0.0, np.nan])
    column = percent_column("predicted accuracy", ", %", values)
    assert [column.write(value) for value in values] == ["> 100", "< 0", "100.00", "0.00", "–"]
    assert column.values is values  # sorted by what was predicted
    small = percent_column("predicted R²", "", np.array([-0.25, 0.5]))
    assert small.write(-0.25) == "-0.25"


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
