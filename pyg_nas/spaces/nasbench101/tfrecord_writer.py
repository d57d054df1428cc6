"""TFRecord files in the official format, for tools that read only that."""

from __future__ import annotations

import base64
import os
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import TableError
from pyg_nas.graphs.official_format import OfficialTable
from pyg_nas.io.files import atomic_path
from pyg_nas.spaces.measurements import HALFWAY, TIME
from pyg_nas.spaces.nasbench101.run_message import encode_message
from pyg_nas.spaces.nasbench101.space import NASBENCH101, NASBENCH101_BUDGETS
from pyg_nas.spaces.nasbench101.tfrecord_framing import frame
from pyg_nas.spaces.nasbench101.tfrecord_reader import (
    MOST_BUDGETS,
    MOST_EPOCHS,
    NUM_RUNS,
    first_bad_reading,
)


def write_records(
    table: OfficialTable,
    target: str | os.PathLike[str],
    progress: Callable[[int, int], None] | None = None,
) -> int:
    """Write results in the official NAS-Bench-101 format, completely or not at all.

    Each measured run is one record, cell by cell, by ascending budget and run: reading the file
    returns exactly the same table. The evaluation at the start of training, which tables do not
    store, is written with epoch and training time 0 and without accuracies; the total time is left
    out.

    The format cannot express *not measured*: a run is written if all its numbers are measured and
    left out if none is. To lose nothing silently, a run measured in part, a run missing before a
    measured one (which would be read under another number) and a cell without any run are refused.
    So is what a reader would refuse: accuracies in percent, and more than eight budgets including
    the four official ones. The official package draws from three runs, so it fails at random on
    cells that have fewer.

    Args:
        table: The measurements; graphs and hashes must be valid.
        target: The TFRecord file.
        progress: Called with (cells done, cells in all).

    Returns:
        The number of records.

    Raises:
        TableError: If the table cannot be written without loss, or the file could not be read;
            the message names the cell.
    """
    _check_writable(table)
    measured = ~np.isnan(table.metrics[..., HALFWAY, TIME])
    records = 0
    with atomic_path(target) as temporary, temporary.open("wb") as file:
        for row, digest in enumerate(table.hashes.tolist()):
            v = int(table.cells.num_vertices[row])
            digits = "".join(map(str, table.cells.adjacency[row, :v, :v].ravel().tolist()))
            names = ",".join(NASBENCH101.decode(table.cells.operations[row, :v].tolist()))
            parameters = int(table.trainable_parameters[row])
            for b, r in np.argwhere(measured[row]).tolist():
                epochs = table.budgets[b]
                message = encode_message(epochs, table.metrics[row, b, r], parameters)
                encoded = base64.b64encode(message).decode("ascii")
                payload = f'["{digest.decode()}", {epochs}, "{digits}", "{names}", "{encoded}"]'
                file.write(frame(payload.encode("ascii")))
                records += 1
            if progress is not None:
                progress(row + 1, len(table.cells))
    return records


def _check_writable(table: OfficialTable) -> None:
    if not len(table.cells):
        raise TableError("the table has no cell, a TFRecord file needs at least one record")
    numbers = ~np.isnan(table.metrics).reshape(*table.metrics.shape[:3], -1)
    whole: NDArray[np.bool_] = np.all(numbers, axis=-1)
    some: NDArray[np.bool_] = np.any(numbers, axis=-1)

    def refuse(places: NDArray[np.int64], reason: str) -> None:
        """Refuse the first of places ``[k, 1]`` or ``[k, 3]``: cell, budget, run."""
        for row, *rest in places[:1].tolist():
            at = f", {table.budgets[rest[0]]} epochs, run {rest[1]}" if rest else ""
            digest = table.hashes[row].decode("ascii", errors="replace")
            raise TableError(f"cell {row} ({digest}){at}: {reason}")

    refuse(
        np.argwhere(some & ~whole),
        "the run is measured in part; a TFRecord needs time and accuracies, halfway and at the end",
    )
    runs = np.argwhere(whole)
    refuse(
        runs[runs[:, 2] >= NUM_RUNS],
        f"a TFRecord file has at most {NUM_RUNS} runs per cell and budget",
    )
    refuse(
        np.argwhere(~whole[:, :, :-1] & whole[:, :, 1:]),
        "the run is not measured but the next one is; a TFRecord has no place for the gap",
    )
    refuse(
        np.argwhere(~whole.any(axis=(1, 2))), "nothing is measured, so there is no record to write"
    )
    wrong = first_bad_reading(table.metrics[whole].astype(np.float64))
    if wrong is not None:
        refuse(runs[wrong[0] :], wrong[1])
    epochs = [table.budgets[b] for b in np.unique(runs[:, 1])]
    if epochs[-1] > MOST_EPOCHS:
        raise TableError(
            f"a TFRecord file has at most {MOST_EPOCHS:,} epochs per run, the table has runs of "
            f"{epochs[-1]:,}"
        )
    budgets = sorted({*NASBENCH101_BUDGETS, *epochs})
    if len(budgets) > MOST_BUDGETS:
        raise TableError(
            f"a TFRecord file has at most {MOST_BUDGETS} budgets, the official "
            f"{', '.join(map(str, NASBENCH101_BUDGETS))} included; the table's make them "
            f"{', '.join(map(str, budgets))}"
        )
    other = np.argwhere(table.cells.hashes() != table.hashes)
    refuse(other, "its hash is not that of its graph")
