"""Reading searches from their folders, finished or not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from pyg_nas.errors import SettingsError
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.json_reader import read_object
from pyg_nas.io.limits import LARGEST_FIGURE
from pyg_nas.search.constraints import LIMITS, Constraints
from pyg_nas.search.folder import ANSWER, LATENCY, QUERIES, read_queries
from pyg_nas.search.history import History
from pyg_nas.search.outcome import Reference
from pyg_nas.search.result import SearchResult

ACCURACY = "accuracy"
"""The usual score of a run."""

_DEEPEST = 8


def read_result(
    folder: Path, settings: dict[str, Any], space: SearchSpace
) -> tuple[SearchResult, bool]:
    """Return the search as recorded in its folder, and whether it has finished."""
    queries, _ = read_queries(folder / QUERIES, space)
    if not queries:
        raise SettingsError(f"{folder / QUERIES}: no cell has been trained yet")
    answer = read_object(folder / ANSWER) if (folder / ANSWER).exists() else {}
    history = History()
    for query in queries:
        history.append(query)
    # A finished search that is resumed with more rounds still has its previous answer.
    finished = answer.get("queries") == len(queries)
    exhausted = finished and answer.get("exhausted") is True
    return SearchResult(history, _constraints(settings), _reference(answer), exhausted), finished


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
    found = {}
    for name in LIMITS:
        for value in nested_values(settings, name):
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                found[name] = value
    return Constraints(**found)  # type: ignore[arg-type]


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
