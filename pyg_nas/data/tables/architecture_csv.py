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

Rows may have any order, and an empty field is not measured. Columns without any number are ignored.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.data.tables.table import Table
from pyg_nas.errors import CellError, TableError, first_repeated, quoted
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.csv_rows import finite_number, read_csv, write_csv
from pyg_nas.io.limits import LARGEST_FLOAT32, LARGEST_LABEL, MOST_TABLE_BYTES
from pyg_nas.spaces.measurements import ACCURACIES, END, METRICS, READINGS

ARCHITECTURE, EPOCHS, SEED = "arch", "epochs", "seed"
_KEYS = (ARCHITECTURE, EPOCHS, SEED)
_PERCENT = 100.0
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
class _Row:
    line: int
    text: str
    epochs: int
    seed: int
    numbers: dict[str, float]


def read_architectures(path: str | os.PathLike[str], space: SearchSpace) -> ImportedTable:
    """Read a CSV file of measured architectures.

    Args:
        space: A space with a text form.

    Raises:
        TableError: If the file is invalid: an unknown architecture, a field that is not a number,
            a repeated measurement, or conflicting values of a target; the message names the line.
        SpaceError: If the space has no text form.
    """
    path = Path(path)
    rows, columns = _read(path, space)
    if not rows:
        raise TableError(f"{path}: has no measurement")
    _check_distinct(path, rows)
    notes: list[str] = []
    percent = [name for name in METRICS[ACCURACIES] if _is_percent(path, rows, name)]
    if percent:
        notes.append(f"{', '.join(percent)}: read as percent, kept as fractions")
    texts = _ordered({row.text for row in rows}, space)
    budgets = sorted({row.epochs for row in rows})
    seeds = sorted({row.seed for row in rows})
    table = Table(
        space.support.cells_of_texts(texts),
        _metrics(path, rows, (texts, budgets, seeds), percent),
        budgets,
        {"source": path.name},
        texts=texts,
        targets={name: _target(path, rows, texts, name) for name in columns if name not in METRICS},
    )
    if len(seeds) > 1:
        shown = ", ".join(map(str, seeds[:_MOST_SHOWN])) + (", ..." if seeds[_MOST_SHOWN:] else "")
        notes.append(f"runs 0 to {len(seeds) - 1} are the seeds {shown}")
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
    for index, text in enumerate(texts):
        targets = [_field(values[index]) for values in table.targets.values()]
        ends = table.metrics[index, :, :, END]
        measured = np.argwhere(~np.isnan(ends).all(axis=2)).tolist()
        for b, run in measured:
            yield [text, table.budgets[b], run, *map(_field, ends[b, run]), *targets]
        if not measured:
            yield [text, table.budgets[-1], 0, *[""] * len(METRICS), *targets]


def _field(value: float) -> str:
    # In the precision of the table: 0.9461 in single precision is not 0.946099996566772.
    return "" if np.isnan(value) else str(value)


def _read(path: Path, space: SearchSpace) -> tuple[list[_Row], list[str]]:
    """Return the rows and the names of the columns of numbers."""
    header, table = read_csv(path, TableError)
    if ARCHITECTURE not in header:
        raise TableError(f"{path}: line 1: needs a column {ARCHITECTURE!r}, has {quoted(header)}")
    largest_by_column = {
        name: LARGEST_FLOAT32 if name in METRICS else LARGEST_LABEL
        for name in header
        if name not in _KEYS and any(finite_number(fields[name]) is not None for _, fields in table)
    }
    default = space.support.budgets[-1] if space.support.budgets else 1
    canonical: dict[str, str] = {}
    rows = []
    for line, fields in table:
        text = fields[ARCHITECTURE].strip()
        if text not in canonical:
            try:
                canonical[text] = space.support.canonical_text(text)
            except CellError as error:
                raise TableError(f"{path}: line {line}: {error}") from None
        numbers = {}
        for name, largest in largest_by_column.items():
            if not fields[name].strip():
                continue
            value = finite_number(fields[name])
            if value is None or abs(value) > largest:
                raise TableError(
                    f"{path}: line {line}: {name} must be empty or a number from {-largest:g} to "
                    f"{largest:g}, got {quoted(fields[name])}"
                )
            numbers[name] = value
        epochs = _whole(path, line, EPOCHS, fields.get(EPOCHS, ""), default, 1)
        seed = _whole(path, line, SEED, fields.get(SEED, ""), 0, 0)
        rows.append(_Row(line, canonical[text], epochs, seed, numbers))
    return rows, list(largest_by_column)


