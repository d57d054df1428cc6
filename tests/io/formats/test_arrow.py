from __future__ import annotations

import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pyg_nas.errors import SettingsError, TableError
from pyg_nas.io.formats import arrow
from pyg_nas.io.formats.arrow import check_batch_sizes, import_pyarrow
from pyg_nas.io.limits import MOST_BATCH_BYTES

COMPRESSIONS = [None, "lz4", "zstd"]


def test_the_file_format_is_imported_too() -> None:
    pytest.importorskip("pyarrow")
    assert callable(import_pyarrow().ipc.open_file)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(SettingsError, match=r"pip install '\.\[arrow\]' in a clone"):
        import_pyarrow()


def write(path: Path, column: Any, compression: str | None) -> Path:
    pa = pytest.importorskip("pyarrow")
    batch = pa.record_batch({"column": column})
    options = pa.ipc.IpcWriteOptions(compression=compression)
    with pa.ipc.new_file(str(path), batch.schema, options=options) as writer:
        writer.write(pa.record_batch({"column": column[:1]}))
        writer.write(batch)
    return path


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("kind", ["numbers", "names"])
def test_sizes_are_those_of_the_arrays(
    tmp_path: Path, compression: str | None, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pa = pytest.importorskip("pyarrow")
    column = pa.array(np.zeros(4_096)) if kind == "numbers" else pa.array(["name"] * 8_191)
    size = column.nbytes
    path = write(tmp_path / "g.arrow", column, compression)
    monkeypatch.setattr(arrow, "MOST_BATCH_BYTES", size + 512)  # buffers have up to 63 bytes more
    check_batch_sizes(path, TableError)
    monkeypatch.setattr(arrow, "MOST_BATCH_BYTES", size - 512)
    with pytest.raises(TableError, match=r"g\.arrow: record batch 2 has [36].,.* bytes"):
        check_batch_sizes(path, TableError)


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_a_bomb_is_refused_by_its_headers(tmp_path: Path, compression: str) -> None:
    """Its buffer claims 2 TB; pyarrow would allocate them."""
    pa = pytest.importorskip("pyarrow")
    path = write(tmp_path / "g.arrow", pa.array(np.zeros(100_000)), compression)
    content = path.read_bytes()
    claim = 2**41
    stated = (800_000).to_bytes(8, "little")
    assert content.count(stated) == 1
    path.write_bytes(content.replace(stated, claim.to_bytes(8, "little")))
    message = f"record batch 2 has {claim:,} bytes when decompressed, at most {MOST_BATCH_BYTES:,}"
    with pytest.raises(TableError, match=f"g.arrow: {message}"):
        check_batch_sizes(path, TableError)


@pytest.mark.parametrize("compression", ["lz4", "zstd"])
def test_dictionaries_are_counted_together(
    tmp_path: Path, compression: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    pa = pytest.importorskip("pyarrow")
    names = pa.array(["a" * 5_000, "b" * 5_000]).dictionary_encode()
    path = write(tmp_path / "g.arrow", names, compression)
    check_batch_sizes(path, TableError)
    monkeypatch.setattr(arrow, "MOST_BATCH_BYTES", 9_000)
    with pytest.raises(TableError, match=r"g\.arrow: the dictionaries have 10,0.. bytes when"):
        check_batch_sizes(path, TableError)


@pytest.mark.parametrize("end", [0, 6, 10, 100])
def test_a_torn_file_is_refused(tmp_path: Path, end: int) -> None:
    pa = pytest.importorskip("pyarrow")
    path = write(tmp_path / "g.arrow", pa.array([1.0, 2.0]), None)
    path.write_bytes(path.read_bytes()[:-end] if end else b"")
    with pytest.raises(TableError, match=r"g\.arrow: is not an Arrow file"):
        check_batch_sizes(path, TableError)


def test_damaged_headers_are_refused_or_read(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow")
    path = write(tmp_path / "g.arrow", pa.array([1.0, 2.0]), "zstd")
    content = path.read_bytes()
    random = np.random.default_rng(0)
    for _ in range(1_000):
        damaged = np.frombuffer(content, np.uint8).copy()
        damaged[random.integers(8, len(damaged), 4)] = random.integers(0, 256, 4)
        path.write_bytes(damaged.tobytes())
        with suppress(TableError):
            check_batch_sizes(path, TableError)
