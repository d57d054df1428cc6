"""A text that changes with a transform's code and state, for the names of processed files."""

from __future__ import annotations

import functools
import re
import sys
import types
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import torch

from pyg_nas.data.datasets.graph_class import full_name


def describe(value: Any, within: tuple[int, ...] = ()) -> str:
    """Return a text that differs between different transforms and is the same in every process.

    A function is described by its qualified name, code, defaults and closure, and the functions,
    classes and values of its own module that the code uses; an object by its class and by what
    pickle would store. Functions and classes of libraries enter by name. Not seen are attributes of
    other modules (``helpers.limit``), imports at run time, files and the environment: for
    transforms that depend on them, the datasets have ``transform_key``. Nothing is imported, and no
    transform is called.

    Args:
        value: A function, a callable object (such as a PyG transform), or a part of one.
        within: Identities of the objects that contain ``value``, so that cycles end.
    """
    if id(value) in within:
        return f"above {len(within) - within.index(id(value))}"
    part = functools.partial(describe, within=(*within, id(value)))
    name = full_name(type(value))
    match value:
        case list() | tuple():
            return f"{name}[{', '.join(map(part, value))}]"
        case set() | frozenset():
            return f"{name}{{{', '.join(sorted(map(part, value)))}}}"
        case dict():
            return f"{name}{part(list(value.items()))}"
        case torch.Tensor():
            dense = value.detach().cpu().to_dense()
            exact = dense.float() if dense.dtype is torch.bfloat16 else dense  # unknown to NumPy
            return f"{name}({value.dtype}, {value.layout}, {part(exact.numpy())})"
        case np.ndarray() if value.dtype != object:
            return f"array({joblib.hash(value)})"
        case types.ModuleType():
            return f"{name}({value.__name__})"
        case types.CodeType():
            return f"code({value.co_code.hex()}, {value.co_names}, {part(value.co_consts)})"
        case types.MethodType():
            return f"{name}({part([value.__func__, value.__self__])})"
        case functools._lru_cache_wrapper():
            return f"{name}({part(value.__wrapped__)})"
        case types.FunctionType() | type() if _is_library(value.__module__):
            return full_name(value)
        case types.FunctionType():
            names = sorted(_names(value.__code__) & value.__globals__.keys())
            used = {name: value.__globals__[name] for name in names}
            cells = [cell for cell in value.__closure__ or () if cell != types.CellType()]  # bound
            bound = [cell.cell_contents for cell in cells]
            held = [value.__code__, value.__defaults__, value.__kwdefaults__, bound, used]
            return f"{full_name(value)}({part(held)})"
        case type():
            own = [base for base in value.__mro__ if not _is_library(base.__module__)]
            return f"class {full_name(value)}({part([_members(base) for base in own])})"
    try:
        stored = None if type(value).__module__ == "builtins" else value.__reduce_ex__(2)
    except TypeError:  # a lock or a connection, whose state belongs to the process
        stored = None
    return f"{name}({part(stored) if stored else re.sub(r' at 0x[0-9a-f]+', '', repr(value))})"


def _names(code: types.CodeType) -> set[str]:
    inner = (constant for constant in code.co_consts if isinstance(constant, types.CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _is_library(module: str | None) -> bool:
    """Return whether a module is Python's, this package's or installed."""
    root = str(module).partition(".")[0]
    file = getattr(sys.modules.get(str(module)), "__file__", None) or ""
    installed = {"site-packages", "dist-packages"}.intersection(Path(file).parts)
    return bool(installed) or root in {*sys.stdlib_module_names, __name__.partition(".")[0]}


def _members(base: type) -> dict[str, Any]:
    """Return the functions and values that the instances of a class share."""
    return {  # a property, and a static or class method, wraps its function
        name: getattr(member, "fget", getattr(member, "__func__", member))
        for name, member in vars(base).items()
        if callable(member) or not name.startswith("__")
    }
