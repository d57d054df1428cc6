"""The report on a search: what it asked for, what it found, and what that cost."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import SettingsError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.search_space import NASBENCH101, SearchSpace
from pyg_nas.io.json_reader import read_object
from pyg_nas.metrics.intervals import finite_or_none
from pyg_nas.metrics.pareto import pareto_front
from pyg_nas.report.figures import (
    pareto_figure,
    residual_figures,
    scatter_figures,
    search_figures,
)
from pyg_nas.report.gallery import Gallery
from pyg_nas.report.page import CellTable, Page, Tile
from pyg_nas.report.text import duration, number, quantity
from pyg_nas.search.folder import ANSWER, QUERIES, SETTINGS, read_queries
from pyg_nas.search.history import History, Query
from pyg_nas.search.loop import Constraints, SearchResult
from pyg_nas.version import __version__
from pyg_nas.visualization.plots import percent_or_value

if TYPE_CHECKING:
    from pyg_nas.data.table import Table

Floats = NDArray[np.float64]

_BEST = 10
_FEWEST_PREDICTIONS = 5


def search_page(folder: Path, table: Table | None = None) -> Page:
    """Return the report on a search folder.

    Args:
        folder: With ``settings.json`` and ``queries.jsonl``; ``answer.json`` where it finished.
        table: The table that was searched; says what the space is where the settings do not.

    Raises:
        SettingsError: If a file is missing or damaged, or no cell has been trained yet.
    """
    settings = read_object(folder / SETTINGS)
    space = _space(folder, settings, table)
    queries, _ = read_queries(folder / QUERIES, space)
    if not queries:
        raise SettingsError(f"{folder / QUERIES}: no cell has been trained yet")
    answer = read_object(folder / ANSWER) if (folder / ANSWER).exists() else {}
    history = History()
    for query in queries:
        history.append(query)
    result = SearchResult(history, _constraints(settings), None)

    accuracy = history.accuracies
    factor, unit = percent_or_value(accuracy)
    predicted = np.array([_predicted(query) for query in queries], dtype=np.float64)
    parameters = np.array(
        [np.nan if q.parameters is None else q.parameters for q in queries], dtype=np.float64
    )
    test = np.array(
        [np.nan if (t := q.outcome.test_accuracy) is None else t for q in queries],
        dtype=np.float64,
    )
    facts = {
        "query": [str(i) for i in range(1, len(queries) + 1)],
        f"accuracy{unit}": [number(v * factor, 2) for v in accuracy],
        f"predicted{unit}": [number(v * factor, 2) for v in predicted],
        f"test{unit}": [number(v * factor, 2) for v in test],
        "parameters": [quantity(v) for v in parameters],
        "training time": [duration(v) for v in history.seconds],
    }
    facts = {name: values for name, values in facts.items() if set(values) != {"–"}}
    gallery = Gallery(space, list(facts))
    numbers = [
        gallery.add(query.cell, [values[i] for values in facts.values()])
        for i, query in enumerate(queries)
    ]

    hours = None if np.isnan(history.seconds).all() else result.seconds / 3600
    reference = _best_there_is(answer)
    regret = None if reference is None else reference - result.true_accuracy
    figures = search_figures(accuracy, result.best_accuracy, regret, hours, numbers)
    known = np.flatnonzero(np.isfinite(predicted))
    if len(known) >= _FEWEST_PREDICTIONS:
        figures += scatter_figures(
            accuracy[known],
            predicted[known],
            np.arange(len(known)),
            [numbers[i] for i in known.tolist()],
        )
        cells = CellArray.from_cells([queries[i].cell for i in known.tolist()])
        figures += residual_figures(accuracy[known], predicted[known], cells)
    costs = {"trainable parameters": parameters, "training time, s": history.seconds}
    every = dict(enumerate(numbers))
    for name, cost in costs.items():
        if len(pareto_front(accuracy, cost)):
            figures.append(pareto_figure(accuracy, cost, name, every, "accuracy"))

    methods = [value for value in _nested(settings, "method") if isinstance(value, str)]
    return Page(
        title=f"Search: {methods[0]}" if methods else "Search",
        subtitle=f"{len(queries):,} cells of {space.name} trained."
        # A finished search that was given more rounds still has its first answer.
        + ("" if answer.get("queries") == len(queries) else " The search has not finished."),
        gallery=gallery,
        table=_best_cells(queries, numbers, test, predicted, factor, unit),
        tiles=_tiles(result, regret, factor, unit),
        figures=figures,
        settings={**settings, "pyg_nas": __version__},
    )


def _tiles(result: SearchResult, regret: Floats | None, factor: float, unit: str) -> list[Tile]:
    history, answer = result.history, result.answer
    percent = " %" if unit else ""
    tiles = [Tile("trained cells", f"{len(history):,}")]
    if answer is None:
        tiles.append(Tile("answer", "none", "no trained cell keeps the constraints"))
    else:
        tiles.append(
            Tile(
                "accuracy of the answer", f"{number(answer.outcome.accuracy * factor, 2)}{percent}"
            )
        )
        if answer.outcome.test_accuracy is not None:
            tiles.append(
                Tile("its test accuracy", f"{answer.outcome.test_accuracy * factor:.2f}{percent}")
            )
        if regret is not None and np.isfinite(regret[-1]):
            points = " points" if unit else ""
            tiles.append(Tile("simple regret", f"{number(regret[-1] * factor, 2)}{points}"))
        if answer.parameters is not None:
            tiles.append(Tile("its parameters", quantity(answer.parameters)))
    if not np.isnan(history.seconds).all():
        tiles.append(Tile("training time", duration(float(result.seconds[-1]))))
    return tiles


def _best_cells(
    queries: list[Query],
    numbers: list[int],
    test: Floats,
    predicted: Floats,
    factor: float,
    unit: str,
) -> CellTable:
    accuracy = np.array([query.outcome.accuracy for query in queries])
    best = np.argsort(-accuracy, kind="stable")[:_BEST].tolist()

    def values(of: Floats) -> list[tuple[float | None, str]]:
        return [(finite_or_none(v * factor), number(v * factor, 2)) for v in of[best].tolist()]

    columns: dict[str, list[tuple[float | None, str]]] = {
        f"accuracy{unit}": values(accuracy),
        f"predicted{unit}": values(predicted),
        f"test{unit}": values(test),
        "query": [(float(i + 1), str(i + 1)) for i in best],
        "parameters": [
            (None, "–") if (p := queries[i].parameters) is None else (float(p), quantity(p))
            for i in best
        ],
        "training time": [
            (None, "–") if (s := queries[i].outcome.seconds) is None else (s, duration(s))
            for i in best
        ],
    }
    columns = {k: v for k, v in columns.items() if any(key is not None for key, _ in v)}
    return CellTable(
        f"The {len(best)} best trained cells",
        "Click a heading to sort, a row to pin the cell.",
        [numbers[i] for i in best],
        list(columns),
        [list(row) for row in zip(*columns.values(), strict=True)],
    )


def _predicted(query: Query) -> float:
    value = query.proposal.why.get("predicted")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return float("nan")
    if not abs(value) < 1e300:
        return float("nan")
    return float(value)


def _space(folder: Path, settings: dict[str, Any], table: Table | None) -> SearchSpace:
    named = settings.get("space")
    if isinstance(named, dict):
        return SearchSpace.from_dict(named)
    if table is not None:
        return table.space
    for value in _nested(settings, "space"):
        if isinstance(value, dict):
            return SearchSpace.from_dict(value)
        if value == NASBENCH101.name:
            return NASBENCH101
    raise SettingsError(
        f"{folder / SETTINGS}: the search space is not described there, name the table as well"
    )


def _constraints(settings: dict[str, Any]) -> Constraints:
    found = {}
    for name in ("max_parameters", "max_seconds"):
        for value in _nested(settings, name):
            if isinstance(value, (int, float)) and not isinstance(value, bool):
                found[name] = value
    return Constraints(**found)  # type: ignore[arg-type]


def _best_there_is(answer: dict[str, Any]) -> float | None:
    against = answer.get("regret_against")
    best = against.get("best") if isinstance(against, dict) else None
    if isinstance(best, bool) or not isinstance(best, (int, float)) or not abs(best) < 1e300:
        return None
    return float(best)


def _nested(value: Any, key: str) -> list[Any]:
    """All values under ``key`` in nested objects, outermost first."""
    if not isinstance(value, dict):
        return []
    found = [value[key]] if key in value else []
    for inner in value.values():
        found += _nested(inner, key)
    return found
