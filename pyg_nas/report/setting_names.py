"""The settings of a search under the names of the command's options."""

from __future__ import annotations

from typing import Any

_OF_SEARCH = {"budget": "trained cells in all", "max_seconds": "max_training_time"}
_OF_STRATEGY = {"n": "start", "k": "refit", "max_seconds": "max_training_time"}


def named_settings(settings: dict[str, Any]) -> dict[str, Any]:
    """Return the content of ``settings.json`` with names that a reader of a report understands.

    ``n`` and ``k`` are ``--start`` and ``--refit``. The budget of a search is a number of cells,
    that of its evaluator a number of epochs.
    """
    named = _renamed(settings, _OF_SEARCH)
    strategy = named.get("strategy_settings")
    if isinstance(strategy, dict):
        named["strategy_settings"] = _renamed(strategy, _OF_STRATEGY)
    return named


def _renamed(values: dict[str, Any], names: dict[str, str]) -> dict[str, Any]:
    return {names.get(name, name): value for name, value in values.items()}
