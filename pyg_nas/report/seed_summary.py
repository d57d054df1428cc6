"""The summary of a search that was repeated with several seeds: median regret with a band."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pyg_nas.errors import SettingsError, quoted
from pyg_nas.io.files import write_json
from pyg_nas.io.formats.json_reader import read_object
from pyg_nas.io.text import counted
from pyg_nas.metrics.intervals import finite_or_none
from pyg_nas.metrics.regression import are_fractions
from pyg_nas.report.text import rounded
from pyg_nas.search.result import SearchResult
from pyg_nas.visualization.files import save_figure
from pyg_nas.visualization.plots import draw_charts
from pyg_nas.visualization.search_charts import regret_chart

SEEDS, REGRET = "seeds.json", "regret.svg"
QUARTILES = (0.25, 0.5, 0.75)


def write_seeds(folder: Path, seeds: Sequence[int], results: Sequence[SearchResult]) -> str:
    """Write ``seeds.json`` and ``regret.svg``, and return the final regret in one sentence.

    Args:
        results: The searches, on one table with one budget.
    """
    regrets = regret_curves(results)
    reached = np.flatnonzero(np.isfinite(regrets).all(axis=0))
    low, middle, high = np.quantile(regrets[:, reached], QUARTILES, axis=0)
    references = [result.reference for result in results]
    content = {
        "seeds": list(seeds),
        "regret_against": None if references[0] is None else references[0].kind,
        "trained_cells": (reached + 1).tolist(),
        "regret_quartiles": {
            "0.25": low.tolist(), "0.5": middle.tolist(), "0.75": high.tolist()
        },
        "final_regret": [finite_or_none(value) for value in regrets[:, -1].tolist()],
    }  # fmt: skip
    write_json(folder / SEEDS, content)
    found = sum(np.isfinite(regrets[:, -1]))
    if not len(reached):
        searches = counted(len(seeds), "search", "searches")
        return f"only {found} of {searches} found a {results[0].thing} within the constraints"
    goal, thing = results[0].goal, results[0].thing
    fractions = goal.is_accuracy and are_fractions(results[0].history.accuracies)
    trained = (reached + 1).astype(np.float64)
    quartiles = np.stack([low, middle, high])
    curves = {f"median of {len(seeds)} searches": (trained, quartiles)}
    metric = references[0].kind if references[0] and goal.is_accuracy else goal.heading
    chart = regret_chart(curves, fractions, False, thing, metric, goal.larger_is_better)
    figure = draw_charts([chart], title=chart.title, note=chart.note, size=(6.4, 4.4))
    save_figure(figure, folder / REGRET)
    factor, unit = (100.0, "points") if fractions else (1.0, goal.unit)
    median, first, last = (rounded(factor * curve[-1]) for curve in (middle, low, high))
    return (
        f"median simple regret after {int(reached[-1]) + 1:,} {thing}s: "
        f"{f'{median} {unit}'.rstrip()} (quartiles {first} to {last}, {len(seeds)} seeds)"
    )


def searches_of_seeds(folder: Path) -> list[Path]:
    """Return the folders of the searches that a summary is of.

    Others may be beside them: those of a command with more seeds that was stopped.

    Raises:
        SettingsError: If the summary cannot be read, or has no seeds.
    """
    seeds = read_object(folder / SEEDS).get("seeds")
    if not isinstance(seeds, list) or not seeds or {type(seed) for seed in seeds} != {int}:
        raise SettingsError(
            f"{folder / SEEDS}: seeds must be a list of whole numbers, got {quoted(seeds)}"
        )
    return [folder / f"seed-{seed}" for seed in seeds]


def regret_curves(results: Sequence[SearchResult]) -> NDArray[np.float64]:
    """Return simple regret after each cell, ``[searches, cells]``; NaN before there is an answer.

    A search that ended early keeps its last regret.
    """
    longest = max(len(result.history) for result in results)
    curves = np.full((len(results), longest), np.nan)
    for curve, result in zip(curves, results, strict=True):
        regret = result.regret
        if regret is not None and len(regret):
            curve[: len(regret)] = regret
            curve[len(regret) :] = regret[-1]
    return curves
