"""A text for a callable that changes with its code and state, to name processed files by."""

from __future__ import annotations

import functools
import hashlib
import re
import types
from typing import Any

import numpy as np
import torch


def describe(value: Any, _within: tuple[int, ...] = ()) -> str:
    """Return a text that differs where two transforms do: by code and state, not by name alone.

    The same text in every process; functions that a transform calls by name are not followed.

    Args:
        value: A function, a callable object (a PyG transform, say), or a part of one.
    """
    if id(value) in _within:  # an object that refers to itself
        return f"above {len(_within) - _within.index(id(value))}"
    part = functools.partial(describe, _within=(*_within, id(value)))
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(value, functools.partial):
        return f"partial({part(value.func)}, {part(value.args)}, {part(value.keywords)})"
    if isinstance(value, types.MethodType):
        return f"method({part(value.__func__)}, {part(value.__self__)})"
    if isinstance(value, types.FunctionType):
        bound = [cell.cell_contents for cell in value.__closure__ or ()]
        defaults = (value.__defaults__, value.__kwdefaults__, bound)
        return f"{value.__module__}.{value.__qualname__}({part(value.__code__)}, {part(defaults)})"
    if isinstance(value, types.CodeType):
        return f"code({value.co_code.hex()}, {part(value.co_consts)}, {value.co_names})"
    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(part, value))}]"
    if isinstance(value, (set, frozenset)):
        return f"{{{', '.join(sorted(map(part, value)))}}}"
    if isinstance(value, dict):
        return part(list(value.items()))
    if isinstance(value, torch.Tensor):
        return f"tensor({part(value.detach().cpu().numpy())})"
    if isinstance(value, np.ndarray):
        content = hashlib.sha256(np.ascontiguousarray(value).data).hexdigest()
        return f"array({value.dtype}, {value.shape}, {content})"
    bases = [base for base in kind.__mro__ if base is not object]
    slots = [slot for base in bases for slot in _slots(base)]
    state = getattr(value, "__dict__", None)
    if isinstance(value, type) or not (slots or isinstance(state, dict)):
        return f"{name}({re.sub(r' at 0x[0-9a-f]+', '', repr(value))})"
    state = {slot: getattr(value, slot, None) for slot in slots} | (state or {})
    # A static or class method keeps its function inside.
    methods = [getattr(m, "__func__", m) for base in bases for m in vars(base).values()]
    functions = [m for m in methods if isinstance(m, types.FunctionType)]
    return f"{name}({part(functions)}, {part(state)})"


def _slots(base: type) -> list[str]:
    """Names of the attributes that a class keeps in slots, as ``getattr`` takes them."""
    slots = vars(base).get("__slots__", ())
    private = f"_{base.__name__.lstrip('_')}"
    return [
        f"{private}{slot}" if slot.startswith("__") else slot
        for slot in ([slots] if isinstance(slots, str) else slots)
        if slot not in ("__dict__", "__weakref__")
    ]
