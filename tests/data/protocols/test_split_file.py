"""Splits from files, and what is wrong with some."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyg_nas.data.protocols.split_file import is_split_file, read_split
from pyg_nas.errors import SettingsError
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.spaces.modules.network_array import NetworkArray
from tests.spaces.modules.networks import random_network

HASHES = sample_cells(12, 0).hashes()
ROWS = [7, 2, 9]
NAMES = [HASHES[row].decode() for row in ROWS]


def write(path: Path, content: Any, bom: bool = False) -> str:
    if path.suffix == ".npz":
        np.savez(path, **content)
    elif isinstance(content, bytes):
        path.write_bytes(content)
    else:
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text, encoding="utf-8-sig" if bom else "utf-8")
    return str(path)


@pytest.mark.parametrize("bom", [False, True])
@pytest.mark.parametrize(
    ("name", "content", "key"),
    [
        ("a.json", ROWS, ""),
        ("a.json", NAMES, ""),
        ("a.json", {"train": ROWS}, ""),
        ("a.json", {"train": NAMES, "test": [0]}, ":train"),
        ("a.txt", "\n".join(map(str, ROWS)), ""),
        ("a.txt", "\r\n".join(NAMES) + "\r\n\r\n", ""),
        ("a.TXT", "\n".join(name.upper() for name in NAMES), ""),
        ("a.npz", {"x": np.array(ROWS, np.int32)}, ""),
        ("a.npz", {"172": np.array(ROWS), "334": np.arange(3)}, ":172"),
        ("a.npz", {"x": np.array(NAMES)}, ""),
        ("a.npz", {"x": np.array(NAMES, "S32")}, ""),
    ],
)
def test_rows_and_hashes(tmp_path: Path, name: str, content: Any, key: str, bom: bool) -> None:
    path = write(tmp_path / name, content, bom) + key
    assert is_split_file(path)
    assert read_split(path, HASHES).tolist() == ROWS


def test_hashes_of_networks(tmp_path: Path) -> None:
    graphs = NetworkArray.from_graphs(random_network(5 + seed, seed) for seed in range(12))
    names = [graphs.hashes[row].decode() for row in ROWS]
    for path, content in (("a.json", names), ("a.txt", "\n".join(names)), ("a.npz", {"x": names})):
        assert read_split(write(tmp_path / path, content), graphs.hashes).tolist() == ROWS
    with pytest.raises(SettingsError, match="nor a hash of 64 hex digits"):
        read_split(write(tmp_path / "a.json", NAMES), graphs.hashes)


def test_a_mask(tmp_path: Path) -> None:
    mask = np.isin(np.arange(12), ROWS)
    assert read_split(write(tmp_path / "a.npz", {"x": mask}), HASHES).tolist() == sorted(ROWS)


def test_a_hash_stands_for_all_its_rows(tmp_path: Path) -> None:
    twice = np.concatenate([HASHES, HASHES[[2]]])
    path = write(tmp_path / "a.json", NAMES)
    assert read_split(path, twice).tolist() == [7, 2, 12, 9]


@pytest.mark.parametrize("name", ["172", "91-172", "denoise-91", "all", "", "x.csv", "a.b-3"])
def test_other_names_are_no_files(name: str) -> None:
    assert not is_split_file(name)


@pytest.mark.parametrize(
    ("name", "content", "key", "message"),
    [
        ("a.json", [1, 12], "", "row 12 is out of range, the table has the rows 0 to 11"),
        ("a.json", [-1], "", "row -1 is out of range"),
        ("a.json", [10**30], "", "out of range"),
        ("a.json", [1, 2, 1], "", "1 appears 2 times"),
        ("a.json", [NAMES[0], NAMES[0]], "", f"{NAMES[0]} appears 2 times"),
        ("a.json", ["0" * 32, NAMES[0]], "", f"hash {'0' * 32} is not in the table .1 of 2"),
        ("a.json", [1, NAMES[0]], "", "1 is neither a row"),
        ("a.json", [1.5], "", "1.5 is neither"),
        ("a.json", [True, False], "", "True is neither"),
        ("a.json", ["abc"], "", "'abc' is neither"),
        ("a.json", [[1]], "", "neither"),
        ("a.json", [], "", "names no cell"),
        ("a.json", {}, "", "NAME one of none"),
        ("a.json", {"a": [1], "b": [2]}, "", "name one of its lists.*one of a, b"),
        ("a.json", {"a": [1]}, ":b", "has no list 'b'.*one of a"),
        ("a.json", [1], ":b", "single list"),
        ("a.json", 5, "", "must contain a list of rows, of hashes or a mask, got 5"),
        ("a.json", "{", "", "not JSON"),
        ("a.json", b"\xff\xfe", "", "not JSON|not UTF-8"),
        ("a.txt", "1\nx\n", "", "'1' is neither|'x' is neither"),
        ("a.txt", "\n", "", "names no cell"),
        ("a.npz", {"x": np.zeros(12, bool)}, "", "names no cell"),
        ("a.npz", {"x": np.ones((2, 2), int)}, "", r"got int64 of shape \(2, 2\)"),
        ("a.npz", {"x": np.ones(2)}, "", "got float64"),
        ("a.npz", {"x": np.ones(5, bool)}, "", "a mask must have one value.*12 rows, it has 5"),
        ("a.npz", {"x": np.array([{}])}, "", "not a readable .npz"),
    ],
)
def test_what_is_invalid_is_named(
    tmp_path: Path, name: str, content: Any, key: str, message: str
) -> None:
    with pytest.raises(SettingsError, match=message) as caught:
        read_split(write(tmp_path / name, content) + key, HASHES)
    assert "split " in str(caught.value)
    assert name in str(caught.value)


def test_files_that_are_not_there_or_broken(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"absent\.json: no such file"):
        read_split(str(tmp_path / "absent.json"), HASHES)
    (tmp_path / "torn.npz").write_bytes(b"PK\x03\x04 torn")
    with pytest.raises(SettingsError, match=r"torn\.npz: not a readable"):
        read_split(str(tmp_path / "torn.npz"), HASHES)
