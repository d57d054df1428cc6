"""Scores files: their order, and how they are matched to cells."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.data.tables.scores_file import read_scores, write_scores
from pyg_nas.data.tables.table import Table
from pyg_nas.errors import ModelError, SettingsError

HASHES = np.array([b"a" * 32, b"b" * 32, b"b" * 32], "S32")
SCORES = np.array([0.5, 0.25, 0.75])


def rows(path: Path) -> list[list[str]]:
    return [line.split(",") for line in path.read_text(encoding="ascii").splitlines()]


def test_the_best_come_first_with_their_rows(tmp_path: Path) -> None:
    write_scores(tmp_path / "s.csv", HASHES, SCORES)
    assert rows(tmp_path / "s.csv") == [
        ["hash", "score", "row"],
        ["b" * 32, "0.75", "2"],
        ["a" * 32, "0.5", "0"],
        ["b" * 32, "0.25", "1"],
    ]
    write_scores(tmp_path / "s.csv", HASHES, SCORES, larger_is_better=False)
    assert [row[2] for row in rows(tmp_path / "s.csv")[1:]] == ["1", "0", "2"]


def test_a_score_that_is_none_is_named(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=f"1 of 3 are not: cell {'b' * 32} has nan"):
        write_scores(tmp_path / "s.csv", HASHES, np.array([0.5, np.nan, 0.75]))
    assert not list(tmp_path.iterdir())


def test_further_columns_follow_the_order(tmp_path: Path) -> None:
    further = {"std": np.arange(len(SCORES)) / 8, "arch": ['a,"b"', *["c"] * (len(SCORES) - 1)]}
    write_scores(tmp_path / "s.csv", HASHES, SCORES, further=further)
    with (tmp_path / "s.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["hash", "score", "row", "std", "arch"]
    assert all(float(row["std"]) == int(row["row"]) / 8 for row in rows)
    assert next(row["arch"] for row in rows if row["row"] == "0") == 'a,"b"'


@pytest.mark.parametrize(
    "texts",
    [["a", "b", "cc"], ["a,b", "c,d", ",ee"], ["a,b", "c", "d"], ["a,b", 'c,"d', "e,f"],
     ["a,b", "c,\r", "d,e\nf"], ["a\n", "b", ""]],
)  # fmt: skip
def test_texts_are_quoted_as_pythons_csv_does(tmp_path: Path, texts: list[str]) -> None:
    further = {"arch": np.array([text.encode() for text in texts])}
    write_scores(tmp_path / "s.csv", HASHES, np.array([3.0, 2.0, 1.0]), further=further)
    with (tmp_path / "expected.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["hash", "score", "row", "arch"])
        for row, text in enumerate(texts):
            writer.writerow([HASHES[row].decode(), 3 - row, row, text])
    assert (tmp_path / "s.csv").read_bytes() == (tmp_path / "expected.csv").read_bytes()


def test_many_rows_are_written_once_each(tmp_path: Path) -> None:
    scores = np.random.RandomState(0).permutation(20_000) / 3
    hashes = np.array([b"%032d" % number for number in range(20_000)])
    write_scores(tmp_path / "s.csv", hashes, scores)
    with (tmp_path / "s.csv").open(newline="") as file:
        found = [(row["hash"], row["score"], int(row["row"])) for row in csv.DictReader(file)]
    expected = sorted(range(20_000), key=lambda row: -scores[row])
    assert found == [(f"{row:032d}", f"{scores[row]:.9g}", row) for row in expected]


def test_scores_are_read_by_hash_or_text(tmp_path: Path, small_table: Table) -> None:
    path, cells = tmp_path / "s.csv", small_table.cells
    expected = np.full(300, np.nan)
    expected[[7, 2]] = [0.25, -3.0]
    path.write_text(
        f"x,hash,score\n,{cells[7].hash.upper()},0.25\n,{cells[2].hash},-3\n,{'0' * 32},1\n"
    )
    np.testing.assert_array_equal(read_scores(path, small_table), expected)
    path.write_text(f'arch,score\n"{cells[7].to_text()}",0.25\n"{cells[2].to_text()}",-3\n')
    np.testing.assert_array_equal(read_scores(path, small_table), expected)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("hash,mean\nH,1\n", "line 1: needs the columns hash or arch, and score"),
        ("hash,score\nH,1\nH,nan\n", r"line 3: score must be a number from -1e\+100 .*'nan'"),
        ("hash,score\nH,1e200\n", r"line 2: score must be .* to 1e\+100, got '1e200'"),
        ("hash,score\n", "has no score"),
        ("hash,score\nH,1\nH,2\n", "line 3: .* has the score 2, and 1 in another line"),
        ("hash,score\nh,1\n", "none of its 1 architecture is in the table"),
        ("arch,score\nh,1\n", "line 2: "),
    ],
)
def test_an_invalid_scores_file_is_named(
    tmp_path: Path, small_table: Table, content: str, message: str
) -> None:
    path = tmp_path / "s.csv"
    path.write_text(content.replace("H", small_table.cells[0].hash))
    with pytest.raises(SettingsError, match=message):
        read_scores(path, small_table)
