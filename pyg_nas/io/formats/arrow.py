"""The optional package pyarrow, and the memory that batches of an Arrow file need."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import Any, BinaryIO

from pyg_nas.errors import PygNasError, SettingsError, needs_extra
from pyg_nas.io.limits import MOST_BATCH_BYTES, MOST_SETTINGS_BYTES

_MAGIC = b"ARROW1"
_CONTINUED = b"\xff\xff\xff\xff"  # before the metadata, since format version 0.15
_DICTIONARY_BATCH = 2  # type of a message
_BLOCK = "<qi4xq"  # where a batch begins, sizes of its metadata and of its body


def import_pyarrow() -> Any:
    """Return the package ``pyarrow`` with its file format ``pyarrow.ipc``.

    Raises:
        SettingsError: If it is not installed.
    """
    try:
        import pyarrow.ipc
    except ImportError as error:
        raise SettingsError(needs_extra("Arrow files need pyarrow", "arrow")) from error
    return pyarrow


def check_batch_sizes(path: Path, failure: type[PygNasError]) -> None:
    """Check the memory that each batch of an Arrow file needs, from its headers alone.

    A compressed buffer begins with its length when it is decompressed
    (https://arrow.apache.org/docs/format/Columnar.html#ipc-file-format).

    Raises:
        failure: If a record batch, or all dictionaries together, would take more than
            :data:`~pyg_nas.io.limits.MOST_BATCH_BYTES`, or if the headers cannot be read.
    """
    try:
        with path.open("rb") as file:
            end = file.seek(-len(_MAGIC) - 4, os.SEEK_END)
            footer_size, magic = struct.unpack(f"<i{len(_MAGIC)}s", file.read())
            if magic != _MAGIC or not 0 < footer_size <= min(end, MOST_SETTINGS_BYTES):
                raise ValueError(f"no footer of at most {MOST_SETTINGS_BYTES:,} bytes")
            file.seek(end - footer_size)
            content = file.read(footer_size)
            footer = _target(content, 0)
            dictionaries, batches = (_structs(content, footer, field, _BLOCK) for field in (2, 3))
            total = sum(_batch_size(file, block) for block in dictionaries)
            _check_size(f"{path}: the dictionaries have", total, failure)
            for number, block in enumerate(batches, 1):
                size = _batch_size(file, block)
                _check_size(f"{path}: record batch {number} has", size, failure)
    except failure:
        raise
    except (OSError, ValueError, IndexError, OverflowError, struct.error) as error:
        raise failure(f"{path}: is not an Arrow file ({error})") from None


def _check_size(what: str, size: int, failure: type[PygNasError]) -> None:
    if size > MOST_BATCH_BYTES:
        raise failure(f"{what} {size:,} bytes when decompressed, at most {MOST_BATCH_BYTES:,}")


def _batch_size(file: BinaryIO, block: tuple[int, ...]) -> int:
    """Return the bytes of a batch in memory, from its metadata and the starts of its buffers."""
    offset, metadata_size, body_size = block
    if not 8 <= metadata_size <= MOST_SETTINGS_BYTES:
        raise ValueError(f"a batch with metadata of {metadata_size:,} bytes")
    file.seek(offset)
    content = file.read(metadata_size)
    content = content[8 if content[:4] == _CONTINUED else 4 :]
    message = _target(content, 0)
    body = _field(content, message, 3)
    body_size = max(body_size, 0 if body is None else struct.unpack_from("<q", content, body)[0])
    batch = _header(content, message, 2)
    kind = _field(content, message, 1)
    if kind is not None and content[kind] == _DICTIONARY_BATCH:
        batch = _header(content, batch, 1)
    if _field(content, batch, 3) is None:  # no compression
        return body_size
    size = 0
    for start, length in _structs(content, batch, 2, "<qq"):
        stated = -1
        if length > 0:
            file.seek(offset + metadata_size + start)
            (stated,) = struct.unpack("<q", file.read(8))
        size += length if stated < 0 else stated
    return max(size, body_size)


# A FlatBuffer (https://flatbuffers.dev/internals/) has tables, whose fields have numbers; a field
# has a value, a vector of structs or the distance to another table.


def _field(content: bytes, table: int, number: int) -> int | None:
    """Return where a field of a table is, or None if it is absent."""
    fields = table - struct.unpack_from("<i", content, table)[0]
    if 4 + 2 * number >= struct.unpack_from("<H", content, fields)[0]:
        return None
    distance = struct.unpack_from("<H", content, fields + 4 + 2 * number)[0]
    return table + distance if distance else None


def _target(content: bytes, position: int) -> int:
    return position + int(struct.unpack_from("<I", content, position)[0])


def _header(content: bytes, table: int, number: int) -> int:
    position = _field(content, table, number)
    if position is None:
        raise ValueError("a message without a batch")
    return _target(content, position)


def _structs(content: bytes, table: int, number: int, layout: str) -> list[tuple[int, ...]]:
    position = _field(content, table, number)
    if position is None:
        return []
    start = _target(content, position)
    (count,) = struct.unpack_from("<I", content, start)
    end = start + 4 + count * struct.calcsize(layout)
    return list(struct.iter_unpack(layout, content[start + 4 : end]))
