"""Tables and searches as pandas data frames, and frames as tables.

A frame of cells has one row for each cell, the columns ``hash``, ``operations`` (names, one per
vertex) and ``edges`` (source, target), and a column for each number. Where rows are drawings in
text form, as in NAS-Bench-201, these are in the column ``arch``. Measured runs have columns
``METRIC/EPOCHS/RUN/READING``, for example ``validation_accuracy/108/0/end``. ``METRIC`` alone is
the end of run 0 at the largest official budget of the space, as in a CSV file without epochs:
frames of searches have ``test_accuracy``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.data.tables.architecture_csv import ARCHITECTURE
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import (
    CellError,
    SettingsError,
    SpaceError,
    TableError,
    argument,
    first_repeated,
    first_true,
    listed,
    needs_extra,
    quoted,
)
from pyg_nas.graphs.cell import Cell
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.registry import default_space, find_space
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.spaces.measurements import END, METRICS, READINGS, RUN_SHAPE

if TYPE_CHECKING:
    import pandas as pd

_CELL_COLUMNS = ("hash", "operations", "edges", "trainable_parameters", ARCHITECTURE)


def cells_frame(cells: Iterable[Cell], columns: dict[str, Any]) -> pd.DataFrame:
    """Return a data frame of cells and their numbers.

    Raises:
        SettingsError: If pandas is not installed.
    """
    pandas = pandas_module()
    every = list(cells)
    return pandas.DataFrame(
        {
            "hash": [cell.hash for cell in every],
            "operations": [cell.operations for cell in every],
            "edges": [cell.edges for cell in every],
            **columns,
        }
    )


def table_frame(table: Table) -> pd.DataFrame:
    """Return a table as a data frame; columns in which nothing is measured are left out.

    Raises:
        SettingsError: If pandas is not installed.
        TableError: If a target has the name of another column.
    """
    if taken := [name for name in table.targets if name in _CELL_COLUMNS]:
        raise TableError(
            f"target {taken[0]!r} cannot be a column of a data frame, whose other columns are "
            f"{listed(_CELL_COLUMNS)}"
        )
    columns: dict[str, Any] = {"trainable_parameters": table.trainable_parameters, **table.targets}
    if table.texts is not None:
        columns = {ARCHITECTURE: table.texts, **columns}
    for b, budget in enumerate(table.budgets):
        for run in range(table.num_runs):
            for r, reading in enumerate(READINGS):
                for m, metric in enumerate(METRICS):
                    values = table.metrics[:, b, run, r, m]
                    if not np.isnan(values).all():
                        columns[f"{metric}/{budget}/{run}/{reading}"] = values
    return cells_frame(table.cells, columns)


def read_frame(
    frame: pd.DataFrame,
    space: SearchSpace | str | None = None,
    about: dict[str, Any] | None = None,
) -> Table:
    """Return the table of a data frame, the inverse of :func:`table_frame`.

    Frames of searches become tables too; what only the search knows, such as predictions, becomes
    targets.

    Args:
        frame: With the columns ``operations`` and ``edges``; ``hash`` is not needed, and without
            ``trainable_parameters`` they are counted. ``arch`` has the drawings, if several may be
            of one cell. Other columns of numbers become targets.
        space: The space of the cells or its name, by default the default one.
        about: Description of the measurements.

    Raises:
        TableError: If a column is missing, has no numbers or is there twice, two columns are of the
            same readings, or a row is not a cell of the space or a drawing of another one.
        SpaceError: If no space has the name.
    """
    of_another = f"; if it is of another space, give {argument('space')}" if space is None else ""
    if isinstance(space, str):
        space = find_space(space)
    space = space or default_space()
    if repeated := first_repeated(frame.columns):
        raise TableError(
            f"columns of a data frame must differ, {quoted(repeated[0])} is there twice"
        )
    for name in ("operations", "edges"):
        if name not in frame.columns:
            raise TableError(f"a data frame of cells needs the column {name!r}")
    cells = []
    for row, (operations, edges) in enumerate(
        zip(frame["operations"], frame["edges"], strict=True)
    ):
        try:
            cells.append(Cell.from_edges(list(edges), list(operations), space))
        except (CellError, SpaceError, TypeError) as error:
            raise TableError(f"row {row} of the data frame: {error}{of_another}") from None
    largest = space.support.largest_budget
    measured = {name: _reading(name, largest) for name in frame.columns}
    places = [place for place in measured.values() if place is not None]
    same = [str(name) for name, place in measured.items() if place and places.count(place) > 1]
    if same:
        raise TableError(f"columns {listed(same)} of the data frame are of the same readings")
    budgets = sorted({budget for _, budget, _, _ in places}) or [1]
    runs = 1 + max((run for _, _, run, _ in places), default=0)
    shape = (len(cells), len(budgets), runs, *RUN_SHAPE)
    metrics = np.full(shape, np.nan, dtype=np.float32)
    targets = {}
    for name, place in measured.items():
        if name in _CELL_COLUMNS:
            continue
        values = _numbers(frame, name)
        if place is None:
            targets[str(name)] = values
        else:
            metric, budget, run, reading = place
            metrics[:, budgets.index(budget), run, reading, metric] = values
    array, texts = CellArray.from_cells(cells, space), None
    if ARCHITECTURE in frame.columns:
        texts = _texts(frame[ARCHITECTURE], array)
    table = Table(array, metrics, budgets, about, targets=targets, texts=texts)
    if "trainable_parameters" not in frame.columns:
        return table
    counts = _counts(frame)
    if (counts == table.trainable_parameters).all():
        return table
    described = {"network": "not known: read from a data frame", **table.about}
    return Table(table.cells, metrics, budgets, described, None, counts, targets, texts)


def _reading(name: Any, largest: int) -> tuple[int, int, int, int] | None:
    """Return metric, budget, run and reading of a column's name; None for any other name."""
    if name in METRICS:
        return METRICS.index(name), largest, 0, END
    parts = str(name).split("/")
    if len(parts) != 4 or parts[0] not in METRICS or parts[3] not in READINGS:
        return None
    if not (parts[1].isdecimal() and parts[2].isdecimal()) or int(parts[2]) > 999:
        return None
    return METRICS.index(parts[0]), int(parts[1]), int(parts[2]), READINGS.index(parts[3])


