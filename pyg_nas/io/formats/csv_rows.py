"""CSV files with a header, row by row."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator
from typing import Any

from pyg_nas.errors import SettingsError, first_repeated, quoted
from pyg_nas.io.files import atomic_path
from pyg_nas.io.formats.json_lines import read_lines
from pyg_nas.io.limits import MOST_COLUMNS
from pyg_nas.io.regular_files import AnyPath, Failure
from pyg_nas.io.text import counted


def read_csv(
    path: AnyPath, failure: Failure = SettingsError
) -> tuple[list[str], Iterator[tuple[int, dict[str, str]]]]:
    """Return the names of the columns, and (line number from 1, fields by name) of the rows.

    The file is UTF-8 with or without a byte order mark. Blank lines are skipped. Rows are read when
    they are asked for, so that a file of any length needs no memory.

    Raises:
        failure: If it cannot be read as CSV, has too many columns or one twice, or a row has
            another number of fields than the header; of rows when they are asked for.
    """
    rows = _rows(path, failure)
    line, names = next(rows, (1, []))
    header = [name.strip() for name in names]
    if len(header) > MOST_COLUMNS:
        raise failure(f"{path}: line {line}: {len(header):,} columns, at most {MOST_COLUMNS:,}")
    if repeated := first_repeated(header):
        raise failure(f"{path}: line {line}: column {quoted(repeated[0])} appears twice")
    return header, _fields(path, rows, header, failure)


def write_csv(path: AnyPath, columns: Iterable[str], rows: Iterable[Iterable[Any]]) -> None:
    """Write the names of the columns and the rows, completely or not at all."""
    with atomic_path(path) as temporary, temporary.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(rows)


def finite_number(text: str) -> float | None:
    """Return the finite number that a field has, or None."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _rows(path: AnyPath, failure: Failure) -> Iterator[tuple[int, list[str]]]:
    """Yield (number of the first line from 1, fields) of the rows that are not blank."""
    lines = read_lines(path, failure, blank=True)
    reader = csv.reader(
        line.decode("utf-8-sig" if number == 1 else "utf-8") for number, line in lines
    )
    line = 1
    try:
        for fields in reader:
            if fields:
                yield line, fields
            line = reader.line_num + 1
    except (UnicodeDecodeError, csv.Error) as error:
        raise failure(f"{path}: line {line}: cannot be read as CSV ({error})") from None


def _fields(
    path: AnyPath, rows: Iterator[tuple[int, list[str]]], header: list[str], failure: Failure
) -> Iterator[tuple[int, dict[str, str]]]:
    for line, fields in rows:
        if len(fields) != len(header):
            raise failure(
                f"{path}: line {line}: has {counted(len(fields), 'field')}, the header "
                f"{len(header)}"
            )
        yield line, dict(zip(header, fields, strict=True))
