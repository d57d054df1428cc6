"""A small made-up table of a space or of a part of it, and a task that is trained in no time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.data.tables.table import Table
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import enumerate_cells
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.measure.campaigns.journal import Journal
from pyg_nas.measure.tasks.digits import digits_task
from pyg_nas.measure.tasks.task import Task

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
    table = made_up_table(enumerate_cells(SMALL))
    table.metrics.flags.writeable = False  # tests share it
    return table


@pytest.fixture(scope="session")
def partial_table(whole_table: Table) -> Table:
    rows = np.random.default_rng(1).permutation(len(whole_table))[:60]
    return whole_table.subset(rows)


@pytest.fixture(scope="session")
def task() -> Task:
    """The digits, for networks of two channels."""
    digits = digits_task()
    return digits.with_settings(
        replace(digits.settings, stem_channels=2, num_stacks=1, batch_size=192)
    )


@pytest.fixture
def journal(task: Task, tmp_path: Path) -> Iterator[Journal]:
    """An empty journal of that task."""
    with Journal(tmp_path / "journal.sqlite", task) as opened:
        yield opened
