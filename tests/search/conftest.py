"""A small made-up table that every cell of a small space or of a part of it is in."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.data.table import Table
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import enumerate_cells
from pyg_nas.graphs.search_space import SearchSpace

SMALL = SearchSpace("small", ("a", "b"), max_vertices=5, max_edges=6, terminals=("out", "in"))


def made_up_table(cells: CellArray, tests: bool = True, seed: int = 0) -> Table:
    """Accuracies that grow with operations ``a`` and edges, plus a run's noise; 2 budgets."""
    rng = np.random.default_rng(seed)
    quality = 0.7 + 0.04 * ((cells.operations == 0) & cells.mask).sum(axis=1)
    quality = quality + 0.01 * cells.num_edges + rng.normal(0, 0.01, len(cells))
    metrics = np.empty((len(cells), 2, 3, 2, 4), dtype=np.float32)
    metrics[:] = (
        quality[:, None, None, None, None] - 0.05 * np.array([1, 0])[None, :, None, None, None]
    )
    metrics += rng.normal(0, 0.005, metrics.shape).astype(np.float32)
    metrics[..., 0] = 10.0 * cells.num_edges[:, None, None, None]
    metrics[:, 0, :, :, 0] /= 2
    if not tests:
        metrics[..., 3] = np.nan
    return Table(cells, metrics, budgets=(4, 8))


@pytest.fixture(scope="session")
def whole_table() -> Table:
    return made_up_table(enumerate_cells(SMALL))


@pytest.fixture(scope="session")
def partial_table(whole_table: Table) -> Table:
    rows = np.random.default_rng(1).permutation(len(whole_table))[:60]
    return whole_table.subset(rows)
