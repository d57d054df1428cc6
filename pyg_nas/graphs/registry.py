"""Registry of search spaces: their names, and where the support of each is found.

The packages of the spaces are above this one, so that a support is named by a string and imported
when it is first used. Other packages add theirs by an entry point of the group
``pyg_nas.spaces``, and scripts by :func:`register_space`.
"""

from __future__ import annotations

from functools import lru_cache
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from pyg_nas.errors import SpaceError

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
_supports: dict[str, SpaceSupport] = {}
_MOST_SUPPORTS = 64  # of unregistered spaces, which files may contain


def register_space(support: SpaceSupport) -> None:
    """Register a space under its name.

    Raises:
        SpaceError: If another space has this name.
    """
    name = support.space.name
    if name in space_names() and _find_support(name) is not support:
        raise SpaceError(f"another search space is named {name!r}")
    _supports[name] = support
    support_of.cache_clear()


def space_names() -> tuple[str, ...]:
    """Return the names of all registered spaces, in alphabetical order."""
    return tuple(sorted({*_locations, *_supports, *_entry_points()}))


def find_space(name: str) -> SearchSpace:
    """Return the space of a name.

    Raises:
        SpaceError: If no space has that name.
    """
    support = _find_support(name)
    if support is None:
        raise SpaceError(f"search space {name!r} is not one of {', '.join(space_names())}")
    return support.space


def default_space() -> SearchSpace:
    """Return the space that commands and functions use if none is named."""
    return find_space(_DEFAULT)


@lru_cache(maxsize=_MOST_SUPPORTS)
def support_of(space: SearchSpace) -> SpaceSupport:
    """Return the support of the registered space of equal content, else the general one."""
    from pyg_nas.graphs.space_support import SpaceSupport

    support = _find_support(space.name)
    if support is not None and support.space == space:
        return support
    return SpaceSupport(space)


def _find_support(name: str) -> SpaceSupport | None:
    if name not in _supports:
        location = _locations.get(name) or _entry_points().get(name)
        if location is None:
            return None
        module, _, attribute = location.partition(":")
        found = getattr(import_module(module), attribute)
        if found.space.name != name:
            raise SpaceError(f"{location} is the support of {found.space.name!r}, not of {name!r}")
        _supports[name] = found
    return _supports[name]


@lru_cache(maxsize=1)
def _entry_points() -> dict[str, str]:
    return {point.name: point.value for point in entry_points(group=ENTRY_POINTS)}
