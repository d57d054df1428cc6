"""Fixtures that several test modules share."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.data.table import Table
from pyg_nas.graphs.enumeration import nasbench101_cells


def pytest_configure(config: pytest.Config) -> None:
    """Keep what is computed once beside pytest's own cache, and not in the user's."""
    os.environ["PYG_NAS_CACHE"] = str(config.cache.mkdir("pyg_nas"))


SHARED_DATA = Path(__file__).parents[2] / "shared" / "data"
REAL_TABLE = SHARED_DATA / "nasbench101_20k.hdf5"


@pytest.fixture(scope="session")
def real_table_path() -> Path:
    """The file of 20,001 real NAS-Bench-101 cells, where it lies beside the repository."""
    if not REAL_TABLE.exists():
        pytest.skip("the real sample ../shared/data/nasbench101_20k.hdf5 is not here")
    return REAL_TABLE


@pytest.fixture(scope="session")
def real_table(real_table_path: Path) -> Table:
    """The 20,001 real NAS-Bench-101 cells."""
    return Table.load(real_table_path)


@pytest.fixture(scope="session")
def small_table() -> Table:
    """300 random cells with made-up but structured accuracies; nothing is missing but run 2."""
    rng = np.random.default_rng(7)
    cells = nasbench101_cells()[rng.permutation(423_624)[:300]]
    size = np.log10(cells.trainable_parameters())
    metrics = np.empty((300, 4, 3, 2, 4), dtype=np.float32)
    truth = 0.75 + 0.03 * (size - 5.5)[:, None, None, None, None]
    metrics[:] = np.clip(truth + rng.normal(0, 0.005, metrics.shape), 0.0, 1.0)
    metrics[..., 0] = 100.0 * rng.uniform(1, 2, metrics.shape[:-1])
    metrics[:, :, 2] = np.nan
    return Table(cells, metrics)
