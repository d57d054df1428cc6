"""The data shipped with the package: a measured table and the zero-cost network."""

from __future__ import annotations

from pathlib import Path

from pyg_nas.data.network_table import NetworkTable
from pyg_nas.data.table import Table
from pyg_nas.errors import ModelError, PygNasError, TableError

SHIPPED_TABLE = "nasbench_digits.hdf5"
SHIPPED_LATENCIES = "network_latency.hdf5"
SHIPPED_TASK = "digits"
ZERO_COST_NETWORK = "zero_cost"


def shipped_table_path() -> Path:
    """Return the path of the shipped table: inside an installed package, or in ``datasets/``.

    Raises:
        TableError: If it is found in neither place.
    """
    return _shipped(SHIPPED_TABLE, "make_nasbench_digits.py", TableError)


def shipped_table() -> Table:
    """Read the shipped table: cells of NAS-Bench-101 measured on handwritten digits."""
    return Table.load(shipped_table_path())


def shipped_latencies() -> NetworkTable:
    """Read the shipped table of networks: latencies of nine families on one processor.

    Raises:
        TableError: If it is found neither inside an installed package nor in ``datasets/``.
    """
    return NetworkTable.load(_shipped(SHIPPED_LATENCIES, "make_network_latency.py", TableError))


def zero_cost_network_path() -> Path:
    """Return the folder of the model that predicts the zero-cost numbers of a cell.

    Raises:
        ModelError: If it is found neither inside an installed package nor in ``datasets/``.
    """
    return _shipped(ZERO_COST_NETWORK, "make_zero_cost.py", ModelError)


def _shipped(name: str, made_by: str, error: type[PygNasError]) -> Path:
    package = Path(__file__).parents[1]
    for path in (package / "_resources" / name, package.parent / "datasets" / name):
        if path.exists():
            return path
    raise error(
        f"the shipped {name} is missing; `datasets/scripts/{made_by}` in the source tree makes it"
    )
