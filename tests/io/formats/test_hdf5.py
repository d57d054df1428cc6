"""HDF5 files that point elsewhere or claim what they do not store."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from pyg_nas.errors import SettingsError, TableError
from pyg_nas.io.formats.hdf5 import (
    has_name,
    json_attribute,
    names_in,
    open_hdf5,
    read_stored,
    stored_dataset,
)


def write(path: Path, make: Callable[[Any], object]) -> Path:
    with h5py.File(path, "w") as file:
        make(file)
    return path


def virtual(file: Any) -> None:
    layout = h5py.VirtualLayout((4,), "i1")
    layout[:] = h5py.VirtualSource("pipe", "x", (4,))
    file.create_virtual_dataset("x", layout)


def link(target: Any) -> Callable[[Any], None]:
    def make(file: Any) -> None:
        file["y"] = np.arange(3)
        file["x"] = target

    return make


def one_chunk(file: Any) -> None:
    dataset = file.create_dataset("x", (8,), "i1", chunks=(4,))
    dataset.id.write_direct_chunk((0,), b"1234")


WRONG: dict[str, tuple[Callable[[Any], object], str]] = {
    "missing": (lambda file: None, "'x' is missing"),
    "a group": (lambda file: file.create_group("x"), "is not a dataset"),
    "a soft link": (link(h5py.SoftLink("/y")), "is a link to another dataset"),
    "an external link": (link(h5py.ExternalLink("pipe", "/y")), "is a link to the file 'pipe'"),
    "virtual": (virtual, "is a virtual dataset"),
    "external storage": (
        lambda file: file.create_dataset("x", (4,), "i1", external=[("pipe", 0, 4)]),
        "stored in other files",
    ),
    "empty": (lambda file: file.create_dataset("x", data=h5py.Empty("f4")), "is empty"),
    "unallocated": (
        lambda file: file.create_dataset("x", (2**32,), "i1"),
        "needs 4,294,967,296 bytes, 0 are stored",
    ),
    "unallocated chunks": (
        lambda file: file.create_dataset("x", (2**32,), "i1", chunks=(2**20,)),
        "not all of its values are stored",
    ),
    "one chunk missing": (one_chunk, "not all of its values are stored"),
    "an unknown filter": (
        lambda file: file.create_dataset("x", data=np.arange(9), scaleoffset=0),
        "compressed with gzip or lzf",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_is_not_stored_in_the_file_is_refused_unread(tmp_path: Path, case: str) -> None:
    make, message = WRONG[case]
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for ever
    path = write(tmp_path / "a.hdf5", make)
    with open_hdf5(path) as file, pytest.raises(SettingsError, match=message):
        stored_dataset(file, "x")


@pytest.mark.parametrize(
    "options", [{}, {"chunks": (3, 2)}, {"chunks": (3, 2), "compression": "gzip", "shuffle": True},
                {"compression": "lzf", "fletcher32": True}]
)  # fmt: skip
def test_stored_datasets_are_given(tmp_path: Path, options: dict[str, Any]) -> None:
    values = np.arange(20, dtype=np.int16).reshape(10, 2)
    path = write(tmp_path / "a.hdf5", lambda f: f.create_dataset("x", data=values, **options))
    with open_hdf5(path) as file:
        np.testing.assert_array_equal(stored_dataset(file, "x")[:], values)


def test_a_group_in_another_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")

    def make(file: Any) -> None:
        file["inner/x"] = 1
        file["linked"] = h5py.ExternalLink("pipe", "/inner")

    with open_hdf5(write(tmp_path / "a.hdf5", make)) as file:
        assert [has_name(file, name) for name in ("inner", "linked", "x")] == [True, True, False]
        assert names_in(file, "inner") == ["inner/x"]
        assert names_in(file, "none") == []
        assert stored_dataset(file, "inner/x")[()] == 1
        for refused in ("linked", "inner/x"):
            with pytest.raises(SettingsError, match=f"'{refused}'"):
                names_in(file, refused)
        with pytest.raises(SettingsError, match="'linked' is a link to the file 'pipe'"):
            stored_dataset(file, "linked/x")


def test_values_are_read_block_by_block_in_a_narrower_type(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pyg_nas.io.formats.hdf5._READ_BYTES", 48)  # two rows
    values = {"whole": np.arange(10).reshape(5, 2), "large": np.array([1, 2, 3, 300])}
    values |= {"none": np.empty((0, 3)), "one": np.array(1.0), "texts": np.array([b"a", b"bc"])}

    def make(file: Any) -> None:
        for name, array in values.items():
            file[name] = array

    def read(*names: str, dtype: Any = np.int8, most: int = 10) -> dict[str, Any]:
        datasets = {name: stored_dataset(file, name) for name in names}
        return read_stored(datasets, dict.fromkeys(names, np.dtype(dtype)), most)

    with open_hdf5(write(tmp_path / "a.hdf5", make)) as file:
        found = read("whole")["whole"]
        assert found.dtype == np.int8
        np.testing.assert_array_equal(found, values["whole"])
        assert read("none", dtype="f4")["none"].shape == (0, 3)
        assert read("texts", dtype="S2")["texts"].tolist() == [b"a", b"bc"]
        for name, dtype, most, message in (
            ("whole", np.int8, 9, "claims 10 bytes, at most 9 are read"),
            ("large", np.int8, 10, "large has values outside the range of int8"),
            ("one", np.float64, 10, "one must be an array"),
        ):
            with pytest.raises(SettingsError, match=message):
                read(name, dtype=dtype, most=most)


def test_attributes(tmp_path: Path) -> None:
    def make(file: Any) -> None:
        file.attrs["good"] = '{"a": 1}'
        file.attrs["bytes"] = np.bytes_(b'{"a": 1}')
        file.attrs["deep"] = "[" * 1_000
        file.attrs["number"] = 3
        file.attrs["reference"] = file.ref

    with open_hdf5(write(tmp_path / "a.hdf5", make)) as file:
        assert json_attribute(file, "good") == json_attribute(file, "bytes") == {"a": 1}
        assert json_attribute(file, "none") is None
        for name, message in {
            "deep": "nested",
            "number": "must be text",
            "reference": "must be text",
        }.items():
            with pytest.raises(SettingsError, match=f"'{name}'.*{message}"):
                json_attribute(file, name)


def test_what_is_no_hdf5_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "text").write_text("text")
    for name, message in {
        "pipe": "named pipe",
        "text": "not a readable HDF5",
        "no": "no such",
    }.items():
        with (
            pytest.raises(TableError, match=f"{name}: .*{message}"),
            open_hdf5(tmp_path / name, TableError),
        ):
            pass
