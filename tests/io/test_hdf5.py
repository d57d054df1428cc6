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
from pyg_nas.io.hdf5 import has_name, json_attribute, open_hdf5, stored_dataset, stored_group


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
        assert list(stored_group(file, "inner")) == ["x"]
        assert stored_dataset(file, "inner/x")[()] == 1
        for refused in ("linked", "inner/x", "none"):
            with pytest.raises(SettingsError, match=f"'{refused}'"):
                stored_group(file, refused)
        with pytest.raises(SettingsError, match="'linked' is a link to the file 'pipe'"):
            stored_dataset(file, "linked/x")


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