def _numbers(frame: pd.DataFrame, name: Any) -> Any:
    try:
        return frame[name].to_numpy(dtype=np.float64, na_value=np.nan)
    except (TypeError, ValueError):
        raise TableError(f"column {quoted(name)} of the data frame must contain numbers") from None


def _texts(column: Iterable[Any], cells: CellArray) -> list[str]:
    """Return the text forms of drawings, in this package's notation."""
    texts = []
    for row, text in enumerate(column):
        try:
            if Cell.from_text(text, cells.space) != cells[row]:
                raise CellError(f"{quoted(text)} is a drawing of another cell than the row's")
            texts.append(cells.space.support.canonical_text(text))
        except (CellError, SpaceError) as error:
            raise TableError(f"row {row} of the data frame: {error}") from None
    return texts


def _counts(frame: pd.DataFrame) -> NDArray[np.int32]:
    """The column of parameters ``[N]``, -1 where there is no number."""
    name = "trainable_parameters"
    counts: NDArray[np.float64] = np.nan_to_num(_numbers(frame, name), nan=-1.0)
    whole = (counts == np.floor(counts)) & (counts >= -1) & (counts <= np.iinfo(np.int32).max)
    if (row := first_true(~whole)) is not None:
        raise TableError(
            f"column {name!r} must have whole numbers below 2**31, got {counts[row]:g}"
        )
    return counts.astype(np.int32)


def pandas_module() -> Any:
    """Return pandas.

    Raises:
        SettingsError: If it is not installed.
    """
    try:
        import pandas
    except ModuleNotFoundError:
        raise SettingsError(needs_extra("data frames need pandas", "pandas")) from None
    return pandas
