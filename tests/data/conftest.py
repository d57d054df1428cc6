"""Tables that several tests of splits and protocols share."""

from __future__ import annotations

import numpy as np
import pytest

from pyg_nas.data.tables.table import Table
from pyg_nas.graphs.enumeration import sample_cells


def one_run(values: list[float], runs: int = 1) -> Table:
    """A table of cells with these validation accuracies of run 0; further runs are at 0.95."""
    metrics = np.full((len(values), 4, runs, 2, 4), 0.95, np.float32)
    metrics[:, 3, 0, 1, 2] = values
    return Table(sample_cells(len(values), 0), metrics)


@pytest.fixture
def repeated() -> Table:
    """100 graphs, three of each four twice with another label, in a random order."""
    cells = sample_cells(100, 0)
    rng = np.random.default_rng(0)
    rows = rng.permutation(np.concatenate([np.arange(100), np.arange(75)]))
    metrics = np.full((175, 1, 1, 2, 4), np.nan, np.float32)
    metrics[:, 0, 0, 1, 2] = rng.uniform(0.85, 0.95, 175)
    return Table(cells[rows], metrics, budgets=(1,), about={"source": "x.jsonl"})
