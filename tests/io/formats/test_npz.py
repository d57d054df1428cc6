"""Archives whose headers disagree with their arrays."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from pyg_nas.errors import MeasureError
from pyg_nas.io.formats.npz import read_npz
from pyg_nas.io.limits import MOST_ARCHIVE_BYTES


def member(shape: tuple[int, ...], content: bytes, dtype: str = "|u1") -> bytes:
    """An array file whose header need not fit its content."""
    file = io.BytesIO()
    description = {"descr": dtype, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(file, description)
    return file.getvalue() + content


def archive(path: Path, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, content in members.items():
            file.writestr(f"{name}.npy", content)
    return path


def test_arrays_are_those_that_numpy_wrote(tmp_path: Path) -> None:
    arrays = {
        "images": np.arange(24, dtype=np.uint8).reshape(2, 3, 4),
        "names": np.array([b"a", b"bcd"]),
        "turned": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
        "scalar": np.float32(3),
        "none": np.empty((0, 5)),
    }
    for write in (np.savez, np.savez_compressed):
        write(tmp_path / "a.npz", **arrays)
        read = read_npz(tmp_path / "a.npz")
        assert list(read) == list(arrays)
        for name, array in arrays.items():
            np.testing.assert_array_equal(read[name], array)
            assert read[name].dtype == np.asarray(array).dtype
    assert list(read_npz(tmp_path / "a.npz", ("none", "missing"))) == ["none"]


def test_claims_are_compared_before_anything_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.npz"
    for shape in ((10**12, 8, 8, 3), (10**9, 10**9, 10**9), (-1, 4), (5,)):
        archive(path, images=member(shape, b"1234"))
        with pytest.raises(MeasureError, match=r"a\.npz: not a readable"):
            read_npz(path, failure=MeasureError)
    archive(path, images=member((4,), b"", "|O"))
    with pytest.raises(MeasureError, match="Python objects"):
        read_npz(path, failure=MeasureError)
    path.write_bytes(b"PK\x03\x04 no archive")
    with pytest.raises(MeasureError, match="not a readable"):
        read_npz(path, failure=MeasureError)


def test_an_archive_that_inflates_beyond_the_limit_is_not_inflated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Zeros by the claimed number would take long to write: the limit is lowered instead.
    monkeypatch.setattr("pyg_nas.io.formats.npz.MOST_ARCHIVE_BYTES", 10_000)
    assert MOST_ARCHIVE_BYTES > 10_000
    path = archive(
        tmp_path / "a.npz", a=member((6_000,), bytes(6_000)), b=member((6_000,), bytes(6_000))
    )
    with pytest.raises(MeasureError, match="need 12,000 bytes, at most 10,000"):
        read_npz(path, failure=MeasureError)
    assert len(read_npz(path, ("a",))["a"]) == 6_000


def test_methods_that_numpy_does_not_write_are_refused(tmp_path: Path) -> None:
    for method in (zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA):
        with zipfile.ZipFile(tmp_path / "a.npz", "w", method) as file:
            file.writestr("images.npy", member((4,), b"1234"))
        with pytest.raises(MeasureError, match=rf"images\.npy is compressed by method {method}"):
            read_npz(tmp_path / "a.npz", failure=MeasureError)
