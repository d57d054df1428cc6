"""Named splits: which rows of a table are training cells or evaluated cells.

The named splits are those of the reproduction: ``172``, ``334`` and ``860`` are the first n of
successive permutations of one ``RandomState`` over the table, ``91-n`` the cells of split ``n``
above 91 % accuracy, ``denoise-91`` and ``denoise-80`` all cells above that, and ``all`` every
cell. Any other whole number n takes the first n of the first permutation. A name that ends in
``.json``, ``.txt`` or ``.npz`` is a file of rows or hashes
(:mod:`pyg_nas.data.protocols.split_file`).

91 and 80 % are compared with :meth:`~pyg_nas.data.tables.table.Table.raw_accuracy`: the measured
accuracy of the label's run, by default the first one, and not with the label, in which a failed run
is replaced.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pyg_nas.data.protocols.split_file import SUFFIXES, is_split_file, read_split
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import SettingsError, check_count, quoted
from pyg_nas.io.limits import MOST_SEED
from pyg_nas.io.text import check_text, counted
from pyg_nas.metrics.thresholds import above, accuracy_unit

if TYPE_CHECKING:
    from pyg_nas.data.tables.sources import AnyTable

NAMED_SPLITS = (
    "172",
    "334",
    "860",
    "91-172",
    "91-334",
    "91-860",
    "denoise-91",
    "denoise-80",
    "all",
)

Rows = NDArray[np.int64]


def split_rows(
    table: AnyTable,
    split: str | int,
    labels: NDArray[np.float64],
    seed: int = 0,
    accuracies: NDArray[np.float64] | None = None,
) -> Rows:
    """Return the rows of a table that belong to a split, in the split's order.

    Rows whose label is NaN (not measured) are skipped, so that a split of a partial table is drawn
    from its measured rows; on a full table the rows are those of the reproduction.

    Args:
        table: The table.
        split: A name of :data:`NAMED_SPLITS`, ``91-n``, a whole number, or a split file.
        labels: ``[N]``; NaN where a row has none.
        seed: Random seed of the permutations.
        accuracies: ``[N]``, compared with thresholds, fractions or percent; by default the
            table's :meth:`~pyg_nas.data.tables.table.Table.raw_accuracy` by its default label.

    Raises:
        SettingsError: If the name is unknown, the split is larger than the measured table, a
            threshold is requested but no accuracy is measured, a split file is invalid or
            contains a row without a label, or the seed is no whole number from 0.
    """
    check_count("seed", seed, MOST_SEED, least=0)
    name = str(split)
    check_split(name)
    known = ~np.isnan(labels)
    if name == "all":
        return np.flatnonzero(known)
    if is_split_file(name):
        rows = read_split(name, table.hashes)
        missing = rows[~known[rows]]
        if len(missing):
            raise SettingsError(
                f"split {name}: row {missing[0]} has no label ({len(missing):,} of {len(rows):,} "
                f"rows have none)"
            )
        return rows
    if name.startswith("denoise-"):
        return np.flatnonzero(known & _passing(table, labels, accuracies, name, name[8:]))
    threshold, _, size = name.rpartition("-")
    if not 1 <= int(size) <= known.sum():
        raise SettingsError(
            f"split {name} must have 1 to {counted(int(known.sum()), table.thing)}, the table's "
            f"measured ones, got {int(size)}; the split all has each of them"
        )
    rows = _first_of_permutation(known, int(size), seed, table.space.support.split_sizes)
    if threshold:
        rows = rows[_passing(table, labels, accuracies, name, threshold)[rows]]
    return rows


def _passing(
    table: AnyTable,
    labels: NDArray[np.float64],
    accuracies: NDArray[np.float64] | None,
    name: str,
    percent: str,
) -> NDArray[np.bool_]:
    threshold = _threshold(name, percent)
    if accuracies is None:
        accuracies = table.raw_accuracy() if isinstance(table, Table) else labels
    if np.isnan(accuracies).all():
        raise SettingsError(f"split {name!r} needs accuracies, none is measured in the table")
    unit = accuracy_unit(accuracies)
    if unit is None:
        raise SettingsError(
            f"split {name!r} needs accuracies in fractions (0 to 1) or percent (0 to 100), they "
            f"are {np.nanmin(accuracies):g} to {np.nanmax(accuracies):g}"
        )
    return above(accuracies, unit * threshold)


def is_random(name: str) -> bool:
    """Return whether the cells of a split depend on a random seed."""
    return not (name == "all" or name.startswith("denoise-") or is_split_file(name))


def labels_needed(name: str, cells: float, labelled: int) -> float:
    """Return how many labels must be known to draw a split.

    A split of cells above a threshold needs those of the cells that it leaves out, too.

    Args:
        name: The split.
        cells: Number of its training cells, of a random split the mean over its draws.
        labelled: Number of cells of the table that have a label.
    """
    if is_split_file(name):
        return cells
    if name.startswith("denoise-"):
        return labelled
    threshold, _, size = name.rpartition("-")
    return int(size) if threshold else cells


def check_split(name: str) -> None:
    """Check that a text names a split; a table may still be too small for it.

    A split file is not opened.

    Raises:
        SettingsError: If it is not the name of a split.
    """
    check_text("split", name)
    if name == "all" or is_split_file(name):
        return
    threshold, dash, size = name.rpartition("-")
    if threshold == "denoise":
        _threshold(name, size)
    elif not _is_number(size) or (dash and not _is_number(threshold)):
        raise SettingsError(
            f"split {quoted(name)} must be one of {', '.join(NAMED_SPLITS)}, a whole number, or a "
            f"file of rows or hashes ({', '.join(SUFFIXES)})"
        )
    elif dash:
        _threshold(name, threshold)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 18


def _threshold(name: str, percent: str) -> float:
    if not _is_number(percent) or not 0 < int(percent) < 100:
        raise SettingsError(
            f"split {quoted(name)}: the threshold must be a percentage from 1 to 99"
        )
    return int(percent) / 100


def _first_of_permutation(
    known: NDArray[np.bool_], n: int, seed: int, sizes: tuple[int, ...]
) -> Rows:
    state = np.random.RandomState(seed)
    earlier = sizes.index(n) if n in sizes else 0
    for _ in range(earlier + 1):
        order = state.permutation(len(known))
    return order[known[order]][:n]
