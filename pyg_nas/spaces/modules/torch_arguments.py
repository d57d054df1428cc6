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

_INDEXED = ("__getitem__", "__setitem__")
_ALL = (slice(None), Ellipsis)


class _Parameter(NamedTuple):
    name: str
    default: Any  # None if there is none
    is_tensor: bool
    by_name: bool


def named_arguments(
    function: Callable[..., Any], name: str, arguments: tuple[Sequence[Any], dict[str, Any]]
) -> dict[str, Any]:
    """Return the arguments of a call that are not defaults, by name.

    Those of a function whose names are not known have their positions in place of names.

    Args:
        function: That was called.
        name: Its name, by which a built-in function is found among those of the dispatcher.
        arguments: Positional and named.
    """
    positional, named = arguments
    if name in _INDEXED:
        return {"index": _without_full_slices(positional[1]), "value": [*positional[2:]]}
    for exact in (True, False):
        for parameters in _signatures(function, name):
            found = _bound(parameters, positional, named, exact=exact)
            if found is not None:
                return found
    return {**{str(i): value for i, value in enumerate(positional)}, **named}


@lru_cache(maxsize=4096)
def _signatures(function: Callable[..., Any], name: str) -> list[list[_Parameter]]:
    schema = getattr(function, "_schema", None)
    if schema is not None:
        return [_of_schema(schema)]
    if isinstance(function, FunctionType):
        try:
            parameters = inspect.signature(function).parameters.values()
        except ValueError:  # of a built-in function that it wraps
            parameters = {}.values()
        if parameters and all(one.kind is one.POSITIONAL_OR_KEYWORD for one in parameters):
            defaults = [None if one.default is one.empty else one.default for one in parameters]
            names = [one.name for one in parameters]
            return [[_Parameter(*one, True, False) for one in zip(names, defaults, strict=True)]]
    packet = getattr(torch.ops.aten, name.strip("_"), None)
    overloads = packet.overloads() if isinstance(packet, OpOverloadPacket) else []
    return [_of_schema(getattr(packet, overload)._schema) for overload in overloads]


def _of_schema(schema: Any) -> list[_Parameter]:
    return [
        _Parameter(one.name, one.default_value, "Tensor" in str(one.type), bool(one.kwarg_only))
        for one in schema.arguments
    ]


def _bound(
    parameters: list[_Parameter], positional: Sequence[Any], named: dict[str, Any], *, exact: bool
) -> dict[str, Any] | None:
    """Return arguments by name; None if they do not fit.

    Args:
        exact: Whether a number is no tensor.
    """
    places = [one for one in parameters if not one.by_name]
    if len(positional) > len(places):
        kept = len(places) - 1
        sizes = tuple(positional[kept:])  # or dimensions, one by one
        if not all(isinstance(size, int) for size in sizes):
            return None
        positional = [*positional[:kept], sizes]
    by_name = {one.name: one for one in parameters}
    given = {one.name: value for one, value in zip(places, positional, strict=False)}
    renamed = {("self" if n == "input" and "self" in by_name else n): v for n, v in named.items()}
    # Another number may mean the same dimension as the default.
    found = {one.name: one.default for one in parameters if one.name == "dim"}
    for name, value in {**given, **renamed}.items():
        parameter = by_name.get(name)
        if parameter is None:
            if value is None or value is False:
                continue  # an option of another function of this name
            return None
        is_tensor = _has_tensor(value)
        if (is_tensor and not parameter.is_tensor) or (
            exact
            and parameter.is_tensor
            and not is_tensor
            and isinstance(value, (int, float))
            and not isinstance(value, bool)
        ):
            return None
        if is_tensor or not _equal(value, parameter.default):
            found[name] = value
    return found


def _without_full_slices(index: Any) -> list[Any]:
    """Return an index without dimensions at its end of which everything is selected."""
    listed = list(index) if isinstance(index, tuple) else [index]
    while listed and isinstance(listed[-1], (slice, type(Ellipsis))) and listed[-1] in _ALL:
        listed.pop()
    return listed


def _has_tensor(value: Any) -> bool:
    if isinstance(value, (tuple, list)):
        return any(_has_tensor(item) for item in value)
    return isinstance(value, Tensor)


def _equal(value: Any, default: Any) -> bool:
    if isinstance(value, (tuple, list)) and not isinstance(default, (tuple, list)):
        return all(_equal(item, default) for item in value) and len(value) > 0
    if isinstance(default, (tuple, list)):
        listed = list(value) if isinstance(value, (tuple, list)) else [value] * len(default)
        return listed == list(default)
    return bool(type(value) in (int, float, bool, str, type(None)) and value == default)
