"""Tables of architectures in text form as CSV files.

A row is one measurement. Columns:

==========================  ====================================================================
``arch``                    text form of the architecture in its space
``epochs``                  budget; by default the largest official one of the space
``seed``                    optional: one run; runs are numbered in the order of the seeds
``training_time``           seconds, optional as the next three
``train_accuracy``          fractions or percent
``validation_accuracy``     the same
``test_accuracy``           the same
any other number            a target of that name, such as a latency: one value an architecture
==========================  ====================================================================

Rows may have any order, and an empty field is not measured. Columns of other names without any
number are ignored.
Rows are kept as numbers, 8 bytes for each column: a file may be larger than memory.
"""

from __future__ import annotations

import math
import os
from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.data.protocols.direction import Direction, direction
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import CellError, TableError, first_true, listed, quoted
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.formats.csv_rows import finite_number, read_csv, write_csv
from pyg_nas.io.limits import LARGEST_FLOAT32, LARGEST_LABEL, MOST_TABLE_BYTES
from pyg_nas.io.text import counted
from pyg_nas.spaces.measurements import ACCURACIES, END, METRICS, RUN_SHAPE, TIME

ARCHITECTURE, EPOCHS, SEED = "arch", "epochs", "seed"
_KEYS = (ARCHITECTURE, EPOCHS, SEED)
_PERCENT = 100.0
_LARGEST_WHOLE = 2**53  # every smaller whole number is a float
_MOST_SHOWN = 20  # seeds in a note
_MOST_TEXT = 120  # most characters of an architecture in a message


@dataclass
class ImportedTable:
    """A table and the decisions made while it was read.

    Attributes:
        table: One row per architecture, in the order of the space's list of architectures.
        notes: Sentences about the decisions, for the user.
    """

    table: Table
    notes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class _Rows:
    """The ``R`` rows of a file as columns.

    Attributes:
        lines: int64 ``[R]``, from 1.
        texts: Different architectures, in their canonical text forms.
        architectures: int64 ``[R]``, places in ``texts``.
        epochs: int64 ``[R]``.
        seeds: int64 ``[R]``.
        numbers: float64 ``[R]`` by the name of the column, NaN for an empty field.
        ignored: Names of the columns without a number.
    """

    lines: NDArray[np.int64]
    texts: list[str]
    architectures: NDArray[np.int64]
    epochs: NDArray[np.int64]
    seeds: NDArray[np.int64]
    numbers: dict[str, NDArray[np.float64]]
    ignored: list[str]

    def text(self, row: int) -> str:
        """Return the architecture of a row as a message shows it."""
        return quoted(self.texts[self.architectures[row]], _MOST_TEXT)


def read_architectures(path: str | os.PathLike[str], space: SearchSpace) -> ImportedTable:
    """Read a CSV file of measured architectures.

    Args:
        space: A space with a text form.

    Raises:
        TableError: If the file is invalid: an unknown architecture, a field that is not a number,
            a repeated measurement, fractions and percent in one column, or conflicting values of a
            target; the message names the line.
        SpaceError: If the space has no text form.
    """
    path = Path(path)
    rows = _read(path, space)
    if not len(rows.lines):
        raise TableError(f"{path}: has no measurement")
    _check_distinct(path, rows)
    notes: list[str] = []
    accuracies = [name for name in METRICS[ACCURACIES] if name in rows.numbers]
    units = {name: _unit(path, rows, name, notes) for name in accuracies}
    percent = [name for name, unit in units.items() if unit == _PERCENT]
    if percent:
        notes.insert(0, f"{', '.join(percent)}: read as percent, kept as fractions")
    for name, values in rows.numbers.items():
        _clear_sentinels(name, values, notes)
    order = _order(rows.texts, space)
    texts = [rows.texts[place] for place in order]
    budgets, seeds = (np.unique(column).tolist() for column in (rows.epochs, rows.seeds))
    targets = {name: _target(path, rows, name) for name in rows.numbers if name not in METRICS}
    try:
        table = Table(
            space.support.cells_of_texts(texts),
            _metrics(rows, (budgets, seeds), units)[order],
            budgets,
            {"source": path.name, **({"seeds": seeds} if seeds != [0] else {})},
            texts=texts,
            targets={name: values[order] for name, values in targets.items()},
        )
    except TableError as error:  # too many runs, or a name that no target may have
        raise TableError(f"{path}: {error}") from None
    if len(seeds) > 1:
        shown = ", ".join(map(str, seeds[:_MOST_SHOWN])) + (", ..." if seeds[_MOST_SHOWN:] else "")
        notes.append(f"runs 0 to {len(seeds) - 1} are the seeds {shown}")
        first = len(np.unique(rows.architectures[rows.seeds == seeds[0]]))
        if first < len(texts):
            notes.append(
                f"{first:,} of {len(texts):,} architectures have run 0, which is the label unless "
                f"another run or the mean is chosen"
            )
    if targets:
        notes.append(f"further targets: {listed(targets)}")
    if rows.ignored:
        notes.append(f"ignored, as they have no number: {listed(rows.ignored)}")
    return ImportedTable(table, notes)


