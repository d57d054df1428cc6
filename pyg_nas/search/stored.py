"""Reading searches from their folders, finished or not."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pyg_nas.errors import SettingsError, listed
from pyg_nas.graphs.registry import find_space, space_names
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.json_reader import read_object
from pyg_nas.io.limits import LARGEST_FIGURE
from pyg_nas.io.text import counted
from pyg_nas.search.constraints import LIMITS, Constraints
from pyg_nas.search.folder import ANSWER, LATENCY, SETTINGS, read_settings
from pyg_nas.search.outcome import Reference
from pyg_nas.search.records import Records
from pyg_nas.search.result import SearchResult

ACCURACY = "accuracy"
"""The usual score of a run."""

_DEEPEST = 8


@dataclass(frozen=True)
class StoredSearch:
    """A search as recorded in its folder.

    Args:
        folder: The folder.
        settings: Content of ``settings.json``.
        space: The search space of its cells.
        result: The search so far.
        finished: Whether it has reached its budget, or no cell was left.
    """

    folder: Path
    settings: dict[str, Any]
    space: SearchSpace
    result: SearchResult
    finished: bool

    @classmethod
    def read(
        cls, folder: str | os.PathLike[str], default_space: SearchSpace | None = None
    ) -> StoredSearch:
        """Read a folder, in which a search may be at work.

        Args:
            default_space: The space where the settings do not describe it.

        Raises:
            SettingsError: If a file is missing or damaged.
        """
        folder = Path(folder)
        settings = read_settings(folder)
        space = _space(folder, settings, default_space)
        history = Records.read(folder, space).history
        answer = read_object(folder / ANSWER) if (folder / ANSWER).exists() else {}
        # A finished search that is resumed with more rounds still has its previous answer.
        finished = answer.get("queries") == len(history)
        exhausted = finished and answer.get("exhausted") is True
        result = SearchResult(history, _constraints(settings), _reference(answer), exhausted)
        return cls(folder, settings, space, result, finished)

    def check_trained(self) -> None:
        """Check that there is an outcome.

        Raises:
            SettingsError: If no cell has been trained yet; it names the failures.
        """
        if not len(self.result.history):
            reasons = list(self.result.history.failures.values())
            failed = f", {counted(len(reasons), 'cell')} failed: {listed(reasons, 3)}"
            raise SettingsError(
                f"{self.folder}: no cell has been trained yet{failed if reasons else ''}"
            )

    @property
    def evaluator(self) -> str | None:
        """How cells are evaluated: ``table``, ``measure`` or ``external``; None if not known."""
        kinds = nested_values(self.settings, "evaluator")
        return next((kind for kind in kinds if isinstance(kind, str)), None)

    @property
    def latency(self) -> dict[str, Any] | None:
        """Content of ``latency.json``; None if latencies were not limited."""
        return stored_latency(self.folder)

    @property
    def score(self) -> str:
        """Name of its metric."""
        return stored_score(self.settings)


def _space(folder: Path, settings: dict[str, Any], default: SearchSpace | None) -> SearchSpace:
    named = settings.get("space")
    if isinstance(named, dict):
        return SearchSpace.from_dict(named)
    if default is not None:
        return default
    for value in nested_values(settings, "space"):
        if isinstance(value, dict):
            return SearchSpace.from_dict(value)
        if value in space_names():
            return find_space(value)
    raise SettingsError(
        f"{folder}: is not the folder of a search whose {SETTINGS} describes the search space; for "
        f"a report, give the table as well"
    )


def stored_latency(folder: Path) -> dict[str, Any] | None:
    """Return the content of ``latency.json``; None if latencies were not limited."""
    path = folder / LATENCY
    return read_object(path) if path.exists() else None


def stored_score(settings: dict[str, Any]) -> str:
    """Return the name of a search's metric: accuracy, R², or a function's name.

    Args:
        settings: Those of the search's folder. They name the score where it is not accuracy.
    """
    evaluator = settings.get("evaluator")
    score = evaluator.get("score") if isinstance(evaluator, dict) else None
    return score if isinstance(score, str) and score else ACCURACY


def _constraints(settings: dict[str, Any]) -> Constraints:
    known = {name: nested_values(settings, name) for name in LIMITS}
    return Constraints(
        **{name: next((v for v in values if v is not None), None) for name, values in known.items()}
    )


def _reference(answer: dict[str, Any]) -> Reference | None:
    against = answer.get("regret_against")
    if not isinstance(against, dict):
        return None
    best = against.get("best")
    if isinstance(best, bool) or not isinstance(best, (int, float)):
        return None
    if not abs(best) < LARGEST_FIGURE:
        return None
    kind, digest = (str(against.get(key, "accuracy")) for key in ("kind", "hash"))
    return Reference(float(best), kind, digest)


def nested_values(value: Any, key: str, depth: int = _DEEPEST) -> list[Any]:
    """Return all values of ``key`` in nested objects, outermost first, at most ``depth`` deep."""
    if not isinstance(value, dict) or depth == 0:
        return []
    found = [value[key]] if key in value else []
    for inner in value.values():
        found += nested_values(inner, key, depth - 1)
    return found
