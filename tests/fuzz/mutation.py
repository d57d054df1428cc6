"""Random damage to bytes and to JSON values."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from typing import Any

import numpy as np

HOSTILE_NAMES = (
    "",
    " ",
    "\x00",
    "a\nb",
    "../../etc/passwd",
    "</script><img src=x onerror=alert(1)>",
    "$(touch owned)",
    "%s%n{0}{{title}}",
    "\u202egnp.exe",
    "名前",
    "\ud800",  # half a surrogate pair: no UTF-8 has it
    "\U0001f9ea" * 40,
    "x" * 5_000,
    "__class__",
    "nan",
)
JUNK: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    127,
    128,
    2**31,
    2**63,
    -(10**40),
    0.5,
    -0.0,
    1e308,
    float("inf"),
    float("nan"),
    [],
    {},
    [[]],
    [None],
    {"": None},
    [0] * 1000,
    *HOSTILE_NAMES,
)


def damage_bytes(data: bytes, random_: random.Random) -> bytes:
    """Return ``data`` with bits flipped, or a piece cut, zeroed, overwritten, doubled or added."""
    changed = bytearray(data)
    kind = random_.randrange(7)
    start = random_.randrange(len(changed)) if changed else 0
    stop = min(len(changed), start + random_.choice((1, 2, 4, 8, 64, 512)))
    if kind <= 1:
        for _ in range(random_.choice((1, 1, 2, 8))):
            if changed:
                changed[random_.randrange(len(changed))] ^= 1 << random_.randrange(8)
    elif kind == 2:
        del changed[start:]
    elif kind == 3:
        del changed[start:stop]
    elif kind == 4:
        changed[start:stop] = bytes(stop - start)
    elif kind == 5:
        changed[start:stop] = random_.randbytes(stop - start)
    else:
        changed[start:start] = changed[start:stop]
    return bytes(changed)


def damage_json(value: Any, random_: random.Random) -> Any:
    """Return a copy of a JSON value with one to three of its parts replaced, dropped or added."""
    changed = copy.deepcopy(value)
    for _ in range(random_.choice((1, 1, 2, 3))):
        parents = [
            (node, key)
            for node in _nodes(changed)
            for key in (node if isinstance(node, dict) else range(len(node)))
        ]
        if not parents:
            return random_.choice(JUNK)
        parent, key = random_.choice(parents)
        kind = random_.randrange(6)
        if kind == 0 and isinstance(parent, dict):
            del parent[key]
        elif kind == 1 and isinstance(parent, dict):
            parent[random_.choice(HOSTILE_NAMES)] = parent.pop(key)
        elif kind == 2 and isinstance(parent, list):
            parent.insert(key, copy.deepcopy(random_.choice((parent[key], *JUNK))))
        elif kind == 3 and isinstance(parent, list):
            del parent[key]
        elif kind == 4:
            parent[key] = [parent[key]]
        else:
            parent[key] = copy.deepcopy(random_.choice(JUNK))
    return changed


def flipped_bits(content: bytes, times: int) -> Iterator[bytes]:
    """Yield ``content`` with one bit flipped, anywhere, so many times."""
    rng = np.random.default_rng(0)
    for place in rng.integers(len(content), size=times):
        flipped = bytearray(content)
        flipped[place] ^= 1 << int(rng.integers(8))
        yield bytes(flipped)


def damage_json_text(value: Any, random_: random.Random) -> bytes:
    """Return damaged JSON: another value, or damaged bytes, or brackets without end."""
    kind = random_.randrange(10)
    if kind == 0:
        return damage_bytes(json.dumps(value).encode(), random_)
    if kind == 1:
        return random_.choice(("[", '{"a":')).encode() * random_.choice((10, 100_000))
    return json.dumps(damage_json(value, random_)).encode()


def _nodes(value: Any) -> list[Any]:
    found = [value] if isinstance(value, (dict, list)) else []
    inner = value.values() if isinstance(value, dict) else value if found else ()
    for one in inner:
        found += _nodes(one)
    return found
