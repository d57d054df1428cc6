"""Weights files, which are read only if header and file size agree."""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import pairwise
from math import prod
from typing import TYPE_CHECKING, Any

from pyg_nas.errors import PygNasError, SettingsError, quoted
from pyg_nas.io.formats.json_reader import parse_json
from pyg_nas.io.limits import MOST_SETTINGS_BYTES, MOST_TENSORS, MOST_WEIGHTS_BYTES
from pyg_nas.io.regular_files import AnyPath, Failure, open_regular

if TYPE_CHECKING:
    from torch import Tensor

_LENGTH_BYTES = 8
_METADATA = "__metadata__"
_BITS = {"BOOL": 8, "U8": 8, "I8": 8, "I16": 16, "I32": 32, "I64": 64} | {
    "F16": 16,
    "BF16": 16,
    "F32": 32,
    "F64": 64,
}
_TORCH_TYPES = {"BOOL": "bool", "U8": "uint8", "BF16": "bfloat16"}
_LETTERS = {"I": "int", "F": "float"}


def read_safetensors(
    path: AnyPath,
    expected_bytes: int | None = None,
    failure: Failure = SettingsError,
    check: Callable[[dict[str, Tensor]], None] | None = None,
) -> bytes:
    """Return the content of a safetensors file whose header and size agree.

    Args:
        expected_bytes: The size that it must have; None if it is not known.
        check: Called after the header is read, with tensors of zeros that have the types and
            shapes of the header and need no memory; it may raise.

    Raises:
        failure: If it is not a regular file, has another size, has a header that is damaged or
            disagrees with the size, or is larger than
            :data:`~pyg_nas.io.limits.MOST_WEIGHTS_BYTES`.
    """
    with open_regular(path, failure) as file:
        size = os.fstat(file.fileno()).st_size
        if expected_bytes is not None and size != expected_bytes:
            raise failure(f"{path}: has {size:,} bytes, its settings give {expected_bytes:,}")
        try:
            header = int.from_bytes(file.read(_LENGTH_BYTES), "little")
            if not 2 <= header <= min(size - _LENGTH_BYTES, MOST_SETTINGS_BYTES):
                raise SettingsError(f"its header cannot have {header:,} bytes")
            described = parse_json(file.read(header))
            needed = _LENGTH_BYTES + header + _content_bytes(described)
            if needed > MOST_WEIGHTS_BYTES:
                raise SettingsError(f"claims {needed:,} bytes, at most {MOST_WEIGHTS_BYTES:,}")
            if needed != size:
                raise SettingsError(f"has {size:,} bytes, its header gives {needed:,}")
        except PygNasError as error:
            raise failure(f"{path}: not a readable weights file ({error})") from None
        except OSError as error:
            raise failure(f"{path}: cannot be read ({error.strerror})") from None
        if check is not None:
            check(_zeros(described))
        try:
            file.seek(0)
            return file.read(size)
        except OSError as error:
            raise failure(f"{path}: cannot be read ({error.strerror})") from None


def _zeros(header: dict[str, Any]) -> dict[str, Tensor]:
    """Return a tensor of each type and shape, all of whose elements are the same zero."""
    import torch

    found = {}
    for name, entry in header.items():
        if name != _METADATA:
            kind = entry["dtype"]
            dtype = _TORCH_TYPES.get(kind) or f"{_LETTERS[kind[0]]}{kind[1:]}"
            zero = torch.zeros((), dtype=getattr(torch, dtype))
            found[name] = zero.expand(entry["shape"])
    return found


def _content_bytes(header: Any) -> int:
    """Return the bytes that follow a header, whose tensors must be stored without gaps."""
    if not isinstance(header, dict):
        raise SettingsError("its header must be a JSON object")
    tensors = {name: entry for name, entry in header.items() if name != _METADATA}
    if len(tensors) > MOST_TENSORS:
        raise SettingsError(f"has {len(tensors):,} tensors, at most {MOST_TENSORS:,}")
    ranges = sorted(_range(name, entry) for name, entry in tensors.items())
    for (_, end), (start, _) in pairwise([(0, 0), *ranges]):
        if start != end:
            raise SettingsError("its tensors overlap or leave gaps")
    return ranges[-1][1] if ranges else 0


def _range(name: str, entry: Any) -> tuple[int, int]:
    try:
        (start, end), shape, bits = entry["data_offsets"], entry["shape"], _BITS[entry["dtype"]]
        whole = [start, end, *shape]
    except (TypeError, KeyError, ValueError):
        raise SettingsError(f"tensor {quoted(name)} has no type, shape and place") from None
    if not all(type(number) is int and 0 <= number < 2**63 for number in whole):
        raise SettingsError(f"tensor {quoted(name)} has a size that is not a whole number >= 0")
    if end - start != prod(shape) * bits // 8:
        raise SettingsError(f"tensor {quoted(name)} has {end - start} bytes for the shape {shape}")
    return start, end
