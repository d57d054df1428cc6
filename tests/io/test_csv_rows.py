"""Rows of CSV files by the names of their columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyg_nas.errors import TableError
from pyg_nas.io.csv_rows import read_csv


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_fields_by_name(tmp_path: Path, end: str, encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(end.join([" a ,b", '"1,5",x', "", "2,", ""]).encode(encoding))
    header, rows = read_csv(path)
    assert header == ["a", "b"]
    assert rows == [(2, {"a": "1,5", "b": "x"}), (4, {"a": "2", "b": ""})]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,a\n1,2\n", "line 1: column 'a' appears twice"),
        (b"a,b\n1\n", "line 2: has 1 fields, the first line 2"),
        ("a\n1\n".encode("utf-16"), "cannot be read as CSV"),
    ],
)
def test_what_is_invalid_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(TableError, match=message):
        read_csv(path, TableError)
