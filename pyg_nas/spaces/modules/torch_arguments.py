"""Arguments of functions of ``torch`` by their names, whichever way they are given."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import lru_cache
from types import FunctionType
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch._ops import OpOverloadPacket

_INDEXING = ("__getitem__", "__setitem__")
_INTEGERS = ("List[int]", "List[SymInt]")
_BY_NAME = inspect.Parameter.KEYWORD_ONLY


class _Parameter(NamedTuple):
    """A parameter of a signature.

    Args:
        name: Its name.
        kind: Its type in PyTorch's schema, as ``Optional[List[int]]``; empty of a Python function.
        default: None if there is none.
        by_name: Whether it cannot be given by position.
    """

    name: str
    kind: str
    default: Any
    by_name: bool


def named_arguments(
    function: Callable[..., Any] | None, name: str, arguments: tuple[Sequence[Any], dict[str, Any]]
) -> dict[str, Any]:
    """Return the arguments of a call that are not defaults, by name and in the signature's order.

    Those of a function whose names are not known have their positions in place of names.

    Args:
        function: That was called, None for one of the dispatcher.
        name: Its name, by which a built-in function is found among those of the dispatcher.
        arguments: Positional and named.
    """
    positional, named = arguments
    if name in _INDEXING:
        tensor, index, *value = positional
        listed = [*index] if isinstance(index, tuple) else [index]
        return {"input": tensor, "index": listed, "value": value}
    if name == "einsum" and len(positional) > 2:  # factors one by one
        positional = (positional[0], positional[1:])
    for exact in (True, False):
        for parameters in _signatures(function, name):
            found = _bound(parameters, positional, named, exact=exact)
            if found is not None:
                return found
    return {**{str(i): value for i, value in enumerate(positional)}, **named}


@lru_cache(maxsize=4096)
def _signatures(function: Callable[..., Any] | None, name: str) -> list[list[_Parameter]]:
    schema = getattr(function, "_schema", None)
    if schema is not None:
        return [_of_schema(schema)]
    if isinstance(function, FunctionType) and (parameters := _of_python(function)):
        return [parameters]
    packet = getattr(torch.ops.aten, name.strip("_"), None)
    overloads = packet.overloads() if isinstance(packet, OpOverloadPacket) else []
    return [_of_schema(getattr(packet, overload)._schema) for overload in overloads]


def _of_schema(schema: Any) -> list[_Parameter]:
    return [
        _Parameter(one.name, str(one.type), one.default_value, bool(one.kwarg_only))
        for one in schema.arguments
    ]


def _of_python(function: FunctionType) -> list[_Parameter]:
    """Return the parameters of a Python function; none if it takes any, as a wrapper does."""
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:  # of a built-in function that it wraps
        return []
    if any(one.kind in (one.VAR_POSITIONAL, one.VAR_KEYWORD) for one in parameters):
        return []
    return [
        _Parameter(
            one.name, "", None if one.default is one.empty else one.default, one.kind is _BY_NAME
        )
        for one in parameters
    ]


def _bound(
    parameters: list[_Parameter], positional: Sequence[Any], named: dict[str, Any], *, exact: bool
) -> dict[str, Any] | None:
    """Return the arguments that are no defaults by name; None if they do not fit.

    Args:
        exact: Whether a number is no tensor.
    """
    places = [one for one in parameters if not one.by_name]
    if len(positional) > len(places):  # sizes or dimensions one by one
        if not places or not places[-1].kind.endswith(_INTEGERS):
            return None
        before = len(places) - 1
        positional = [*positional[:before], tuple(positional[before:])]
    by_name = {one.name: one for one in parameters}
    given = {one.name: value for one, value in zip(places, positional, strict=False)}
    renamed = {("self" if n == "input" and "self" in by_name else n): v for n, v in named.items()}
    if given.keys() & renamed.keys():
        return None
    values = {**given, **renamed}
    unknown = (values[name] for name in values.keys() - by_name)
    if not all(value is None or value is False for value in unknown):
        return None  # others may be options of another function of this name
    found = {}
    for name, _, default, _ in parameters:
        value = values.get(name, default)
        if name in values and not _fits(value, by_name[name].kind, exact=exact):
            return None
        # Another number may mean the same dimension as the default.
        if name == "dim" or (name in values and (_has_tensor(value) or not _equal(value, default))):
            found[name] = value
    return found


def _fits(value: Any, kind: str, *, exact: bool) -> bool:
    """Return whether a parameter takes a value, as far as overloads of functions differ in it."""
    if not kind or value is None:
        return True
    if _has_tensor(value):
        return "Tensor" in kind
    if isinstance(value, (tuple, list)):
        return "List" in kind or not exact
    if isinstance(value, bool):
        return "bool" in kind or not exact
    if isinstance(value, (int, float)):
        return "bool" not in kind and not (exact and "Tensor" in kind)
    return True


def _has_tensor(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return any(_has_tensor(item) for item in value)
    return isinstance(value, Tensor)


def _equal(value: Any, default: Any) -> bool:
    """Return whether an argument is the default; one number may stand for equal ones in a list."""
    if isinstance(value, (tuple, list)) and not isinstance(default, (tuple, list)):
        return all(_equal(item, default) for item in value) and len(value) > 0
    if isinstance(default, (tuple, list)):
        listed = value if isinstance(value, (tuple, list)) else [value] * max(len(default), 1)
        return list(listed) == list(default)
    return bool(type(value) in (int, float, bool, str, type(None)) and value == default)
