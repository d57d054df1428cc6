"""The report on a trained model: its predictions for the cells of a table."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from pyg_nas.metrics.intervals import finite_or_none
from pyg_nas.metrics.pareto import pareto_front
from pyg_nas.metrics.regression import kendall_tau
from pyg_nas.report.figures import (
    learning_curve_figure,
    pareto_figure,
    residual_figures,
    scatter_figures,
)
from pyg_nas.report.gallery import Gallery
from pyg_nas.report.page import CellTable, Page, Tile
from pyg_nas.report.text import duration, number, quantity
from pyg_nas.version import __version__
from pyg_nas.visualization.plots import percent_or_value

if TYPE_CHECKING:
    from pyg_nas.data.table import Table
    from pyg_nas.predictors.trained import Evaluation, Model

Floats = NDArray[np.float64]

MOST_DRAWN = 2_500
"""Cells drawn in a figure: more would be slow on a phone, and one blot on any screen."""

_BEST = 10
_ALWAYS_DRAWN = 50
_FEWEST_TRAINED = 10
_CURVE_REPEATS = 3


def prediction_page(
    model: Model,
    table: Table,
    source: str,
    table_name: str,
    learning_curve: bool = True,
    progress: Callable[[int, int], None] | None = None,
) -> Page:
    """Return the report on a model's predictions for the cells that did not train it.

    Args:
        model: The model.
        table: Cells and their measured figures.
        source: Name of the model's folder.
        table_name: Name of the table's file.
        learning_curve: Also train the model on parts of its training cells, which takes about
            as long as three times its own training.
        progress: Called before each of these trainings with how many are done, and of how many.

    Raises:
        SettingsError: If no cell of the table is left to evaluate on.
    """
    result = model.evaluate(table)
    measured, predicted = result.measured, result.predicted
    cells = table.cells[result.rows]
    seconds = table.training_seconds(model.protocol.label)[result.rows]
    parameters = table.trainable_parameters[result.rows].astype(np.float64)
    parameters[parameters < 0] = np.nan
    factor, unit = percent_or_value(measured, result.fractions)

    costs = {"trainable parameters": parameters, "training time, s": seconds}
    costs = {name: cost for name, cost in costs.items() if np.isfinite(cost).any()}
    sign = 1.0 if result.larger_is_better else -1.0
    if not result.larger_is_better:
        costs = {}  # the label is a cost itself: there is no accuracy to set against one
    fronts = [pareto_front(measured, cost) for cost in costs.values()]
    best = np.argsort(-sign * predicted, kind="stable")[:_BEST]
    shown = _shown(sign * measured, sign * predicted, [best, *fronts])

    facts = {
        f"predicted{unit}": [number(v * factor, 2) for v in predicted[shown]],
        f"measured{unit}": [number(v * factor, 2) for v in measured[shown]],
        "parameters": [quantity(v) for v in parameters[shown]],
        "training time": [duration(v) for v in seconds[shown]],
    }
    facts = {name: values for name, values in facts.items() if set(values) != {"–"}}
    gallery = Gallery(table.space, list(facts))
    numbers = [
        gallery.add(cells[int(row)], [values[i] for values in facts.values()])
        for i, row in enumerate(shown)
    ]
    by_row = dict(zip(shown.tolist(), numbers, strict=True))

    figures = scatter_figures(
        measured, predicted, shown, numbers, result.larger_is_better, result.fractions
    )
    figures += residual_figures(measured, predicted, cells, result.fractions)
    if learning_curve:
        found = _learning_curve(model, table, result, progress)
        if found is not None:
            sizes, scores = found
            figures.append(
                learning_curve_figure(
                    sizes,
                    scores,
                    f"{len(measured):,} evaluated cells, {_CURVE_REPEATS} draws of the training "
                    "cells at each smaller size; the last is the model itself",
                )
            )
    figures += [
        pareto_figure(measured, cost, name, by_row, fractions=result.fractions)
        for name, cost in costs.items()
    ]

    return Page(
        title=f"{model.recipe} on {table_name}",
        subtitle=f"{result.protocol}.",
        gallery=gallery,
        table=_best_cells(
            best, by_row, sign, measured, predicted, parameters, seconds, factor, unit
        ),
        tiles=_tiles(result.figures(), factor, unit, len(model.training_hashes)),
        figures=figures,
        settings={
            "model": source,
            "recipe": model.recipe,
            "seed": model.seed,
            "protocol": result.protocol.to_dict(),
            "estimator": _arguments(model.estimator),
            "table": {"file": table_name, "cells": len(table), **table.about},
            "pyg_nas": __version__,
        },
    )


def _tiles(figures: dict[str, float], factor: float, unit: str, trained: int) -> list[Tile]:
    tiles = [
        Tile("evaluated cells", f"{int(figures['n']):,}", f"trained on {trained:,}"),
        Tile("MSE", number(figures["mse"], 3), "points²" if unit else ""),
        Tile("Kendall τ", number(figures["kendall_tau"], 3)),
        Tile("Spearman ρ", number(figures["spearman"], 3)),  # noqa: RUF001
        Tile("R²", number(figures["r2"], 3)),
    ]
    if f"regret_in_top_{_BEST}" in figures:
        regret = number(figures[f"regret_in_top_{_BEST}"] * factor, 2)
        reached = number(figures[f"best_in_top_{_BEST}"] * factor, 2)
        tiles.append(
            Tile(
                f"regret of the top {_BEST}",
                f"{regret} points" if unit else regret,
                f"best of them: {reached}{' %' if unit else ''}",
            )
        )
    return tiles


def _best_cells(
    best: NDArray[np.int64],
    by_row: dict[int, int],
    sign: float,
    measured: Floats,
    predicted: Floats,
    parameters: Floats,
    seconds: Floats,
    factor: float,
    unit: str,
) -> CellTable:
    place = np.empty(len(measured), dtype=np.int64)
    place[np.argsort(-sign * measured, kind="stable")] = np.arange(1, len(measured) + 1)
    columns = {
        f"predicted{unit}": [(v, number(v, 2)) for v in predicted[best] * factor],
        f"measured{unit}": [(v, number(v, 2)) for v in measured[best] * factor],
        "measured rank": [(float(v), f"{v:,}") for v in place[best].tolist()],
        "parameters": [(finite_or_none(v), quantity(v)) for v in parameters[best]],
        "training time": [(finite_or_none(v), duration(v)) for v in seconds[best]],
    }
    columns = {k: v for k, v in columns.items() if any(key is not None for key, _ in v)}
    return CellTable(
        f"The {len(best)} best predicted cells",
        "Click a heading to sort, a row to pin the cell.",
        [by_row[row] for row in best.tolist()],
        list(columns),
        [list(row) for row in zip(*columns.values(), strict=True)],
    )


def _learning_curve(
    model: Model,
    table: Table,
    result: Evaluation,
    progress: Callable[[int, int], None] | None,
) -> tuple[list[int], Floats] | None:
    """Kendall's tau by training size ``[S, repeats]``; None where it cannot be drawn."""
    digests = [digest.decode() for digest in model.training_hashes.tolist()]
    trained = np.array([table.index_of(digest) for digest in digests if digest in table])
    total = len(trained)
    sizes = sorted({total // part for part in (8, 4, 2) if total // part >= _FEWEST_TRAINED})
    if total < len(model.training_hashes) or not sizes:
        return None
    labels = table.label(model.protocol.label)[trained]
    if np.isnan(labels).any():  # the cells are there, their measurements are not
        return None
    evaluated = table.cells[result.rows]
    scores = np.full((len(sizes) + 1, _CURVE_REPEATS), np.nan)
    for repeat in range(_CURVE_REPEATS):
        order = np.random.default_rng([model.seed, repeat]).permutation(total)
        for i, size in enumerate(sizes):
            if progress is not None:
                progress(repeat * len(sizes) + i, len(sizes) * _CURVE_REPEATS)
            part = order[:size]
            fitted = clone(model.estimator).fit(table.cells[trained[part]], labels[part])
            scores[i, repeat] = kendall_tau(result.measured, fitted.predict(evaluated))
    scores[-1, 0] = kendall_tau(result.measured, result.predicted)
    return [*sizes, total], scores


def _shown(
    measured: Floats, predicted: Floats, needed: list[NDArray[np.int64]]
) -> NDArray[np.int64]:
    """Indices of a uniform sample, of the largest by either value, and of those needed."""
    total = len(measured)
    if total <= MOST_DRAWN:
        return np.arange(total)
    sample = np.random.default_rng(0).permutation(total)[: MOST_DRAWN - 2 * _ALWAYS_DRAWN]
    best = [np.argsort(-values, kind="stable")[:_ALWAYS_DRAWN] for values in (measured, predicted)]
    return np.unique(np.concatenate([sample, *best, *needed]))


def _arguments(estimator: Any) -> dict[str, Any]:
    hidden = {"progress"}
    return {
        key: _arguments(value) if hasattr(value, "get_params") else value
        for key, value in estimator.get_params(deep=False).items()
        if key not in hidden
    }
