"""Candidates of a tuning: settings of an estimator, simplest first."""

from __future__ import annotations

import itertools
import math
from typing import Any

from pyg_nas.errors import SettingsError, listed, quoted
from pyg_nas.predictors.recipes import check_settings, recipe_needs

Candidate = dict[str, Any]

WIDTHS = (48, 72, 96, 144, 210, 320)
"""The widths of arXiv:1912.00848, narrowest first."""

MOST_CANDIDATES = 10_000
"""Of one grid."""


def width_candidates(recipe: str) -> list[Candidate]:
    """Return :data:`WIDTHS` as candidates for a recipe's networks, all of one width.

    Raises:
        SettingsError: If it has no networks.
    """
    names = [n for n in recipe_needs(recipe).settings if n.rpartition("__")[2] == "hidden"]
    candidates = [dict.fromkeys(names, width) for width in WIDTHS]
    try:
        check_settings(recipe, candidates)
    except SettingsError:
        names = []
    if not names:
        raise SettingsError(
            f"recipe {recipe!r} has no network whose width could be tuned; give a grid of its "
            f"settings"
        )
    return candidates


def read_grid(description: Any) -> list[Candidate]:
    """Return the candidates of a grid, simplest first.

    A grid is a list of objects (the candidates in order), or an object that maps each parameter
    to its values, simplest first: all combinations, ordered by the sum of the positions of their
    values.

    Raises:
        SettingsError: If it is neither, or has no candidate or more than
            :data:`MOST_CANDIDATES`.
    """
    if isinstance(description, list):
        candidates = description
        if not all(isinstance(candidate, dict) for candidate in candidates):
            raise SettingsError("a grid's list must contain objects of parameters")
    elif isinstance(description, dict):
        values = list(description.values())
        if not all(isinstance(choices, list) for choices in values):
            raise SettingsError("a grid must map each parameter to a list of values")
        count = math.prod(map(len, values))
        if count > MOST_CANDIDATES:
            raise SettingsError(f"a grid of {count:,} candidates; at most {MOST_CANDIDATES:,}")
        drawn = sorted(
            itertools.product(*map(enumerate, values)), key=lambda chosen: sum(i for i, _ in chosen)
        )
        candidates = [
            dict(zip(description, (value for _, value in chosen), strict=True)) for chosen in drawn
        ]
    else:
        raise SettingsError(f"a grid must be a JSON object or list, got {quoted(description)}")
    if not candidates or candidates == [{}]:
        raise SettingsError("a grid needs at least one candidate")
    return candidates


def check_candidates(estimator: Any, candidates: list[Candidate]) -> None:
    """Check that an estimator has every parameter that a candidate sets.

    Raises:
        SettingsError: If there is no candidate, or a parameter is unknown.
    """
    if not candidates:
        raise SettingsError("nothing to tune: no candidate was given")
    known = estimator.get_params(deep=True)
    for candidate in candidates:
        unknown = sorted(set(candidate) - set(known))
        if unknown:
            raise SettingsError(
                f"candidate {quoted(candidate)}: {type(estimator).__name__} has no parameter "
                f"{listed(unknown)}; it has {', '.join(sorted(known))}"
            )
