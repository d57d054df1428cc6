"""Splits from files: rows or hashes of the cells or networks, one file for each published split.

``.json`` files contain a list of rows (whole numbers from 0 on) or hashes (32 hex digits of cells,
64 of networks), or an object of such lists, ``.txt`` files one row or hash per line, ``.npz`` files
one array of rows or hashes, or a mask of all rows, or several arrays by name. One of several lists
is chosen by its name after the path: ``train.npz:172``.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import SettingsError, listed, quoted
from pyg_nas.io.formats.json_reader import parse_json
from pyg_nas.io.formats.npz import read_npz
from pyg_nas.io.limits import MOST_RECORDS_BYTES
from pyg_nas.io.regular_files import read_regular

SUFFIXES = (".json", ".txt", ".npz")


def is_split_file(name: str) -> bool:
    """Return whether a split's name is that of a file."""
    return _path_and_key(name)[0].suffix.lower() in SUFFIXES


def split_digest(name: str) -> str:
    """Return the SHA-256 digest of a split file's content, 16 hex digits.

    Raises:
        SettingsError: If the file cannot be read.
    """
    return hashlib.sha256(_read(_path_and_key(name)[0])).hexdigest()[:16]


def read_split(name: str, hashes: NDArray[np.bytes_]) -> NDArray[np.int64]:
    """Return the rows of a split file, in its order.

    Args:
        name: Path of the file, followed by ``:KEY`` if it contains several lists.
        hashes: ``S32 [N]`` of cells or ``S64 [N]`` of networks, the table's; a hash of several rows
            selects all of them.

    Raises:
        SettingsError: If the file is missing or invalid, a row is out of range or appears twice,
            or a hash is not in the table.
    """
    path, key = _path_and_key(name)
    values = _chosen(path, key, _contents(path), hashes.dtype.itemsize)
    if not len(values) or (values.dtype == np.bool_ and not values.any()):
        raise SettingsError(f"split {name}: names no cell")
    if values.dtype == np.bool_:
        if values.shape != hashes.shape:
            raise SettingsError(
                f"split {name}: a mask must have one value for each of the table's {len(hashes)} "
                f"rows, it has {len(values)}"
            )
        return np.flatnonzero(values)
    unique, counts = np.unique(values, return_counts=True)
    if (counts > 1).any():
        twice = unique[counts > 1][0]
        shown = twice.decode() if isinstance(twice, bytes) else twice
        raise SettingsError(f"split {name}: {shown} appears {counts.max()} times")
    if values.dtype.kind == "S":
        rows_of: dict[bytes, list[int]] = {}
        for row, digest in enumerate(hashes.tolist()):
            rows_of.setdefault(digest, []).append(row)
        unknown = [digest for digest in values.tolist() if digest not in rows_of]
        if unknown:
            raise SettingsError(
                f"split {name}: hash {unknown[0].decode()} is not in the table "
                f"({len(unknown):,} of {len(values):,} are not)"
            )
        return np.array([row for digest in values.tolist() for row in rows_of[digest]])
    wrong = values[(values < 0) | (values >= len(hashes))]
    if len(wrong):
        raise SettingsError(
            f"split {name}: row {wrong[0]} is out of range, the table has the rows 0 to "
            f"{len(hashes) - 1}"
        )
    return values


def _path_and_key(name: str) -> tuple[Path, str | None]:
    path, colon, key = name.rpartition(":")
    if colon and Path(path).suffix.lower() in SUFFIXES:
        return Path(path), key
    return Path(name), None


def _read(path: Path) -> bytes:
    try:
        return read_regular(path, MOST_RECORDS_BYTES)
    except SettingsError as error:
        raise SettingsError(f"split {error}") from None


def _contents(path: Path) -> Any:
    """Return a list, or a dictionary of lists or arrays by name."""
    suffix = path.suffix.lower()
    try:
        if suffix == ".npz":
            return read_npz(path)
        content = _read(path)
        if suffix == ".json":
            return parse_json(content)
        words = content.decode("utf-8-sig").split()
    except (SettingsError, UnicodeDecodeError) as error:
        reason = str(error).removeprefix("split ").removeprefix(f"{path}: ")
        raise SettingsError(f"split {path}: {reason}") from None
    rows = all(word.isdecimal() and len(word) < 32 for word in words)
    return [int(word) for word in words] if rows else words


def _chosen(path: Path, key: str | None, contents: Any, digits: int) -> NDArray[Any]:
    """Return the list named ``key``, or the only one, as whole numbers, hashes or a mask.

    Args:
        digits: Digits of a hash.
    """
    if isinstance(contents, dict):
        if key is None and len(contents) == 1:
            (key,) = contents
        if key not in contents:
            what = "name one of its lists" if key is None else f"has no list {key!r}"
            raise SettingsError(
                f"split {path}: {what}, {path}:NAME with NAME one of {listed(contents)}"
            )
        contents = contents[key]
    elif key is not None:
        raise SettingsError(f"split {path}: contains a single list, not one named {key!r}")
    if isinstance(contents, list):
        return _from_list(path, contents, digits)
    values = np.asarray(contents)
    if values.ndim != 1 or values.dtype.kind not in "iubSU":
        is_array = isinstance(contents, np.ndarray)
        got = f"{values.dtype} of shape {values.shape}" if is_array else quoted(contents)
        raise SettingsError(
            f"split {path}: must contain a list of rows, of hashes or a mask, got {got}"
        )
    if values.dtype.kind in "SU":
        return _from_list(path, values.astype("U").tolist(), digits)
    return values if values.dtype == np.bool_ else values.astype(np.int64)


def _from_list(path: Path, values: list[Any], digits: int) -> NDArray[Any]:
    if all(type(value) is int for value in values):
        if any(abs(value) > 2**62 for value in values):
            raise SettingsError(f"split {path}: row {max(values, key=abs)} is out of range")
        return np.array(values, dtype=np.int64)
    for value in values:
        word = value.lower() if isinstance(value, str) else ""
        if len(word) != digits or not set(word) <= set("0123456789abcdef"):
            raise SettingsError(
                f"split {path}: {quoted(value)} is neither a row (a whole number, like all others) "
                f"nor a hash of {digits} hex digits"
            )
    return np.array([value.lower() for value in values], dtype=f"S{digits}")
