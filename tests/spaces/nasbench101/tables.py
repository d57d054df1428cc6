"""Random tables, and their comparison, for the tests of official files."""

from __future__ import annotations

import numpy as np

from pyg_nas.data.tables.table import Table
from pyg_nas.graphs.enumeration import sample_cells


def random_table(n: int, seed: int, budgets: tuple[int, ...] = (4, 12, 36, 108)) -> Table:
    rng = np.random.default_rng(seed)
    metrics = rng.random((n, len(budgets), 3, 2, 4), dtype=np.float32)
    metrics[..., 0] *= 3000
    return Table(sample_cells(n, seed), metrics, budgets)


def same(a: Table, b: Table) -> bool:
    return (
        a.cells == b.cells
        and a.budgets == b.budgets
        and np.array_equal(a.hashes, b.hashes)
        and np.array_equal(a.trainable_parameters, b.trainable_parameters)
        and np.array_equal(a.metrics, b.metrics, equal_nan=True)
    )
