"""A text for a callable that changes with its code and state, to name processed files by."""

from __future__ import annotations

import dis
import functools
import hashlib
import importlib
import importlib.util
import logging
import pickle
import re
import sys
import types
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

_GLOBAL_LOOKUPS = {"LOAD_GLOBAL", "LOAD_NAME", "LOAD_FROM_DICT_OR_GLOBALS"}
_INSTALLED = {"site-packages", "dist-packages"}


def describe(value: Any) -> str:
    """Return a text that differs where two transforms do: by code and state, not by name alone.

    The same text in every process. What the code takes from its module, from a person's own other
    modules, or imports itself counts too: a person's own functions and classes by their code, and
    theirs in turn; values by value; libraries' modules, functions and classes, and their objects
    that cannot be pickled, by name.

    Args:
        value: A function, a callable object (a PyG transform, say), or a part of one.
    """
    globals_ = _Globals()
    text = _text(value, globals_)
    # Each is described once and from the start, wherever it was met first: two functions may
    # refer to each other, and sets have no order.
    reached = sorted({f"{name} = {_global_text(v, globals_)}" for name, v in globals_})
    return " with ".join([text, *reached])


class _Globals:
    """The globals that code refers to, as pairs of full name and value, each once.

    They may be iterated over while their number grows.
    """

    def __init__(self) -> None:
        self._wanted: list[tuple[dict[str, Any], frozenset[str], frozenset[str]]] = []
        self._met: set[tuple[int, str]] = set()
        self._listed: list[tuple[str, Any]] = []

    def add(self, function: types.FunctionType) -> None:
        """Add those that a function of a person's own refers to."""
        if not _is_own(function.__module__):
            return
        code, namespace = function.__code__, function.__globals__
        attributes = frozenset(_names(code))
        self._want(namespace, frozenset(_global_names(code)), attributes)
        for module in _imported(code, str(namespace.get("__package__") or "")):
            self._follow(module, attributes)

    def _follow(self, value: Any, attributes: frozenset[str]) -> None:
        """Add what code with such names of attributes may take from a person's own module."""
        if isinstance(value, types.ModuleType) and _is_own(value.__name__):
            self._want(vars(value), attributes, attributes)

    def _want(
        self, namespace: dict[str, Any], names: frozenset[str], attributes: frozenset[str]
    ) -> None:
        wanted = namespace, names, attributes
        if not any(namespace is w[0] and wanted[1:] == w[1:] for w in self._wanted):
            self._wanted.append(wanted)

    def _find(self) -> bool:
        """List what wanted names stand for by now, and return whether any is new."""
        before = len(self._listed)
        for namespace, names, attributes in self._wanted:  # which grows
            for name in names & namespace.keys():
                if (id(namespace), name) not in self._met:
                    self._met.add((id(namespace), name))
                    self._listed.append((f"{namespace.get('__name__')}.{name}", namespace[name]))
                self._follow(namespace[name], attributes)
        return len(self._listed) > before

    def __iter__(self) -> Iterator[tuple[str, Any]]:
        done = 0
        # An import makes a module an attribute of its package, which may have been met before.
        while done < len(self._listed) or self._find():
            yield self._listed[done]
            done += 1


def _global_names(code: types.CodeType) -> set[str]:
    """Names that a function's code, and code inside it, looks up outside of all functions."""
    names = {
        str(instruction.argval)
        for instruction in dis.get_instructions(code)
        if instruction.opname in _GLOBAL_LOOKUPS
    }
    inner = (part for part in code.co_consts if isinstance(part, types.CodeType))
    return names.union(*map(_global_names, inner))


def _names(code: types.CodeType) -> set[str]:
    """All names in a function's code and in code inside it but those of its own variables."""
    inner = (part for part in code.co_consts if isinstance(part, types.CodeType))
    return set(code.co_names).union(*map(_names, inner))


def _imported(code: types.CodeType, package: str) -> Iterator[Any]:
    """A person's own modules that a function's code, and code inside it, imports when it runs."""
    loaded: list[Any] = []
    for instruction in dis.get_instructions(code):
        if instruction.opname.startswith("LOAD_"):
            loaded.append(instruction.argval)
        elif instruction.opname == "IMPORT_NAME":
            level, inside = loaded[-2:]
            yield from _own_modules("." * level + str(instruction.argval), package, inside)
    for part in code.co_consts:
        if isinstance(part, types.CodeType):
            yield from _imported(part, package)


