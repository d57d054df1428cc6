"""Frozen dataclasses and JSON values that are checked by pydantic."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from functools import lru_cache
from typing import Any, TypeVar, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError

from pyg_nas.errors import PygNasError, SettingsError, listed, quoted
from pyg_nas.io.plain_scalar import plain_scalar

T = TypeVar("T")

_STRICT = ConfigDict(strict=True, allow_inf_nan=False)


class Rule(str):
    """The rule for a field's value, as its error states it: an annotation beside the type."""


def check_fields(record: Any, what: str = "") -> None:
    """Check every field of a dataclass against its annotated type.

    Scalars of NumPy become numbers of Python, as JSON needs them. Nothing else is converted.

    Args:
        record: The dataclass, in its ``__post_init__``; a field is ``Annotated[type, Rule(...)]``.
        what: What has the field, for the message; empty if the field's name says enough.

    Raises:
        SettingsError: At the first field that breaks its rule; the message names field, value and
            rule.
    """
    kind: Any = type(record)
    for name, (adapter, rule) in _adapters(kind).items():
        value = plain_scalar(getattr(record, name))
        object.__setattr__(record, name, value)  # the dataclass may be frozen
        try:
            adapter.validate_python(value)
        except ValidationError as error:
            if not what:
                raise SettingsError(f"{name} must be {rule}, got {quoted(value)}") from None
            rest = f" must be {rule}" if rule else f": {error.errors()[0]['msg']}"
            raise SettingsError(f"{what} {name} {quoted(value)}{rest}") from None


def record_from_dict(kind: type[T], values: Any, what: str) -> T:
    """Return a dataclass built from a JSON object whose keys are its fields.

    Raises:
        SettingsError: If ``values`` is not an object, a key is unknown or missing, or a value
            breaks its rule.
    """
    if not isinstance(values, Mapping):
        raise SettingsError(f"{what} must be a JSON object, got {quoted(values)}")
    known = fields(kind)  # type: ignore[arg-type]
    unknown = sorted(set(values) - {field.name for field in known})
    if unknown:
        raise SettingsError(f"unknown keys in {what}: {listed(unknown)}")
    needed = [f.name for f in known if f.default is MISSING and f.default_factory is MISSING]
    missing = [name for name in needed if name not in values]
    if missing:
        raise SettingsError(f"{what} needs the keys {', '.join(missing)}")
    return kind(**values)


def checked_value(
    kind: Any, value: Any, what: str, failure: type[PygNasError] = SettingsError
) -> Any:
    """Return a JSON value as a type, of which a list may be a tuple and an object a dataclass.

    Raises:
        failure: If it is not of this type; the message names the place in ``what``, the value
            there and the rule.
    """
    try:
        # From JSON: there a list is a tuple too, but True is no number.
        return TypeAdapter(kind).validate_json(json.dumps(value), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        where = what + "".join(f"[{quoted(key)}]" for key in first["loc"])
        raise failure(
            f"{where} is not valid, got {quoted(first['input'])}: {first['msg']}"
        ) from None


@lru_cache(maxsize=64)
def _adapters(kind: Any) -> dict[str, tuple[TypeAdapter[Any], str | None]]:
    """Return the type check of each field, and its rule in words if it has one."""
    found = {}
    for name, hint in get_type_hints(kind, include_extras=True).items():
        if is_dataclass(hint):  # it has checked its own fields
            continue
        rules = [note for note in getattr(hint, "__metadata__", ()) if isinstance(note, Rule)]
        found[name] = TypeAdapter(hint, config=_STRICT), str(rules[0]) if rules else None
    return found
