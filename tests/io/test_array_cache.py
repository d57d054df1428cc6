"""Cached arrays: what is read is what was stored, or nothing."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pyg_nas.io.array_cache import cached_arrays, read_cached, write_cached
from tests.fuzz.mutation import flipped_bits

ARRAYS = {
    "numbers": np.arange(600, dtype=np.float32).reshape(20, 30),
    "names": np.array([b"one", b"three"]),
    "none": np.empty((0, 3), dtype=np.int8),
}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("PYG_NAS_CACHE", str(tmp_path))
    return tmp_path


def test_arrays_come_back_as_they_were() -> None:
    assert read_cached("some") is None
    write_cached("some", ARRAYS)
    found = read_cached("some")
    assert found is not None
    assert list(found) == list(ARRAYS)
    for key, array in ARRAYS.items():
        np.testing.assert_array_equal(found[key], array, strict=True)


def test_arrays_are_computed_once() -> None:
    first = cached_arrays("some", lambda: ARRAYS)
    again = cached_arrays("some", dict)
    np.testing.assert_array_equal(first["numbers"], again["numbers"], strict=True)


def test_what_is_damaged_is_ignored(folder: Path) -> None:
    write_cached("some", ARRAYS)
    path = folder / "some.npz"
    whole = path.read_bytes()
    for length in range(0, len(whole), 97):
        path.write_bytes(whole[:length])
        assert read_cached("some") is None
    # A byte of an array, which the archive's own checksum covers too.
    path.write_bytes(whole.replace(np.float32(599).tobytes(), np.float32(598).tobytes()))
    assert read_cached("some") is None


def test_a_flipped_bit_anywhere_is_noticed_or_harmless(folder: Path) -> None:
    write_cached("some", ARRAYS)
    path = folder / "some.npz"
    for content in flipped_bits(path.read_bytes(), 500):
        path.write_bytes(content)
        found = read_cached("some")
        for key, array in (found or {}).items():
            np.testing.assert_array_equal(array, ARRAYS[key], strict=True)


def test_a_folder_that_cannot_be_written_is_a_warning(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "file").write_text("in the way")
    monkeypatch.setenv("PYG_NAS_CACHE", str(folder / "file" / "cache"))
    with pytest.warns(UserWarning, match=r"some\.npz: cannot be written .*PYG_NAS_CACHE"):
        write_cached("some", ARRAYS)
    assert read_cached("some") is None


def test_another_programs_file_is_nothing(folder: Path) -> None:
    np.savez(folder / "some.npz", **ARRAYS)
    assert read_cached("some") is None
    np.savez(folder / "some.npz", **ARRAYS, checksum=np.zeros(32, dtype=np.uint8))
    assert read_cached("some") is None
    with (folder / "some.npz").open("wb") as file:
        np.save(file, ARRAYS["numbers"])
    assert read_cached("some") is None
    with (folder / "some.npz").open("wb") as file:
        np.savez(file, objects=np.array([{}], dtype=object))
    assert read_cached("some") is None
