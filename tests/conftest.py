"""Fixtures that several test modules share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pyg_nas import testing
from pyg_nas.data.table import Table


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
    return testing.small_table()
