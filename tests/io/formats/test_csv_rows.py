"""Rows of CSV files by the names of their columns."""

from __future__ import annotations

from pathlib import Path

import pytest

from pyg_nas.errors import SettingsError, TableError
from pyg_nas.io.formats.csv_rows import read_csv


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_fields_by_name(tmp_path: Path, end: str, encoding: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(end.join([" a ,b", '"1,5",x', "", "2,", ""]).encode(encoding))
    header, rows = read_csv(path)
    assert header == ["a", "b"]
    assert list(rows) == [(2, {"a": "1,5", "b": "x"}), (4, {"a": "2", "b": ""})]


def test_rows_before_an_invalid_one_are_read(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("\n\na,b\n1,2\n3\n")
    header, rows = read_csv(path)
    assert header == ["a", "b"]
    assert next(rows) == (4, {"a": "1", "b": "2"})
    with pytest.raises(SettingsError, match="line 5: has 1 field, the header 2"):
        next(rows)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"a,a\n1,2\n", "line 1: column 'a' appears twice"),
        (b"a,b\n1\n", "line 2: has 1 field, the header 2"),
        (b'a,b\n1,2\n"3,\n4\n', "line 3: has 1 field, the header 2"),  # the quotation has no end
        (b"a,b\n1,2\n\n3,\xff\n", "line 4: cannot be read as CSV"),
        ("a\n1\n".encode("utf-16"), "line 1: cannot be read as CSV"),
    ],
)
def test_what_is_invalid_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(TableError, match=message):
        list(read_csv(path, TableError)[1])
