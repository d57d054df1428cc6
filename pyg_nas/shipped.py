"""The measured table that comes with the package."""

from __future__ import annotations

from pathlib import Path

from pyg_nas.errors import TableError
from pyg_nas.table import Table

SHIPPED_TABLE = "nasbench_digits.hdf5"
SHIPPED_TASK = "digits"


def shipped_table_path() -> Path:
    """Return the path of the shipped table: inside an installed package, or in ``datasets/``.

    Raises:
        TableError: If it is in neither place.
    """
    package = Path(__file__).parent
    places = (package / "data" / SHIPPED_TABLE, package.parent / "datasets" / SHIPPED_TABLE)
    for path in places:
        if path.is_file():
            return path
    raise TableError(
        f"the shipped table {SHIPPED_TABLE} is missing; `datasets/make_nasbench_digits.py` in the "
        f"source tree makes it"
    )


def shipped_table() -> Table:
    """Read the shipped table: cells of NAS-Bench-101 measured on handwritten digits."""
    return Table.load(shipped_table_path())
