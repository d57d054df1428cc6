"""Registry of search spaces: the name and the support of each.

This module must not import the packages of the spaces, which are above it: it names each support by
a string and imports it when it is first used. Other packages add theirs by an entry point of the
group ``pyg_nas.spaces``, scripts by :func:`register_space`, and users of the command line as
``file.py:NAME`` (:func:`open_space`). A name in a file never causes an import of the user's code:
:func:`find_space` and :func:`support_of` take registered names only.
"""

from __future__ import annotations

from functools import lru_cache
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any

from pyg_nas.errors import SpaceError, argument, one_line, quoted
from pyg_nas.io.user_code import absolute_reference, imported, object_named

if TYPE_CHECKING:
    from pyg_nas.graphs.search_space import SearchSpace
    from pyg_nas.graphs.space_support import SpaceSupport

ENTRY_POINTS = "pyg_nas.spaces"
"""Group of entry points: the name of a space, and ``module:attribute`` of its support."""

_DEFAULT = "nasbench101"
_locations = {
    _DEFAULT: "pyg_nas.spaces.nasbench101.support:SUPPORT",
    "nasbench201": "pyg_nas.spaces.nasbench201.support:SUPPORT",
    "transnasbench101": "pyg_nas.spaces.transnasbench101.support:SUPPORT",
}
_GENERAL = "pyg_nas.spaces.graph_text:general_support"
_supports: dict[str, SpaceSupport] = {}
_references: dict[str, str] = {}  # of spaces that were opened, by their names
_MOST_SUPPORTS = 64  # of unregistered spaces, which files may contain


def register_space(support: SpaceSupport) -> None:
    """Register a space under its name.

    Raises:
        SpaceError: If another space has this name.
    """
    name = support.space.name
    if name in space_names() and _find_support(name) is not support:
        raise SpaceError(f"search space {name!r} is registered already")
    _supports[name] = support
    support_of.cache_clear()


def space_names() -> tuple[str, ...]:
    """Return the names of all registered spaces, in alphabetical order."""
    return tuple(sorted({*_locations, *_supports, *_entry_points()}))


def package_spaces() -> tuple[SearchSpace, ...]:
    """Return the spaces of this package, the default one first."""
    return tuple(map(find_space, _locations))


def find_space(name: str) -> SearchSpace:
    """Return the space of a name.

    Raises:
        SpaceError: If no space has that name.
    """
    support = _find_support(name)
    if support is None:
        raise SpaceError(f"search space {name!r} is not one of {', '.join(space_names())}")
    return support.space


def open_space(reference: str) -> SearchSpace:
    """Return the space that a user names, and register it.

    Only for text that the user types, because ``file.py:NAME`` and ``module:NAME`` run code.

    Args:
        reference: The name of a registered space, or ``file.py:NAME`` or ``module:NAME`` of a
            :class:`SpaceSupport` or :class:`SearchSpace`.

    Raises:
        SpaceError: If no space has that name, another space has its name, or it is no space.
        SettingsError: If the code cannot be imported.
    """
    if ":" not in reference:
        try:
            return find_space(reference)
        except SpaceError as error:
            raise SpaceError(f"{error}, nor file.py:NAME of a space of yours") from None
    found = object_named(reference)
    support = as_support(found)
    if support is None:
        raise SpaceError(f"{reference}: must be a search space (OwnSpace), got {quoted(found)}")
    register_space(support)
    _references[support.space.name] = absolute_reference(reference)
    return support.space


def as_support(found: Any) -> SpaceSupport | None:
    """Return the support that an object is or has; None if it is no space."""
    from pyg_nas.graphs.search_space import SearchSpace
    from pyg_nas.graphs.space_support import SpaceSupport

    if isinstance(found, SearchSpace):
        return support_of(found)
    return found if isinstance(found, SpaceSupport) else None


def space_reference(space: SearchSpace) -> str | None:
    """Return the ``file.py:NAME`` from which a space was opened, for other processes, or None."""
    return _references.get(space.name)


def missing_network(space: SearchSpace) -> str:
    """Return why cells of a space have no network, as a sentence of a message."""
    support = _find_support(space.name)
    if support is not None and support.space != space:
        changes = space_changes(space.to_dict(), support.space.to_dict())
        return f"the space {space.name!r} has changed since: {changes}"
    return (
        f"cells of {space.name!r} have no network; where a file of yours defines them, name it as "
        f"FILE.py:NAME with {argument('space')}, or with open_space in Python"
    )


def space_changes(before: dict[str, Any], now: dict[str, Any]) -> str:
    """Return how two descriptions of a space differ, for a message."""
    if before.get("name") != now.get("name"):
        return f"it was {quoted(before.get('name'))} and is {quoted(now.get('name'))}"
    return "; ".join(
        f"its {key} were {quoted(before.get(key), 200)} and are {quoted(now.get(key), 200)}"
        for key in sorted({*before, *now})
        if before.get(key) != now.get(key)
    )


def default_space() -> SearchSpace:
    """Return the space that commands and functions use if none is named."""
    return find_space(_DEFAULT)


@lru_cache(maxsize=_MOST_SUPPORTS)
def support_of(space: SearchSpace) -> SpaceSupport:
    """Return the support of the registered space of equal content, else the general one."""
    support = _find_support(space.name)
    if support is not None and support.space == space:
        return support
    general: SpaceSupport = imported(_GENERAL)(space)
    return general


def _find_support(name: str) -> SpaceSupport | None:
    if name not in _supports:
        location = _locations.get(name) or _entry_points().get(name)
        if location is None:
            return None
        try:
            found = as_support(imported(location))
        except (Exception, SystemExit) as error:  # another package may raise anything
            raise SpaceError(
                f"search space {name!r}: {location} cannot be imported ({one_line(error)})"
            ) from error
        if found is None:
            raise SpaceError(f"search space {name!r}: {location} is no search space")
        if found.space.name != name:
            raise SpaceError(f"{location} is the support of {found.space.name!r}, not of {name!r}")
        _supports[name] = found
    return _supports[name]


@lru_cache(maxsize=1)
def _entry_points() -> dict[str, str]:
    return {point.name: point.value for point in entry_points(group=ENTRY_POINTS)}
