"""The file format in which a benchmark publishes its measurements, as its space offers it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from pyg_nas.io.regular_files import AnyPath

if TYPE_CHECKING:
    from pyg_nas.graphs.cell_array import CellArray

Progress = Callable[[int, int], None]


class OfficialTable(NamedTuple):
    """The content of an official file, read or to be written.

    Attributes:
        cells: The ``N`` cells.
        metrics: float32 ``[N, B, S, 2, 4]``: budget, run, reading,
            :data:`~pyg_nas.spaces.measurements.METRICS`; NaN where not measured.
        budgets: The ``B`` budgets in epochs.
        about: Description of the source.
        hashes: ``S32 [N]``.
        trainable_parameters: int32 ``[N]``.
    """

    cells: CellArray
    metrics: NDArray[np.float32]
    budgets: tuple[int, ...]
    about: dict[str, Any]
    hashes: NDArray[np.bytes_]
    trainable_parameters: NDArray[np.int32]


class OfficialFormat(Protocol):
    """Reads and writes the official files of a space."""

    def read(self, source: AnyPath, progress: Progress | None = None) -> OfficialTable:
        """Read a file.

        Args:
            source: The file.
            progress: Called with (bytes done, bytes in all).

        Raises:
            RecordError: If a record is damaged or invalid; the message has its byte offset.
        """

    def write(self, table: OfficialTable, target: AnyPath, progress: Progress | None = None) -> int:
        """Write a file, completely or not at all, and return its number of records.

        Args:
            table: The measurements; graphs and hashes must be valid.
            target: The file.
            progress: Called with (cells done, cells in all).

        Raises:
            TableError: If they cannot be written without loss, or the file could not be read; the
                message names the cell.
        """
