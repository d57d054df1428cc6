"""The report on a search: its goal, its answer, and their cost."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pyg_nas.errors import SettingsError
from pyg_nas.graphs.registry import find_space, space_names
from pyg_nas.graphs.search_space import SearchSpace
from pyg_nas.io.json_reader import read_object
from pyg_nas.report.columns import cell_table, make_gallery
from pyg_nas.report.page import AnswerCard, Page
from pyg_nas.report.plotly_charts import plotly_figure
from pyg_nas.report.search_facts import SearchFacts
from pyg_nas.search.evaluator import Reference
from pyg_nas.search.folder import ANSWER, QUERIES, SETTINGS, read_queries
from pyg_nas.search.history import History
from pyg_nas.search.result import Constraints, SearchResult
from pyg_nas.version import __version__

if TYPE_CHECKING:
    from pyg_nas.data.table import Table

_BEST = 10
_DEEPEST = 8


def search_page(folder: Path, table: Table | None = None) -> Page:
    """Return the report on a search folder.

    Args:
        folder: Contains ``settings.json`` and ``queries.jsonl``, and ``answer.json`` if the search
            has finished.
        table: The table that was searched; it provides the space if the settings lack it, and the
            runs of the answer for a confidence interval.

    Raises:
        SettingsError: If a file is missing or damaged, or no cell has been trained yet.
    """
    settings = read_object(folder / SETTINGS)
    space = _space(folder, settings, table)
    result, finished = _result(folder, settings, space)
    facts = SearchFacts(result, _answer_runs(result, table))
    rows = np.arange(len(facts.queries))
    cells = [query.cell for query in facts.queries]
    gallery, numbers = make_gallery(space, cells, facts.columns, rows)
    best = np.argsort(-facts.accuracy, kind="stable")[:_BEST]
    methods = [value for value in _nested(settings, "method") if isinstance(value, str)]
    return Page(
        title=f"Search: {methods[0]}" if methods else "Search",
        subtitle=f"{len(rows):,} cells of {space.name} trained."
        + ("" if finished else " The search has not finished."),
        gallery=gallery,
        answer=_answer_card(facts, folder, settings, finished),
        table=cell_table(f"The {len(best)} best trained cells", facts.columns, best, numbers),
        tiles=facts.cost(),
        figures=[plotly_figure(chart, numbers) for chart in facts.charts()],
        settings={**settings, "pyg_nas": __version__},
    )


def _answer_card(
    facts: SearchFacts, folder: Path, settings: dict[str, Any], finished: bool
) -> AnswerCard:
    answer, target = facts.result.answer, settings.get("target")
    steps = []
    if not finished:
        steps.append(("The command that was stopped resumes the search.", ""))
    elif not facts.result.exhausted:
        steps.append(("The same command with more --rounds trains more cells.", ""))
    looked_up = "table" in _nested(settings, "evaluator")
    if answer is not None and looked_up and isinstance(target, str) and not facts.answer_runs:
        command = f"pyg-nas report {shlex.quote(folder.name)} {shlex.quote(target)}"
        steps.append(("Further runs in the table give the accuracy an interval:", command))
    return AnswerCard(facts.title, None if answer is None else answer.cell, facts.answer(), steps)


def _result(
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


def _answer_runs(result: SearchResult, table: Table | None) -> Sequence[float]:
    """Return validation accuracies of the answer's runs at the table's largest budget."""
    if result.answer is None or table is None or result.answer.cell not in table:
        return ()
    row = table.index_of(result.answer.cell)
    runs = table.metrics[row, -1, :, 1, 2].astype(np.float64)
    return [float(value) for value in runs[np.isfinite(runs)]]


def _space(folder: Path, settings: dict[str, Any], table: Table | None) -> SearchSpace:
    named = settings.get("space")
    if isinstance(named, dict):
        return SearchSpace.from_dict(named)
    if table is not None:
        return table.space
    for value in _nested(settings, "space"):
        if isinstance(value, dict):
            return SearchSpace.from_dict(value)
        if value in space_names():
            return find_space(value)
    raise SettingsError(
        f"{folder / SETTINGS}: the search space is not described there, give the table as well"
    )


def _constraints(settings: dict[str, Any]) -> Constraints:
    found = {}
    for name in ("max_parameters", "max_seconds", "max_macs"):
        for value in _nested(settings, name):
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                found[name] = value
    return Constraints(**found)  # type: ignore[arg-type]


def _reference(answer: dict[str, Any]) -> Reference | None:
    against = answer.get("regret_against")
    if not isinstance(against, dict):
        return None
    best = against.get("best")
    if isinstance(best, bool) or not isinstance(best, (int, float)) or not abs(best) < 1e300:
        return None
    kind, digest = (str(against.get(key, "accuracy")) for key in ("kind", "hash"))
    return Reference(float(best), kind, digest)


def _nested(value: Any, key: str, depth: int = _DEEPEST) -> list[Any]:
    """Return all values of ``key`` in nested objects, outermost first, at most ``depth`` deep."""
    if not isinstance(value, dict) or depth == 0:
        return []
    found = [value[key]] if key in value else []
    for inner in value.values():
        found += _nested(inner, key, depth - 1)
    return found
