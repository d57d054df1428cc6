"""A text that changes with a transform's code and state, for the names of processed files."""

from __future__ import annotations

import functools
import hashlib
import logging
import pickle
import re
import sys
import types
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pyg_nas.data.datasets.graph_class import full_name


def describe(value: Any, within: tuple[int, ...] = ()) -> str:
    """Return a text that differs between different transforms and is the same in every process.

    It contains qualified names, code, defaults, closures and attributes, and the functions, classes
    and values of its own module that the code uses. Attributes of other modules, imports at run
    time, files and the environment enter by name at most, and so do functions and classes of
    libraries: for transforms that depend on them, the datasets have ``transform_key``. Nothing is
    imported, and no transform is called.

    Args:
        value: A function, a callable object (such as a PyG transform), or a part of one.
        within: Identities of the objects that contain ``value``, so that cycles end.
    """
    if id(value) in within:
        return f"above {len(within) - within.index(id(value))}"
    part = partial(describe, within=(*within, id(value)))
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    match value:
        case list() | tuple():
            return f"{name}[{', '.join(map(part, value))}]"
        case set() | frozenset():
            return f"{name}{{{', '.join(sorted(map(part, value)))}}}"
        case dict():
            return f"{name}{part(list(value.items()))}"
        case torch.Tensor():
            return f"{name}({part(value.detach().cpu().numpy())})"
        case np.ndarray() if value.dtype != object:
            content = hashlib.sha256(np.ascontiguousarray(value).data).hexdigest()
            return f"array({value.dtype}, {value.shape}, {content})"
        case partial():
            return f"partial({part([value.func, value.args, value.keywords])})"
        case types.MethodType():
            return f"method({part([value.__func__, value.__self__])})"
        case types.CodeType():
            return f"code({value.co_code.hex()}, {value.co_names}, {part(value.co_consts)})"
        case types.ModuleType() | logging.Logger():
            return f"{name}({getattr(value, '__name__', None) or value.name})"
        case types.FunctionType():
            bound = [_content(cell) for cell in value.__closure__ or ()]
            held = part([value.__defaults__, value.__kwdefaults__, bound, vars(value)])
            if _is_library(value.__module__):
                return f"{full_name(value)}({held})"
            return f"{full_name(value)}({part(value.__code__)}, {held}, {_named(value, part)})"
        case type():
            own = [base for base in value.__mro__ if not _is_library(base.__module__)]
            return f"class {full_name(value)}({part([_members(base) for base in own])})"
    slots = [slot for base in kind.__mro__ for slot in _slots(base)]
    state = getattr(value, "__dict__", None)
    if not slots and not isinstance(state, dict):
        return f"{name}({re.sub(r' at 0x[0-9a-f]+', '', repr(value))})"
    attributes = {slot: getattr(value, slot, None) for slot in slots} | (state or {})
    return f"{name}({part(kind)}, {part(attributes)})"


def _named(function: types.FunctionType, part: Any) -> str:
    """Return the objects of its module that the code of ``function``, and code inside it, uses."""
    texts = []
    for name in sorted(_names(function.__code__) & function.__globals__.keys()):
        value = function.__globals__[name]
        if isinstance(value, functools._lru_cache_wrapper):  # its function is its content
            value = value.__wrapped__
        owner = value if isinstance(value, (types.FunctionType, type)) else type(value)
        foreign = _is_library(owner.__module__) and type(value).__module__ != "builtins"
        by_name = foreign and not _is_picklable(value)
        texts.append(f"{name} = {full_name(owner) if by_name else part(value)}")
    return "; ".join(texts)


def _names(code: types.CodeType) -> set[str]:
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _is_library(module: str | None) -> bool:
    """Return whether a module is Python's, this package's or installed: it enters by name."""
    root = str(module).partition(".")[0]
    file = getattr(sys.modules.get(str(module)), "__file__", None) or ""
    installed = {"site-packages", "dist-packages"}.intersection(Path(file).parts)
    return bool(installed) or root in {*sys.stdlib_module_names, __name__.partition(".")[0]}


def _is_picklable(value: Any) -> bool:
    """Return False for a console, a lock or a connection, whose state belongs to the process."""
    try:
        pickle.dumps(value)
    except Exception:  # pickling may raise anything
        return False
    return True


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # its variable is not bound yet
        return cell


def _members(base: type) -> list[Any]:
    """Return the functions and values that the instances of a class share."""
    members: list[Any] = []
    for name, member in vars(base).items():
        # A static or class method wraps its function.
        shared = getattr(member, "__func__", member)
        if isinstance(member, property):
            members.append([name, member.fget, member.fset])
        elif isinstance(shared, types.FunctionType) or not name.startswith("__"):
            members.append([name, shared])
    return members


def _slots(base: type) -> list[str]:
    """Return the names of a class's slots, as arguments of ``getattr``."""
    slots = vars(base).get("__slots__", ())
    private = f"_{base.__name__.lstrip('_')}"
    return [
        f"{private}{slot}" if slot.startswith("__") else slot
        for slot in ([slots] if isinstance(slots, str) else slots)
        if slot not in ("__dict__", "__weakref__")
    ]
