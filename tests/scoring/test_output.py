"""Files of scores, read by other programs."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.errors import SettingsError
from pyg_nas.scoring.output import check_score_format, write_file

BLOCKS = [
    {
        "row": np.array([0, 1]), "hash": np.array([b"a" * 32, b"b" * 32]),
        "score": np.array([0.5, 0.25]), "arch": np.array(["|é,1|".encode(), b"|x|"]),
    },
    {
        "row": np.array([2]), "hash": np.array([b"c" * 32]),
        "score": np.array([1 / 3]), "arch": np.array([b"longer text"]),
    },
]  # fmt: skip


def test_csv(tmp_path: Path) -> None:
    write_file(tmp_path / "s.csv", iter(BLOCKS))
    with (tmp_path / "s.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["hash", "score", "row", "arch"]
    assert [row["arch"] for row in rows] == ["|é,1|", "|x|", "longer text"]
    assert rows[2]["score"] == "0.333333333"


def test_arrow(tmp_path: Path) -> None:
    arrow = pytest.importorskip("pyarrow")
    import pyarrow.ipc

    write_file(tmp_path / "s.arrow", iter(BLOCKS))
    with arrow.memory_map(str(tmp_path / "s.arrow")) as source:
        table = pyarrow.ipc.open_file(source).read_all()
    assert table.column_names == ["hash", "score", "row", "arch"]
    assert table.column("arch").to_pylist() == ["|é,1|", "|x|", "longer text"]
    assert table.column("score").to_pylist() == [0.5, 0.25, 1 / 3]
    assert table.column("row").to_pylist() == [0, 1, 2]


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.ipc", None)
    with pytest.raises(SettingsError, match=r"pip install '\.\[arrow\]' in a clone"):
        check_score_format(tmp_path / "s.arrow")
    check_score_format(tmp_path / "s.csv")


@pytest.mark.parametrize("name", ["s", "s.CSV", "s.v2", "run-0.5", ".csv", "s.parquet.csv"])
def test_other_names_are_csv(tmp_path: Path, name: str) -> None:
    write_file(tmp_path / name, iter(BLOCKS))
    assert (tmp_path / name).read_text().startswith("hash,score,row,arch\n")


def test_an_ending_in_capitals_is_arrow(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    write_file(tmp_path / "s.ARROW", iter(BLOCKS))
    assert (tmp_path / "s.ARROW").read_bytes().startswith(b"ARROW1")


@pytest.mark.parametrize("name", ["s.parquet", "s.csv.gz", "s.JSON"])
def test_files_of_other_formats_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(SettingsError) as caught:
        write_file(tmp_path / name, iter(BLOCKS))
    rule = f"scores are written as .csv or .arrow, not as {Path(name).suffix.lower()}"
    assert str(caught.value).endswith(f"{name}: {rule}")