def _own_modules(name: str, package: str, inside: Iterable[str] | None) -> Iterator[Any]:
    """A person's own module, imported, and those of that name inside it.

    With None for ``inside`` also the first package of its name: ``import a.b`` gives code ``a``.
    """
    try:
        name = importlib.util.resolve_name(name, package)
        root = name.partition(".")[0]
        spec = importlib.util.find_spec(root) if root not in sys.modules else None
        # What is not imported yet is not imported to learn that it is a library.
        if not _is_own(root) or (spec and spec.origin and _INSTALLED & {*Path(spec.origin).parts}):
            return
        module = importlib.import_module(name)
        within = inside if inside and hasattr(module, "__path__") else ()
        absent = [part for part in within if not hasattr(module, part)]
    except Exception:  # whatever a module raises: the code may know what to do without it
        return
    # First what is inside: it becomes an attribute of the module once it is imported.
    for part in absent:
        yield from _own_modules(f"{name}.{part}", "", ())
    yield module
    if inside is None:
        yield sys.modules[root]


def _is_own(module: str | None) -> bool:
    """Whether a module is a person's own, not one of Python, of this package or installed."""
    root = str(module).partition(".")[0]
    if root in sys.stdlib_module_names or root == __name__.partition(".")[0]:
        return False
    files = [getattr(sys.modules.get(name), "__file__", None) for name in (root, str(module))]
    return not any(_INSTALLED & set(Path(file).parts) for file in files if file is not None)


def _global_text(value: Any, globals_: _Globals) -> str:
    if isinstance(value, (types.FunctionType, type)) and not _is_own(value.__module__):
        return f"{value.__module__}.{value.__qualname__}"
    module = type(value).__module__
    foreign = not _is_own(module) and module.partition(".")[0] not in sys.stdlib_module_names
    if foreign and not _is_picklable(value):  # a console, say: its state is the process's
        return f"{module}.{type(value).__qualname__}"
    return _text(value, globals_)


def _is_picklable(value: Any) -> bool:
    try:
        pickle.dumps(value)
    except Exception:  # whatever its class raises
        return False
    return True


def _text(value: Any, globals_: _Globals, within: tuple[int, ...] = ()) -> str:
    if id(value) in within:  # an object that refers to itself
        return f"above {len(within) - within.index(id(value))}"
    part = functools.partial(_text, globals_=globals_, within=(*within, id(value)))
    kind = type(value)
    name = f"{kind.__module__}.{kind.__qualname__}"
    if isinstance(value, (types.ModuleType, logging.Logger)):  # which know half of the process
        return f"{name}({value.__name__ if isinstance(value, types.ModuleType) else value.name})"
    if isinstance(value, functools.partial):
        return f"partial({part(value.func)}, {part(value.args)}, {part(value.keywords)})"
    if isinstance(value, types.MethodType):
        return f"method({part(value.__func__)}, {part(value.__self__)})"
    if isinstance(value, types.FunctionType):
        globals_.add(value)
        bound = [_content(cell) for cell in value.__closure__ or ()]
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
    if isinstance(value, type) and _is_own(value.__module__):
        return f"class {value.__module__}.{value.__qualname__}({part(_class_content(value))})"
    bases = [base for base in kind.__mro__ if base is not object]
    slots = [slot for base in bases for slot in _slots(base)]
    state = getattr(value, "__dict__", None)
    if isinstance(value, type) or not (slots or isinstance(state, dict)):
        return f"{name}({re.sub(r' at 0x[0-9a-f]+', '', repr(value))})"
    state = {slot: getattr(value, slot, None) for slot in slots} | (state or {})
    # An own class stands for its content, which may hold instances of it again.
    shared = kind if _is_own(kind.__module__) else _class_content(kind)
    return f"{name}({part(shared)}, {part(state)})"


def _content(cell: types.CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:  # its variable is not bound yet
        return cell


def _class_content(kind: type) -> list[Any]:
    """What instances of a class share: all functions, and the values of a person's own classes."""
    content: list[Any] = []
    for base in kind.__mro__:
        for name, member in vars(base).items() if base is not object else ():
            # A static or class method keeps its function inside.
            function = getattr(member, "__func__", member)
            if isinstance(function, types.FunctionType):
                content.append(function)
            elif isinstance(function, property):
                content.append([function.fget, function.fset])
            elif _is_own(base.__module__) and not name.startswith("__"):
                content.append([name, function])
    return content


def _slots(base: type) -> list[str]:
    """Names of the attributes that a class keeps in slots, as ``getattr`` takes them."""
    slots = vars(base).get("__slots__", ())
    private = f"_{base.__name__.lstrip('_')}"
    return [
        f"{private}{slot}" if slot.startswith("__") else slot
        for slot in ([slots] if isinstance(slots, str) else slots)
        if slot not in ("__dict__", "__weakref__")
    ]
