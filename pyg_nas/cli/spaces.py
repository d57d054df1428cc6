"""The option ``--space``: a registered space, or one of the user's own in a file."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyg_nas.graphs.search_space import SearchSpace

OWN = "or file.py:NAME of a space of your own"
"""End of the help of every option ``--space``."""


def chosen_space(reference: str | None) -> SearchSpace:
    """Return the space that a user names, by default the default space.

    Raises:
        SpaceError: If there is no such space.
        SettingsError: If its file cannot be imported.
    """
    from pyg_nas.graphs.registry import default_space, open_space

    return default_space() if reference is None else open_space(reference)


def scored_source(reference: str) -> str:
    """Return the name of the space that ``file.py:NAME`` is, and any other source as it is.

    Raises:
        SpaceError: If another space has its name.
        SettingsError: If the file cannot be imported.
    """
    from pyg_nas.graphs.registry import as_support, open_space
    from pyg_nas.io.user_code import object_named

    is_own = ":" in reference and as_support(object_named(reference)) is not None
    return open_space(reference).name if is_own else reference
