"""TFRecords built byte by byte from the format description, independently of the package."""

from __future__ import annotations

import base64
import json
import struct
from typing import Any


def _crc_table() -> list[int]:
    table = []
    for byte in range(256):
        for _ in range(8):
            # 0x82F63B78 is the Castagnoli polynomial 0x1EDC6F41, bits reversed.
            byte = (byte >> 1) ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


_TABLE = _crc_table()


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def masked(data: bytes) -> bytes:
    crc = crc32c(data)
    return struct.pack("<I", ((crc >> 15) + (crc << 17) + 0xA282EAD8) % 2**32)


def record(payload: bytes) -> bytes:
    length = struct.pack("<Q", len(payload))
    return length + masked(length) + payload + masked(payload)


def varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def double_field(number: int, value: float) -> bytes:
    return varint(number << 3 | 1) + struct.pack("<d", value)


def bytes_field(number: int, value: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(value)) + value


def evaluation(epoch: float, readings: list[float | None], checkpoint: str | None = None) -> bytes:
    """``readings``: training time, train, validation and test accuracy."""
    out = double_field(1, epoch)
    for number, value in enumerate(readings, start=2):
        if value is not None:
            out += double_field(number, value)
    if checkpoint is not None:
        out += bytes_field(6, checkpoint.encode())
    return out


def model_metrics(
    evaluations: list[bytes], parameters: int | None, total_time: float | None = 1234.5
) -> bytes:
    out = b"".join(bytes_field(1, one) for one in evaluations)
    if parameters is not None:
        out += varint(2 << 3) + varint(parameters)
    if total_time is not None:
        out += double_field(3, total_time)
    return out


def payload(
    digest: str,
    epochs: Any,
    adjacency: str,
    operations: str,
    halfway: list[float | None],
    final: list[float | None],
    parameters: int,
) -> bytes:
    message = model_metrics(
        [
            evaluation(0.0, [0.0, 0.1, 0.1, 0.1]),
            evaluation(epochs / 2, halfway),
            evaluation(float(epochs), final),
        ],
        parameters,
    )
    fields = [digest, epochs, adjacency, operations, base64.b64encode(message).decode()]
    return json.dumps(fields).encode()
