"""The process of the shipped tables: other spaces, and the cache."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.data.tables.shipped import shipped_table
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.graphs.registry import find_space
from pyg_nas.metrics.regression import kendall_tau
from pyg_nas.predictors.transfer import common_process
from pyg_nas.predictors.transfer.common_process import (
    common_scores,
    fit_common_process,
    shipped_names,
    shipped_process,
    table_latents,
)
from tests.renumbered import all_renumbered


def test_the_process_is_read_from_the_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    cells = find_space("nasbench201").support.cells()[::500]
    process = shipped_process(shipped_names())
    before = common_scores(process, cells)

    def refit(tables: object) -> None:
        raise AssertionError("fitted again")

    monkeypatch.setattr(common_process, "fit_common_process", refit)
    shipped_process.cache_clear()
    again = shipped_process(shipped_names())
    assert again is not process
    np.testing.assert_allclose(common_scores(again, cells), before, rtol=1e-9)


def test_drawings_of_a_cell_have_one_score() -> None:
    """Their features are ranked: numbers that are equal must not differ by their rounding."""
    cells = sample_cells(1_000, seed=1)
    process, (drawn, _) = shipped_process(shipped_names()), all_renumbered(cells, seed=0)
    np.testing.assert_allclose(common_scores(process, drawn), common_scores(process, cells))


def test_a_process_of_one_space_ranks_another() -> None:
    table = shipped_table("nasbench201_digits.hdf5")
    process = fit_common_process([shipped_table()])
    assert kendall_tau(table_latents(table), common_scores(process, table.cells)) > 0.2