def write_architectures(table: Table, path: str | os.PathLike[str]) -> None:
    """Write a table's final readings as CSV, one row per architecture, budget and run.

    Accuracies are fractions. Rows without any measurement are left out, except one for each
    architecture.

    Raises:
        SpaceError: If the table's space has no text form.
    """
    texts = table.architecture_texts()
    write_csv(path, [*_KEYS, *METRICS, *table.targets], _lines(table, texts))


def _lines(table: Table, texts: Sequence[str]) -> Iterator[list[Any]]:
    seeds = table.seeds
    for index, text in enumerate(texts):
        targets = [_field(values[index]) for values in table.targets.values()]
        ends = table.metrics[index, :, :, END]
        measured = np.argwhere(~np.isnan(ends).all(axis=2)).tolist()
        for b, run in measured:
            yield [text, table.budgets[b], seeds[run], *map(_field, ends[b, run]), *targets]
        if not measured:
            yield [text, table.budgets[-1], seeds[0], *[""] * len(METRICS), *targets]


def _field(value: float) -> str:
    # In the precision of the table: 0.9461 in single precision is not 0.946099996566772.
    return "" if np.isnan(value) else str(value)


def _read(path: Path, space: SearchSpace) -> _Rows:
    header, rows = read_csv(path, TableError)
    if ARCHITECTURE not in header:
        raise TableError(
            f"{path}: line 1: needs a column {ARCHITECTURE!r} between commas, has {quoted(header)}"
        )
    if "" in header:
        raise TableError(
            f"{path}: line 1: column {header.index('') + 1} has no name; if it is the index of a "
            f"data frame, write it without: to_csv(..., index=False)"
        )
    for name in header:
        known = "_".join(name.lower().replace("-", " ").replace("_", " ").split())
        if known != name and known in (*_KEYS, *METRICS):
            raise TableError(f"{path}: line 1: column {quoted(name)} must be named {known!r}")
    default = space.support.largest_budget
    places: dict[str, int] = {}
    canonical: dict[str, int] = {}
    keys = array("q")
    numbers = {name: array("d") for name in header if name not in _KEYS}
    numeric: set[str] = set()
    refused: dict[str, tuple[int, str]] = {}  # the first field of a column that is not a number
    for line, fields in rows:
        text = fields[ARCHITECTURE].strip()
        if text not in places:
            try:
                one = space.support.canonical_text(text)
            except CellError as error:
                raise TableError(f"{path}: line {line}: {error}") from None
            places[text] = canonical.setdefault(one, len(canonical))
        epochs = _whole(path, line, EPOCHS, fields.get(EPOCHS, ""), default, 1)
        seed = _whole(path, line, SEED, fields.get(SEED, ""), 0, 0)
        keys.extend((line, places[text], epochs, seed))
        for name, column in numbers.items():
            value = math.nan
            if written := fields[name].strip():
                found = finite_number(written)
                if found is not None:
                    numeric.add(name)
                if found is None or not _least(name) <= found <= _largest(name):
                    refused.setdefault(name, (line, fields[name]))
                else:
                    value = found
            column.append(value)
    for name, (line, field_) in sorted(refused.items(), key=lambda item: item[1][0]):
        if name in numeric or name in METRICS:
            raise TableError(
                f"{path}: line {line}: {name} must be empty or a number from {_least(name):g} "
                f"to {_largest(name):g}, got {quoted(field_)}"
            )
    lines, architectures, epochs_, seeds = np.array(keys, dtype=np.int64).reshape(-1, 4).T
    return _Rows(
        lines,
        list(canonical),
        architectures,
        epochs_,
        seeds,
        {name: np.array(column) for name, column in numbers.items() if name in numeric},
        [name for name in numbers if name not in numeric],
    )


def _largest(name: str) -> float:
    return LARGEST_FLOAT32 if name in METRICS else LARGEST_LABEL


def _least(name: str) -> float:
    return 0.0 if name == METRICS[TIME] else -_largest(name)


def _whole(path: Path, line: int, name: str, text: str, default: int, least: int) -> int:
    if not text.strip():
        return default
    value = finite_number(text)
    if value is None or value != int(value) or not least <= value <= _LARGEST_WHOLE:
        raise TableError(
            f"{path}: line {line}: {name} must be a whole number from {least} to "
            f"{_LARGEST_WHOLE:,}, got {quoted(text)}"
        )
    return int(value)