def _whole(path: Path, line: int, name: str, text: str, default: int, least: int) -> int:
    if not text.strip():
        return default
    value = finite_number(text)
    if value is None or value != int(value) or value < least:
        raise TableError(
            f"{path}: line {line}: {name} must be a whole number from {least}, got {quoted(text)}"
        )
    return int(value)


def _is_percent(path: Path, rows: list[_Row], name: str) -> bool:
    """Return whether an accuracy is in percent: some value is above 1."""
    largest = max((row.numbers[name] for row in rows if name in row.numbers), default=0.0)
    for row in rows:
        if not 0 <= row.numbers.get(name, 0.0) <= _PERCENT:
            raise TableError(
                f"{path}: line {row.line}: {name} must be 0 to 1 or 0 to 100, got "
                f"{row.numbers[name]:g}"
            )
    return largest > 1


def _check_distinct(path: Path, rows: list[_Row]) -> None:
    repeated = first_repeated((row.text, row.epochs, row.seed) for row in rows)
    if repeated:
        (text, epochs, seed), first, second = repeated
        raise TableError(
            f"{path}: line {rows[second].line}: {quoted(text, _MOST_TEXT)} with epochs {epochs} "
            f"and seed {seed} is in line {rows[first].line} already"
        )


def _metrics(
    path: Path,
    rows: list[_Row],
    axes: tuple[list[str], list[int], list[int]],
    percent: list[str],
) -> NDArray[np.float32]:
    """Return the final readings in a table's metrics, whose first axes are texts, epochs, seeds."""
    texts, budgets, seeds = axes
    shape = (len(texts), len(budgets), len(seeds), len(READINGS), len(METRICS))
    if 4 * math.prod(shape) > MOST_TABLE_BYTES:
        raise TableError(
            f"{path}: {len(texts):,} architectures with {len(budgets):,} numbers of epochs and "
            f"{len(seeds):,} seeds need more than {MOST_TABLE_BYTES:,} bytes"
        )
    metrics = np.full(shape, np.nan, np.float32)
    text_at, budget_at, seed_at = ({one: i for i, one in enumerate(axis)} for axis in axes)
    for row in rows:
        measured = metrics[text_at[row.text], budget_at[row.epochs], seed_at[row.seed], -1]
        for place, name in enumerate(METRICS):
            if name in row.numbers:
                unit = _PERCENT if name in percent else 1.0
                measured[place] = row.numbers[name] / unit
    return metrics


def _target(path: Path, rows: list[_Row], texts: list[str], name: str) -> NDArray[np.float64]:
    """Return a target of the architectures, NaN where it is not measured."""
    known: dict[str, _Row] = {}
    for row in rows:
        if name in row.numbers:
            value, first = row.numbers[name], known.setdefault(row.text, row)
            if first.numbers[name] != value:
                raise TableError(
                    f"{path}: line {row.line}: {name} of {quoted(row.text, _MOST_TEXT)} is "
                    f"{value:g}, in line {first.line} it is {first.numbers[name]:g}"
                )
    return np.array([known[text].numbers[name] if text in known else np.nan for text in texts])


def _ordered(texts: set[str], space: SearchSpace) -> list[str]:
    """Sort by the space's list of architectures, if it has one."""
    listed = {text: index for index, text in enumerate(space.support.architecture_texts())}
    return sorted(texts, key=lambda text: (listed.get(text, len(listed)), text))
