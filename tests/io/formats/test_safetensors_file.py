"""Weights files whose header and size disagree."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from safetensors.numpy import load, save

from pyg_nas.errors import ModelError
from pyg_nas.io.formats.safetensors_file import read_safetensors

TENSORS = {
    "a": np.arange(6, dtype=np.float32).reshape(2, 3),
    "b": np.array(3.0),
    "c": np.empty((0, 4), dtype=np.int64),
    "d": np.ones(3, dtype=np.bool_),
}


def written(path: Path, header: Any, content: bytes = b"", length: int | None = None) -> Path:
    text = json.dumps(header).encode()
    count = len(text) if length is None else length
    path.write_bytes(count.to_bytes(8, "little") + text + content)
    return path


def test_a_whole_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(save(TENSORS, metadata={"made by": "a test"}))
    content = read_safetensors(path, path.stat().st_size)
    assert content == path.read_bytes()
    for name, tensor in load(content).items():
        np.testing.assert_array_equal(tensor, TENSORS[name])
    path.write_bytes(save({}))
    assert read_safetensors(path) == save({})


def test_files_that_lie_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    good = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}
    wrong: list[tuple[Any, bytes, int | None]] = [
        ({"a": good}, b"1234567", None),
        ({"a": good}, b"123456789", None),
        ({"a": good}, b"12345678", 2**62),
        ({"a": {**good, "data_offsets": [0, 2**40], "shape": [2**38]}}, b"", None),
        ({"a": {**good, "data_offsets": [4, 12]}}, b"123456789012", None),
        ({"a": good, "b": good}, b"12345678", None),
        ({"a": {**good, "shape": [3]}}, b"12345678", None),
        ({"a": {**good, "shape": [-1, -2]}}, b"12345678", None),
        ({"a": {**good, "dtype": "X"}}, b"12345678", None),
        ({"a": {**good, "shape": 2}}, b"12345678", None),
        ({"a": None}, b"", None),
        ([], b"", None),
    ]
    for header, content, length in wrong:
        with pytest.raises(ModelError, match=r"w\.safetensors: "):
            read_safetensors(written(path, header, content, length), failure=ModelError)
    path.write_bytes(b"")
    with pytest.raises(ModelError, match="header"):
        read_safetensors(path, failure=ModelError)


def test_a_sparse_file_and_an_endless_device_are_not_read(tmp_path: Path) -> None:
    path = tmp_path / "w.safetensors"
    path.write_bytes(save(TENSORS))
    size = path.stat().st_size
    os.truncate(path, 200 * 2**30)
    for expected in (None, size):
        with pytest.raises(ModelError, match="bytes"):
            read_safetensors(path, expected, ModelError)
    path.unlink()
    path.symlink_to("/dev/zero")
    with pytest.raises(ModelError, match="is a device"):
        read_safetensors(path, failure=ModelError)
