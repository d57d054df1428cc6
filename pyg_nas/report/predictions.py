"""The report on a trained predictor: its predictions for the cells of a table."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from pyg_nas.data.networks.table import NetworkTable
from pyg_nas.data.protocols.label_texts import fallback_note, label_name, label_unit
from pyg_nas.io.text import counted, percent
from pyg_nas.metrics.pareto import pareto_front
from pyg_nas.metrics.regression import kendall_tau
from pyg_nas.report.columns import (
    Column,
    cell_table,
    make_gallery,
    name_column,
    percent_column,
)
from pyg_nas.report.page import Page, Tile
from pyg_nas.report.plotly_charts import plotly_figure
from pyg_nas.report.text import MISSING, duration, number, quantity
from pyg_nas.search.evaluators.network_list import listed_cells
from pyg_nas.version import __version__
from pyg_nas.visualization.cells import network_drawing
from pyg_nas.visualization.chart_parts import percent_or_value
from pyg_nas.visualization.charts import Chart
from pyg_nas.visualization.curve_charts import learning_curve_chart
from pyg_nas.visualization.prediction_charts import (
    no_correlation,
    prediction_charts,
    residual_charts,
)
from pyg_nas.visualization.search_charts import pareto_chart

if TYPE_CHECKING:
    from pyg_nas.data.tables.sources import AnyTable
    from pyg_nas.graphs.cell import Cell
    from pyg_nas.graphs.cell_array import CellArray
    from pyg_nas.predictors.evaluation import Evaluation
    from pyg_nas.predictors.trained import TrainedPredictor
    from pyg_nas.visualization.drawing import Drawing

Floats = NDArray[np.float64]
Progress = Callable[[int, int], None]

MOST_DRAWN = 2_500
"""Most cells in a figure: more would be slow on a phone, and overlap on any screen."""

MOST_DRAWN_NETWORKS = 300
"""Most whole networks in a figure: each has a large drawing."""

_BEST = 10
_ALWAYS_DRAWN = 50
_FEWEST_TRAINED = 10
_CURVE_REPEATS = 3


def prediction_page(
    model: TrainedPredictor,
    table: AnyTable,
    source: str,
    table_name: str,
    learning_curve: bool = True,
    progress: Progress | None = None,
) -> Page:
    """Return the report on a predictor's predictions for cells that it was not trained on.

    Args:
        table: Cells and their measurements.
        learning_curve: Also train the predictor on parts of its training cells, which takes about
            three times as long as training it once.
        progress: Called before each of these fits with the number of finished fits and of all.

    Raises:
        SettingsError: If the table has no cell to evaluate on.
    """
    result = model.evaluate(table)
    label = result.protocol.compared_label(table)
    name = label_name(table, label)
    sign = 1.0 if result.larger_is_better else -1.0
    thing = table.thing
    columns, costs = _columns(result, table, sign, name)
    best = np.argsort(-sign * result.predicted, kind="stable")[:_BEST]
    fronts = [pareto_front(result.measured, cost) for cost in costs.values()]
    most = MOST_DRAWN_NETWORKS if isinstance(table, NetworkTable) else MOST_DRAWN
    shown = _shown(sign * result.measured, sign * result.predicted, [best, *fronts], most)
    cells, draw = _drawn(table, result.rows)
    gallery, numbers = make_gallery(cells.space, cells, columns, shown, draw)
    charts = _charts(result, table, costs, name, thing)
    if learning_curve:
        charts += _learning_curve(model, table, result, thing, progress)
    return Page(
        title=f"{model.recipe} on {table_name}",
        subtitle=_subtitle(result, table, len(model.training_hashes)),
        note=fallback_note(table, result.rows, label),
        gallery=gallery,
        table=cell_table(
            f"The {len(best)} best predicted {thing}s", columns, best, numbers, thing=thing
        ),
        tiles=_tiles(result, len(model.training_hashes), thing, label_unit(table, label)),
        figures=[plotly_figure(chart, numbers, thing) for chart in charts],
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


def _subtitle(result: Evaluation, table: AnyTable, trained: int) -> str:
    """Return what was trained on and evaluated, in words; the protocol is among the settings."""
    protocol = result.protocol
    others = "all others" if protocol.evaluate == "all" else f"the others of {protocol.evaluate}"
    label = str(protocol.training_label(table))
    if protocol.evaluation_label is not None:
        label += f", compared with {protocol.evaluation_label}"
    return (
        f"Trained on {counted(trained, table.thing)} (split {protocol.train}), evaluated on "
        f"{others}. Label: {label}."
    )


def _columns(
    result: Evaluation, table: AnyTable, sign: float, name: str
) -> tuple[list[Column], dict[str, Floats]]:
    """Return the figures of the evaluated cells, and those of them that are costs."""
    measured, predicted = result.measured, result.predicted
    factor, unit = percent_or_value(measured, result.fractions)
    costs = _costs(table, result)
    rank = np.empty(len(measured))
    rank[np.argsort(-sign * measured, kind="stable")] = np.arange(1, len(measured) + 1)
    columns = [
        percent_column(f"predicted {name}", unit, factor * predicted),
        percent_column(f"measured {name}", unit, factor * measured),
        Column("measured rank", rank, lambda value: f"{value:,.0f}"),
        *(
            Column(cost.partition(",")[0].removeprefix("trainable "), values, write)
            for cost, (values, write) in costs.items()
        ),
    ]
    if isinstance(table, NetworkTable):
        columns.insert(0, name_column([table.names[row] for row in result.rows.tolist()]))
    if not result.larger_is_better:  # the label is a cost: there is no accuracy
        return columns, {}
    known = {cost: values for cost, (values, _) in costs.items() if np.isfinite(values).any()}
    return columns, known


def _costs(table: AnyTable, result: Evaluation) -> dict[str, tuple[Floats, Callable[[float], str]]]:
    """Return the costs of the evaluated architectures, and the format of each."""
    if isinstance(table, NetworkTable):
        counts = {"parameters": table.networks.parameters, "MACs": table.networks.macs}
        return {
            name: (values[result.rows].astype(np.float64), quantity)
            for name, values in counts.items()
        }
    seconds = table.training_seconds(result.protocol.label)[result.rows]
    parameters = table.trainable_parameters[result.rows].astype(np.float64)
    parameters[parameters < 0] = np.nan
    return {"trainable parameters": (parameters, quantity), "training time, s": (seconds, duration)}


def _drawn(
    table: AnyTable, rows: NDArray[np.int64]
) -> tuple[CellArray, Callable[[Cell], Drawing] | None]:
    """Return the cells ``[n]`` of a gallery, and how they are drawn if not by their own graphs."""
    if not isinstance(table, NetworkTable):
        return table.cells[rows], None
    cells = listed_cells([f"{row} {table.names[row]}" for row in rows.tolist()])
    first = cells.space.first_id
    return cells, lambda cell: network_drawing(
        table.networks, int(rows[cell.operation_ids[0] - first])
    )


def _charts(
    result: Evaluation, table: AnyTable, costs: dict[str, Floats], name: str, thing: str
) -> list[Chart]:
    measured, predicted, fractions = result.measured, result.predicted, result.fractions
    charts = prediction_charts(measured, predicted, result.larger_is_better, fractions, name, thing)
    if not isinstance(table, NetworkTable):
        charts += residual_charts(measured, predicted, table.cells[result.rows], fractions)
    return charts + [
        pareto_chart(measured, cost, cost_name, name, fractions, thing)
        for cost_name, cost in costs.items()
    ]


def _tiles(result: Evaluation, trained: int, thing: str, unit: str) -> list[Tile]:
    """Return the figures of the evaluation; labels are in ``unit``, if it is known."""
    figures = result.figures()
    factor, in_percent = percent_or_value(result.measured, result.fractions)
    suffix = f" {unit}" if unit else ""
    points, value = (" points", " %") if in_percent else (suffix, suffix)
    undefined = f"not defined: {no_correlation(result.measured)}"
    tiles = [
        Tile(f"evaluated {thing}s", f"{int(figures['n']):,}", f"trained on {trained:,}"),
        Tile("MSE", _number(figures["mse"], 3), f"{points.strip()}²" if points else ""),
    ]
    for name, key in (("Kendall τ", "kendall_tau"), ("Spearman ρ", "spearman"), ("R²", "r2")):  # noqa: RUF001
        shown = number(figures[key], 3)
        tiles.append(Tile(name, shown, undefined if shown == MISSING else ""))
    if "median_relative_error" in figures:
        median, mean = (figures[f"{kind}_relative_error"] for kind in ("median", "mean"))
        note = f"mean (MAPE): {percent(mean, 1)}"
        tiles.append(Tile("median relative error", percent(median, 1), note))
    if f"regret_in_top_{_BEST}" in figures:
        regret = _number(figures[f"regret_in_top_{_BEST}"] * factor, 2)
        reached = _number(figures[f"best_in_top_{_BEST}"] * factor, 2)
        tiles.append(
            Tile(
                f"regret of the top {_BEST}",
                f"{regret}{points}",
                f"best of them: {reached}{value}",
            )
        )
    return tiles


def _number(value: float, digits: int) -> str:
    """Return a number with fixed digits, or with three significant digits if it is smaller."""
    return f"{value:.3g}" if 0 < abs(value) < 10**-digits else number(value, digits)


def _learning_curve(
    model: TrainedPredictor,
    table: AnyTable,
    result: Evaluation,
    thing: str,
    progress: Progress | None,
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
    chart = learning_curve_chart([*sizes, total], {model.recipe: scores}, thing=thing)
    note = (
        f"{chart.note} Kendall τ on {len(result.measured):,} evaluated {thing}s, {_CURVE_REPEATS} "
        f"draws of the training {thing}s at each smaller size; the last is the model itself."
    )
    return [replace(chart, note=note)]


def _shown(
    measured: Floats, predicted: Floats, needed: list[NDArray[np.int64]], most: int
) -> NDArray[np.int64]:
    """Return indices of a uniform sample, of the largest of either value, and of ``needed``."""
    total = len(measured)
    if total <= most:
        return np.arange(total)
    sample = np.random.default_rng(0).permutation(total)[: most - 2 * _ALWAYS_DRAWN]
    best = [np.argsort(-values, kind="stable")[:_ALWAYS_DRAWN] for values in (measured, predicted)]
    return np.unique(np.concatenate([sample, *best, *needed]))


def _arguments(estimator: Any) -> dict[str, Any]:
    return {
        key: _arguments(value) if hasattr(value, "get_params") else value
        for key, value in estimator.get_params(deep=False).items()
        if key != "progress"
    }
