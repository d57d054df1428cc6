"""The data shipped with the package: measured tables and zero-cost numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from pyg_nas.data.networks.table import NetworkTable
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import ModelError, PygNasError, TableError

SHIPPED_TABLE = "nasbench_digits.hdf5"
SHIPPED_LATENCIES = "network_latency.hdf5"
SHIPPED_TASK = "digits"
ZERO_COST_NETWORK = "zero_cost"

SHIPPED = "shipped"
"""Argument for the package's own table of networks, in place of a file."""


def shipped_table_path(name: str = SHIPPED_TABLE) -> Path:
    """Return the path of a shipped table: inside an installed package, or in ``datasets/``.

    Raises:
        TableError: If it is found in neither place.
    """
    return _shipped(name, "make_tables.py", TableError)


def shipped_table(name: str = SHIPPED_TABLE) -> Table:
    """Read a shipped table, by default NAS-Bench-101 cells measured on handwritten digits."""
    return Table.load(shipped_table_path(name))


def shipped_measurements(name: str = SHIPPED_TABLE) -> bytes:
    """Return the cells and runs of a shipped table, for a digest that ignores derived columns.

    A digest of the file would change with every column and invalidate stored models.
    """
    table = shipped_table(name)
    return table.cells.digest + np.ascontiguousarray(table.metrics, "<f4").tobytes()


def shipped_latencies() -> NetworkTable:
    """Read the shipped table of networks: latencies of nine families on one processor.

    Raises:
        TableError: If it is found neither inside an installed package nor in ``datasets/``.
    """
    return NetworkTable.load(_shipped(SHIPPED_LATENCIES, "make_network_latency.py", TableError))


def zero_cost_path(name: str = ZERO_COST_NETWORK) -> Path:
    """Return the folder of a model that predicts zero-cost numbers, or the file that has them.

    Raises:
        ModelError: If it is found neither inside an installed package nor in ``datasets/``.
    """
    made_by = "make_zero_cost.py" if name == ZERO_COST_NETWORK else "make_zero_cost_table.py"
    return _shipped(name, made_by, ModelError)


def _shipped(name: str, made_by: str, error: type[PygNasError]) -> Path:
    package = Path(__file__).parents[2]
    for path in (package / "_resources" / name, package.parent / "datasets" / name):
        if path.exists():
            return path
    raise error(
        f"the shipped {name} is missing; `datasets/scripts/{made_by}` in the source tree makes it"
    )
