"""The public samples are those that the package's own tests rest on."""

from __future__ import annotations

import numpy as np

from pyg_nas.testing import small_cells, small_table


def test_cells_of_every_size() -> None:
    cells = small_cells(per_size=5)
    counts = np.bincount(cells.num_vertices)
    # One cell has two vertices and seven have three.
    assert counts.tolist() == [0, 0, 1, 5, 5, 5, 5, 5]
    assert small_cells(per_size=5) == cells


def test_tables_are_valid_and_repeat() -> None:
    table = small_table(40, seed=1)
    table.check()
    assert len(table) == 40
    np.testing.assert_array_equal(small_table(40, seed=1).metrics, table.metrics)
    assert np.isnan(table.metrics[:, :, 2]).all()
    assert np.isfinite(table.metrics[:, :, :2]).all()
