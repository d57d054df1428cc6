"""Checks of a table's graphs, hashes and values; each names the first cell that is wrong."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pyg_nas.data.protocols.labels import SCORE
from pyg_nas.errors import (
    CellError,
    SpaceError,
    TableError,
    first_repeated,
    first_true,
    listed,
    quoted,
)
from pyg_nas.graphs.hashing import digest_text, repeated_hash
from pyg_nas.spaces.measurements import ACCURACIES, TIME

if TYPE_CHECKING:
    from pyg_nas.data.tables.table import Table

# Hashing takes 0.03 to 0.1 ms per cell: to keep loading fast, all hashes of small tables and this
# number of hashes of large ones are checked on loading; check_values verifies all of them.
_HASHES_CHECKED_ON_LOAD = 2_000


def check_loadable(table: Table, name: str) -> None:
    """Check graphs, metrics, repeated cells and a sample of the hashes.

    Args:
        name: Name of the table in an error.

    Raises:
        TableError: If one is wrong.
    """
    invalid = table.cells.first_invalid()
    if invalid is not None:
        row, rule = invalid
        raise TableError(f"{name}: cell {row} ({digest_text(table.hashes[row])}): {rule}")
    _refuse(name, np.isinf(table.metrics), "metrics must be finite, or NaN for not measured")
    check_distinct(table, name)
    _check_hashes(table, name, _sample(table))


def check_values(table: Table, name: str, parameters: NDArray[np.int32]) -> None:
    """Check every hash, parameter count and range of values.

    Args:
        name: Name of the table in an error.
        parameters: The counts by the formula of the space, ``[N]``.

    Raises:
        TableError: If one is wrong.
    """
    _check_hashes(table, name, np.arange(len(table)))
    times, accuracies = table.metrics[..., TIME], table.metrics[..., ACCURACIES]
    _refuse(name, times < 0, "training time must be >= 0")
    if table.space.support.official_network is None:
        return
    row = first_true(table.trainable_parameters != parameters)
    if row is not None and "network" not in table.about:
        raise TableError(
            f"{name}: cell {row} ({digest_text(table.hashes[row])}): trainable_parameters is "
            f"{table.trainable_parameters[row]}, its graph has {parameters[row]}"
        )
    if SCORE not in table.about:
        outside = (accuracies < 0) | (accuracies > 1)
        _refuse(name, outside, "accuracies must be fractions from 0 to 1")


def check_distinct(table: Table, name: str) -> None:
    """Check that every row is another cell or, with texts, another architecture.

    Raises:
        TableError: If one appears twice, or a text is a drawing of another cell than its row's.
    """
    if table.texts is not None:
        _check_texts(table, name, table.texts)
        return
    twice = repeated_hash(table.hashes)
    if twice is not None:
        rows = np.flatnonzero(table.hashes == twice)
        raise TableError(
            f"{name}: cell {digest_text(twice)} appears more than once, in the rows "
            f"{listed(rows)}; keep one of them (Table.subset)"
        )


def _check_texts(table: Table, name: str, texts: Sequence[str]) -> None:
    if repeated := first_repeated(texts):
        text, *rows = repeated
        raise TableError(
            f"{name}: architecture {quoted(text)} appears more than once, in the rows "
            f"{listed(rows)}"
        )
    for row in _sample(table).tolist():
        try:
            drawn = table.space.support.from_text(texts[row])
        except (CellError, SpaceError) as error:
            raise TableError(f"{name}: row {row}: {error}") from None
        if drawn != table.cells[row]:
            raise TableError(
                f"{name}: row {row}: {quoted(texts[row])} is a drawing of another cell than the "
                f"row's; import the table again if an earlier version wrote it"
            )


def _sample(table: Table) -> NDArray[np.int64]:
    """Return the rows whose hashes and texts are checked on loading."""
    step = max(1, -(-len(table) // _HASHES_CHECKED_ON_LOAD))
    return np.arange(0, len(table), step)


def _check_hashes(table: Table, name: str, rows: NDArray[np.int64]) -> None:
    if (wrong := first_true(table.cells[rows].hashes() != table.hashes[rows])) is not None:
        row = int(rows[wrong])
        raise TableError(
            f"{name}: cell {row}: the stored hash {digest_text(table.hashes[row])} does not "
            f"match its graph, whose hash is {table.cells[row].hash}"
        )


def _refuse(name: str, wrong: NDArray[np.bool_], rule: str) -> None:
    """Raise an error about the first cell of ``wrong`` ``[N, ...]``, if there is one."""
    if wrong.any():
        raise TableError(f"{name}: cell {np.argwhere(wrong)[0, 0]}: {rule}")
