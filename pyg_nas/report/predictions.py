"""The report on a trained predictor: its predictions for the cells of a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from pyg_nas.data.labels import fallback_note
from pyg_nas.metrics.pareto import pareto_front
from pyg_nas.metrics.regression import kendall_tau
from pyg_nas.report.columns import Column, cell_table, make_gallery, percent_column
from pyg_nas.report.page import Page, Tile
from pyg_nas.report.plotly_charts import plotly_figure
from pyg_nas.report.text import MISSING, duration, number, quantity
from pyg_nas.version import __version__
from pyg_nas.visualization.charts import Chart
from pyg_nas.visualization.figures import (
    learning_curve_chart,
    no_correlation,
    pareto_chart,
    percent_or_value,
    prediction_charts,
    residual_charts,
)

if TYPE_CHECKING:
    from pyg_nas.data.table import Table
    from pyg_nas.predictors.trained import Evaluation, Model

Floats = NDArray[np.float64]
Progress = Callable[[int, int], None]

MOST_DRAWN = 2_500
"""Most cells in a figure: more would be slow on a phone, and overlap on any screen."""

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
    progress: Progress | None = None,
) -> Page:
    """Return the report on a predictor's predictions for cells that it was not trained on.

    Args:
        model: The predictor.
        table: Cells and their measurements.
        source: Name of the model folder.
        table_name: Name of the table's file.
        learning_curve: Also train the predictor on parts of its training cells, which takes about
            three times as long as training it once.
        progress: Called before each of these fits with the number of finished fits and of all.

    Raises:
        SettingsError: If the table has no cell to evaluate on.
    """
    result = model.evaluate(table)
    sign = 1.0 if result.larger_is_better else -1.0
    columns, costs = _columns(result, table, sign)
    best = np.argsort(-sign * result.predicted, kind="stable")[:_BEST]
    fronts = [pareto_front(result.measured, cost) for cost in costs.values()]
    shown = _shown(sign * result.measured, sign * result.predicted, [best, *fronts])
    cells = table.cells[result.rows]
    gallery, numbers = make_gallery(table.space, cells, columns, shown)
    charts = _charts(result, table, costs)
    if learning_curve:
        charts += _learning_curve(model, table, result, progress)
    return Page(
        title=f"{model.recipe} on {table_name}",
        subtitle=f"{result.protocol}.",
        note=fallback_note(table, result.rows, result.protocol.compared_label(table)),
        gallery=gallery,
        table=cell_table(f"The {len(best)} best predicted cells", columns, best, numbers),
        tiles=_tiles(result, len(model.training_hashes)),
        figures=[plotly_figure(chart, numbers) for chart in charts],
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


def _columns(
    result: Evaluation, table: Table, sign: float
) -> tuple[list[Column], dict[str, Floats]]:
    """Return the figures of the evaluated cells, and those of them that are costs."""
    measured, predicted = result.measured, result.predicted
    factor, unit = percent_or_value(measured, result.fractions)
    seconds = table.training_seconds(result.protocol.label)[result.rows]
    parameters = table.trainable_parameters[result.rows].astype(np.float64)
    parameters[parameters < 0] = np.nan
    rank = np.empty(len(measured))
    rank[np.argsort(-sign * measured, kind="stable")] = np.arange(1, len(measured) + 1)
    columns = [
        percent_column("predicted", unit, factor * predicted),
        percent_column("measured", unit, factor * measured),
        Column("measured rank", rank, lambda value: f"{value:,.0f}"),
        Column("parameters", parameters, quantity),
        Column("training time", seconds, duration),
    ]
    if not result.larger_is_better:  # the label is a cost: there is no accuracy
        return columns, {}
    costs = {"trainable parameters": parameters, "training time, s": seconds}
    return columns, {name: cost for name, cost in costs.items() if np.isfinite(cost).any()}


def _charts(result: Evaluation, table: Table, costs: dict[str, Floats]) -> list[Chart]:
    measured, predicted, fractions = result.measured, result.predicted, result.fractions
    charts = prediction_charts(measured, predicted, result.larger_is_better, fractions)
    charts += residual_charts(measured, predicted, table.cells[result.rows], fractions)
    return charts + [
        pareto_chart(measured, cost, name, fractions=fractions) for name, cost in costs.items()
    ]


def _tiles(result: Evaluation, trained: int) -> list[Tile]:
    figures = result.figures()
    factor, unit = percent_or_value(result.measured, result.fractions)
    undefined = f"not defined: {no_correlation(result.measured)}"
    tiles = [
        Tile("evaluated cells", f"{int(figures['n']):,}", f"trained on {trained:,}"),
        Tile("MSE", number(figures["mse"], 3), "points²" if unit else ""),
    ]
    for name, key in (("Kendall τ", "kendall_tau"), ("Spearman ρ", "spearman"), ("R²", "r2")):  # noqa: RUF001
        value = number(figures[key], 3)
        tiles.append(Tile(name, value, undefined if value == MISSING else ""))
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


def _learning_curve(
    model: Model, table: Table, result: Evaluation, progress: Progress | None
) -> list[Chart]:
    """Return Kendall's tau by training size; no chart if training cells are not in the table."""
    rows_of: dict[bytes, list[int]] = {}
    for row in np.flatnonzero(np.isin(table.hashes, model.training_hashes)).tolist():
        rows_of.setdefault(bytes(table.hashes[row]), []).append(row)
    # A graph with several labels has several rows.
    found = [rows_of[digest] for digest in model.training_hashes.tolist() if digest in rows_of]
    trained = np.array([rows.pop(0) for rows in found if rows], dtype=np.int64)
    total = len(trained)
    sizes = sorted({total // part for part in (8, 4, 2) if total // part >= _FEWEST_TRAINED})
    if total < len(model.training_hashes) or not sizes:
        return []
    labels = table.label(result.protocol.label)[trained]
    if np.isnan(labels).any():  # the cells are there, their measurements are not
        return []
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
    if np.isnan(scores).all():  # constant predictions have no order
        return []
    chart = learning_curve_chart([*sizes, total], {model.recipe: scores})
    note = (
        f"{chart.note} Kendall τ on {len(result.measured):,} evaluated cells, {_CURVE_REPEATS} "
        "draws of the training cells at each smaller size; the last is the model itself."
    )
    return [replace(chart, note=note)]


def _shown(
    measured: Floats, predicted: Floats, needed: list[NDArray[np.int64]]
) -> NDArray[np.int64]:
    """Return indices of a uniform sample, of the largest of either value, and of ``needed``."""
    total = len(measured)
    if total <= MOST_DRAWN:
        return np.arange(total)
    sample = np.random.default_rng(0).permutation(total)[: MOST_DRAWN - 2 * _ALWAYS_DRAWN]
    best = [np.argsort(-values, kind="stable")[:_ALWAYS_DRAWN] for values in (measured, predicted)]
    return np.unique(np.concatenate([sample, *best, *needed]))


def _arguments(estimator: Any) -> dict[str, Any]:
    return {
        key: _arguments(value) if hasattr(value, "get_params") else value
        for key, value in estimator.get_params(deep=False).items()
        if key != "progress"
    }
