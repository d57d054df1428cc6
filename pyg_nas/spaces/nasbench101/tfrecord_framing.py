"""The framing of TFRecord files: lengths, checksums and payloads, without TensorFlow.

A record is, little endian: u64 length, u32 masked CRC-32C of these 8 bytes, the payload, u32 masked
CRC-32C of the payload. Source: ``tensorflow/core/lib/io/record_writer.h``.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator

import google_crc32c

from pyg_nas.errors import RecordError
from pyg_nas.io.regular_files import open_regular

_HEADER = struct.Struct("<QI")
_FOOTER = struct.Struct("<I")
_LENGTH = struct.Struct("<Q")
_FRAME = _HEADER.size + _FOOTER.size

MOST_PAYLOAD_BYTES = 2**20
"""A NAS-Bench record has about 400 bytes; a record that claims more than this is damaged."""

_BLOCK_BYTES = 4 * 2**20  # more than the longest record


def masked_crc(data: bytes) -> int:
    """Return the masked CRC-32C (Castagnoli) of ``data``, as stored in TFRecord files."""
    crc = int(google_crc32c.value(data))
    return (((crc >> 15) | (crc << 17)) + 0xA282EAD8) & 0xFFFFFFFF


def frame(payload: bytes) -> bytes:
    """Return the complete record of ``payload``."""
    length = _LENGTH.pack(len(payload))
    return b"".join(
        (length, _FOOTER.pack(masked_crc(length)), payload, _FOOTER.pack(masked_crc(payload)))
    )


def record_ranges(path: str | os.PathLike[str]) -> Iterator[tuple[int, int]]:
    """Cut a file into byte ranges of about 4 MiB, each of whole records.

    Only lengths are read, and nothing is verified: if a record is damaged, it is in the last range,
    and :func:`payloads` raises its error.
    """
    with open_regular(path, RecordError) as file:
        size = file.seek(0, os.SEEK_END)
        start = 0
        while start < size:
            file.seek(start)
            block = file.read(_BLOCK_BYTES)
            end = 0
            while end + _LENGTH.size <= len(block):
                following = end + _FRAME + _LENGTH.unpack_from(block, end)[0]
                if following > len(block):
                    break
                end = following
            if end == 0:
                yield start, start + len(block)
                return
            yield start, start + end
            start += end


def payloads(path: str | os.PathLike[str], start: int, end: int) -> Iterator[tuple[int, bytes]]:
    """Yield (byte offset of the record, payload) of a range, after verifying both checksums.

    Raises:
        RecordError: At a record that is cut off or whose checksums do not match, with its offset.
    """
    with open_regular(path, RecordError) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(start)
        block = file.read(end - start)
    good_headers: dict[int, int] = {}
    position = 0
    while position < len(block):
        offset = start + position
        if len(block) - position < _HEADER.size:
            raise RecordError(
                f"{path}, byte {offset}: the record is cut off: {len(block) - position} bytes are "
                f"left, its header has {_HEADER.size}"
            )
        length, header_crc = _HEADER.unpack_from(block, position)
        if good_headers.get(length) != header_crc:
            if masked_crc(block[position : position + _LENGTH.size]) != header_crc:
                raise RecordError(
                    f"{path}, byte {offset}: the record's length does not match its checksum: "
                    f"the file is damaged or no TFRecord file"
                )
            if length > MOST_PAYLOAD_BYTES:
                raise RecordError(
                    f"{path}, byte {offset}: the record has {length} bytes, more than any "
                    f"NAS-Bench record ({MOST_PAYLOAD_BYTES})"
                )
            good_headers[length] = header_crc
        first = position + _HEADER.size
        position = first + length + _FOOTER.size
        if position > len(block):
            raise RecordError(
                f"{path}, byte {offset}: the record is cut off: it has {length + _FRAME} bytes, "
                f"the file ends after {size - offset}"
            )
        payload = block[first : first + length]
        if masked_crc(payload) != _FOOTER.unpack_from(block, first + length)[0]:
            raise RecordError(
                f"{path}, byte {offset}: the record's content does not match its checksum: the "
                f"file is damaged"
            )
        yield offset, payload
