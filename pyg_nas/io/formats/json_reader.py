"""The only reader of JSON files; it refuses content that is too large, too deep or ambiguous."""

from __future__ import annotations

import json
import math
from typing import Any

import numpy as np

from pyg_nas.errors import PygNasError, SettingsError, one_line, quoted
from pyg_nas.io.limits import MOST_JSON_DEPTH, MOST_JSON_VALUES, MOST_SETTINGS_BYTES
from pyg_nas.io.regular_files import AnyPath, Failure, read_regular
from pyg_nas.io.text import check_text

_BLOCK_BYTES = 2**20
_BOM = b"\xef\xbb\xbf"
_SURROGATE = b"\\u"


def read_json(path: AnyPath, failure: Failure = SettingsError) -> Any:
    """Return the value of a JSON file.

    Raises:
        failure: If it is not a regular file, cannot be read, is larger than
            :data:`~pyg_nas.io.limits.MOST_SETTINGS_BYTES`, or as :func:`parse_json`.
    """
    content = read_regular(path, MOST_SETTINGS_BYTES, failure)
    try:
        return parse_json(content)
    except SettingsError as error:
        raise failure(f"{path}: not a readable JSON file ({error})") from None


def read_object(path: AnyPath, failure: Failure = SettingsError) -> dict[str, Any]:
    """Return a file's JSON object.

    Raises:
        failure: As :func:`read_json`, or if the value is not an object.
    """
    content = read_json(path, failure)
    if not isinstance(content, dict):
        raise failure(f"{path}: must be a JSON object")
    return content


def parse_json(text: bytes | str, failure: Failure = SettingsError, finite: bool = True) -> Any:
    """Return the value of a JSON text, UTF-8 with or without a byte order mark.

    Args:
        finite: Whether NaN and infinity, which Python writes although JSON lacks them, are refused.

    Raises:
        failure: If it is not JSON, is nested more than
            :data:`~pyg_nas.io.limits.MOST_JSON_DEPTH` levels deep or has too many values, an
            object has a name twice, a number has thousands of digits or is not ``finite``, or a
            string contains half of a surrogate pair.
    """
    try:
        # Bytes that are not UTF-8 become lone surrogates, which are refused below.
        raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
        raw = raw.removeprefix(_BOM)
        _check_size(raw)
        value = (_FINITE if finite else _ANY).decode(raw.decode("utf-8"))
        if _SURROGATE in raw:
            _check_strings(value)
        return value
    except UnicodeError as error:
        raise failure(f"not UTF-8 text ({one_line(error)})") from None
    except json.JSONDecodeError as error:
        raise failure(f"not JSON ({one_line(error)})") from None
    except PygNasError as error:
        raise failure(str(error)) from None
    except (ValueError, RecursionError) as error:
        # Python refuses whole numbers of more than 4,300 digits.
        raise failure(f"not JSON that can be read ({one_line(error)})") from None


def number_or_nan(value: Any) -> float:
    """Return a number of a record, NaN for null.

    Raises:
        TypeError: If it is neither.
        OverflowError: If it is too large for a float.
    """
    if value is None:
        return math.nan
    if type(value) not in (int, float):
        raise TypeError(f"must be a number or null, got {quoted(value)}")
    return float(value)


def _check_size(raw: bytes) -> None:
    """Check depth and number of values on the bytes, before any object is created."""
    brackets = raw.count(b"[") + raw.count(b"{")
    if brackets <= MOST_JSON_DEPTH and len(raw) <= MOST_JSON_VALUES:
        return
    depth = deepest = values = 0
    in_string = False
    # Without escaped characters every quotation mark begins or ends a string.
    plain = raw.replace(b"\\\\", b"").replace(b'\\"', b"") if b"\\" in raw else raw
    for start in range(0, len(plain), _BLOCK_BYTES):
        block = np.frombuffer(plain, np.uint8, min(_BLOCK_BYTES, len(plain) - start), start)
        marks = block == ord('"')
        inside = (np.cumsum(marks, dtype=np.uint32) + in_string) % 2 == 1
        in_string = bool(inside[-1])
        opened = ~inside & ((block == ord("[")) | (block == ord("{")))
        closed = ~inside & ((block == ord("]")) | (block == ord("}")))
        levels = depth + np.cumsum(opened.astype(np.int8) - closed.astype(np.int8), dtype=np.int64)
        depth, deepest = int(levels[-1]), max(deepest, int(levels.max()))
        values += int(opened.sum()) + int((~inside & (block == ord(","))).sum())
        if deepest > MOST_JSON_DEPTH:
            raise SettingsError(f"nested more than {MOST_JSON_DEPTH} levels deep")
        if values > MOST_JSON_VALUES:
            raise SettingsError(f"has more than {MOST_JSON_VALUES:,} values")


def _refuse_constant(name: str) -> Any:
    raise SettingsError(f"numbers must be finite, got {name}")


def _finite(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise SettingsError(f"numbers must be finite, got {digits[:40]}")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise SettingsError(f"an object has the name {quoted(name)} more than once")
        found[name] = value
    return found


def _check_strings(value: Any) -> None:
    """Check that no string of a JSON value contains half of a surrogate pair."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str):
            check_text("string", one)


_FINITE = json.JSONDecoder(
    parse_constant=_refuse_constant, parse_float=_finite, object_pairs_hook=_distinct
)
_ANY = json.JSONDecoder(parse_constant=float, parse_float=float, object_pairs_hook=_distinct)