def _unit(path: Path, rows: _Rows, name: str, notes: list[str]) -> float:
    """Return the unit of an accuracy: percent if some value is above 1, else 1.

    What is unusual in percent becomes a note.
    """
    values = rows.numbers[name]
    if (row := first_true((values < 0) | (values > _PERCENT))) is not None:
        raise TableError(
            f"{path}: line {rows.lines[row]}: {name} must be 0 to 1 or 0 to 100, got "
            f"{values[row]:g}"
        )
    above, low = np.flatnonzero(values > 1), np.flatnonzero((values > 0) & (values <= 1))
    if not len(above):
        return 1.0
    known = len(above) + len(low)
    if len(low) > len(above):
        raise TableError(
            f"{path}: line {rows.lines[above[0]]}: {name} mixes fractions and percent: it is "
            f"{values[above[0]]:g}, and {len(low):,} of {known:,} values are at most 1; "
            f"write all of them as fractions"
        )
    if len(low):
        notes.append(
            f"{name}: {len(low):,} of {known:,} values are at most 1 and read as percent too, such "
            f"as {values[low[0]]:g} in line {rows.lines[low[0]]}"
        )
    return _PERCENT


def _check_distinct(path: Path, rows: _Rows) -> None:
    keys = rows.architectures, rows.epochs, rows.seeds
    order = np.lexsort(keys)  # stable
    equal = np.logical_and.reduce([key[order[1:]] == key[order[:-1]] for key in keys])
    if not equal.any():
        return
    first, second = min(
        zip(order[:-1][equal], order[1:][equal], strict=True), key=lambda pair: int(pair[1])
    )
    raise TableError(
        f"{path}: line {rows.lines[second]}: {rows.text(second)} with epochs "
        f"{rows.epochs[second]} and seed {rows.seeds[second]} is in line {rows.lines[first]} "
        f"already"
    )


def _metrics(
    rows: _Rows, axes: tuple[list[int], list[int]], units: dict[str, float]
) -> NDArray[np.float32]:
    """Return the final readings in a table's metrics, whose first axes are texts, epochs, seeds."""
    budgets, seeds = axes
    shape = (len(rows.texts), len(budgets), len(seeds), *RUN_SHAPE)
    if 4 * math.prod(shape) > MOST_TABLE_BYTES:
        raise TableError(
            f"{counted(shape[0], 'architecture')} with {counted(shape[1], 'budget')} and "
            f"{counted(shape[2], 'seed')} need more than {MOST_TABLE_BYTES:,} bytes; number the "
            f"runs of each architecture from 0 in place of its seeds"
        )
    metrics = np.full(shape, np.nan, np.float32)
    budget, seed = np.searchsorted(budgets, rows.epochs), np.searchsorted(seeds, rows.seeds)
    for place, name in enumerate(METRICS):
        if name in rows.numbers:
            measured = rows.numbers[name] / units.get(name, 1.0)
            metrics[rows.architectures, budget, seed, END, place] = measured
    return metrics


def _clear_sentinels(name: str, values: NDArray[np.float64], notes: list[str]) -> None:
    """Set the values -1 of a cost to not measured, where no other value is below zero.

    HW-NAS-Bench has the latency -1 where a device did not run an architecture; a search for the
    lowest one would find these.
    """
    below = values < 0
    is_cost = direction(name) == Direction(larger_is_better=False)
    if is_cost and below.any() and (values[below] == -1).all() and (values > 0).any():
        values[below] = np.nan
        notes.append(f"{name}: {counted(int(below.sum()), 'value')} of -1 read as not measured")


def _target(path: Path, rows: _Rows, name: str) -> NDArray[np.float64]:
    """Return a target of the architectures, NaN where it is not measured."""
    values = rows.numbers[name]
    known = np.flatnonzero(~np.isnan(values))
    found, first, place = np.unique(
        rows.architectures[known], return_index=True, return_inverse=True
    )
    if (conflict := first_true(values[known] != values[known[first]][place])) is not None:
        row, other = known[conflict], known[first[place[conflict]]]
        raise TableError(
            f"{path}: line {rows.lines[row]}: {name} of {rows.text(row)} is "
            f"{float(values[row])!r}, in line {rows.lines[other]} it is {float(values[other])!r}"
        )
    target = np.full(len(rows.texts), np.nan)
    target[found] = values[known[first]]
    return target


def _order(texts: list[str], space: SearchSpace) -> list[int]:
    """Return the places of texts in the order of the space's list of architectures, if any."""
    listed_at = {text: index for index, text in enumerate(space.support.architecture_texts())}
    last = len(listed_at)
    return sorted(range(len(texts)), key=lambda i: (listed_at.get(texts[i], last), texts[i]))
