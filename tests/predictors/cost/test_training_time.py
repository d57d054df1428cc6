"""Predicted training time on additive made-up times and on the real ones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import kendalltau

from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import ModelError, SettingsError
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.predictors.cost.training_time import TimeRegressor
from pyg_nas.spaces.nasbench101 import nasbench101_cells


def test_real_training_time_is_predicted_better_than_by_parameters(real_table: Table) -> None:
    seconds = real_table.label(LabelPolicy("training_time"))
    rows = np.random.default_rng(0).permutation(len(real_table))
    train, rest = rows[:172], rows[172:]
    predicted = TimeRegressor().fit(real_table.cells[train], seconds[train])
    tau = kendalltau(predicted.predict(real_table.cells[rest]), seconds[rest]).statistic
    by_size = kendalltau(real_table.trainable_parameters[rest], seconds[rest]).statistic
    assert tau > by_size + 0.05


def test_the_typical_factor_is_that_of_cells_left_out(real_table: Table) -> None:
    seconds = real_table.label(LabelPolicy("training_time"))
    rows = np.random.default_rng(1).permutation(len(real_table))
    train, rest = rows[:172], rows[172:]
    model = TimeRegressor().fit(real_table.cells[train], seconds[train])
    logs = np.log(model.predict(real_table.cells[rest]) / seconds[rest])
    assert np.log(model.typical_factor) == pytest.approx(np.sqrt((logs**2).mean()), rel=0.25)
    exact = TimeRegressor().fit(real_table.cells[train], np.full(172, 7.0))
    assert exact.typical_factor == pytest.approx(1.0)


def test_unknown_times_are_left_out_and_impossible_ones_named(small_table: Table) -> None:
    cells = small_table.cells[:50]
    seconds = 5.0 + 2.0 * cells.num_edges
    some = seconds.astype(float)
    some[::2] = np.nan
    model = TimeRegressor().fit(cells, some)
    assert np.abs(model.predict(cells) / seconds - 1).max() < 0.1
    with pytest.raises(SettingsError, match="0 measured times"):
        TimeRegressor().fit(cells, np.full(50, np.nan))
    with pytest.raises(SettingsError, match="positive"):
        TimeRegressor().fit(cells, np.zeros(50))
    for total in (49, 51):
        with pytest.raises(SettingsError, match=rf"y must be \[50\] .*, got \[{total}\]"):
            TimeRegressor().fit(cells, np.ones(total))
    with pytest.raises(SettingsError, match="y must be numbers"):
        TimeRegressor().fit(cells, ["long"] * 50)
    some[1] = np.inf
    with pytest.raises(SettingsError, match="y must be finite, got inf at 1"):
        TimeRegressor().fit(cells, some)


def test_cells_of_other_operations_are_refused(small_table: Table) -> None:
    one, other = (
        CellArray.from_cells([Cell([[0, 1], [0, 0]], names, SearchSpace(name, names, 2, 1))] * 3)
        for name, names in (("one", ("a", "b")), ("other", ("c", "d")))
    )
    model = TimeRegressor().fit(one, [1.0, 2.0, 3.0])
    assert model.predict(one).shape == (3,)
    assert model.predict(one[:0]).shape == (0,)
    for cells in (other, small_table.cells):
        with pytest.raises(ModelError, match="fitted to the operations a, b of 'one'"):
            model.predict(cells)


def test_known_times_are_those_of_their_own_cells() -> None:
    """Cells of every size: times differ by far more than the error that is allowed."""
    cells = nasbench101_cells()[::4000]
    seconds = np.exp(0.5 * cells.num_vertices + 0.2 * cells.operation_counts[:, 0])
    some = seconds.copy()
    some[: len(cells) // 2 : 2] = np.nan
    model = TimeRegressor().fit(cells, some)
    np.testing.assert_allclose(model.predict(cells), seconds, rtol=0.02)
