"""Charts of predictions beside measured values, and of their errors.

Each function turns numbers into charts, once for files and for reports.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyg_nas.errors import SettingsError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.io.text import counted, percent, printable
from pyg_nas.metrics.regression import kendall_tau, mean_squared_error, relative_errors
from pyg_nas.visualization.chart_parts import (
    CURVE_COLOURS,
    known_pairs,
    limits_around,
    percent_or_value,
)
from pyg_nas.visualization.charts import (
    BLUE,
    GREY,
    Axis,
    Boxes,
    Chart,
    Dots,
    Floats,
    Line,
    group_order,
)

_HIGH_ACCURACY = 0.9
_FEWEST_IN_PANEL = 5
_FEWEST_IN_BOX = 5
_MOST_OPERATIONS = 6  # number of different colours
_BOX_QUANTILES = np.array([0.05, 0.25, 0.5, 0.75, 0.95])


def best_end(
    measured: Floats, larger_is_better: bool = True, fractions: bool | None = None
) -> tuple[NDArray[np.bool_], str]:
    """Return which cells are the best and their region's name: above 90 %, or the best decile."""
    if not larger_is_better:
        return measured <= np.nanquantile(measured, 0.1), "measured in the lowest decile"
    enough = (measured >= _HIGH_ACCURACY).sum() >= _FEWEST_IN_PANEL
    if enough and percent_or_value(measured, fractions)[1]:
        return measured >= _HIGH_ACCURACY, "measured above 90 %"
    return measured >= np.nanquantile(measured, 0.9), "measured in the top decile"


def prediction_charts(
    measured: ArrayLike,
    predicted: ArrayLike,
    larger_is_better: bool = True,
    fractions: bool | None = None,
    name: str = "",
    thing: str = "cell",
) -> list[Chart]:
    """Return predicted against measured values of all cells, and of the best measured ones.

    The second chart is left out where it would have fewer than five cells, or those of the first.

    Args:
        measured: ``[N]``; pairs with NaN are left out.
        predicted: ``[N]``.
        larger_is_better: False for costs such as seconds: the best are the smallest.
        fractions: Whether the values are; None for whether the measured ones are.
        name: Name of the measured metric, for the axes.
        thing: What has these values: a cell or a network.

    Raises:
        SettingsError: If the lengths differ or no pair is left.
    """
    x, y, rows = known_pairs(measured, predicted)
    factor, unit = percent_or_value(x, fractions)
    best, region = best_end(x, larger_is_better, fractions)
    parts = [(f"Predicted and measured: all {thing}s", np.full(len(x), True))]
    if _FEWEST_IN_PANEL <= best.sum() < len(x):
        parts.append((f"Best {thing}s: {region}", best))
    what = f" {name}" if name else ""
    charts = []
    for title, part in parts:
        across, up = factor * x[part], factor * y[part]
        limits = limits_around(np.concatenate([across, up]), 0.04)
        diagonal = np.array(limits)
        charts.append(
            Chart(
                title,
                Axis(f"measured{what}{unit}", limits=limits),
                Axis(f"predicted{what}{unit}", limits=limits),
                (
                    Line("predicted = measured", diagonal, diagonal, GREY, legend=False),
                    Dots(f"{thing}s", across, up, BLUE, rows[part], crowd=True),
                ),
                note="On the line the prediction is exact.",
                results=_agreement(x[part], y[part], bool(unit), thing, larger_is_better),
                square=True,
            )
        )
    return charts


def _agreement(
    measured: Floats, predicted: Floats, fractions: bool, thing: str, larger_is_better: bool
) -> tuple[str, ...]:
    error = mean_squared_error(measured, predicted, fractions)
    found = [counted(len(measured), thing), f"MSE {error:.3g}{' points²' if fractions else ''}"]
    tau = kendall_tau(measured, predicted) if len(measured) > 1 else float("nan")
    if np.isfinite(tau):
        found.append(f"Kendall τ {tau:.3f}")
    else:
        found.append(f"Kendall τ not defined: {no_correlation(measured)}")
    errors = None if larger_is_better else relative_errors(measured, predicted)
    if errors is not None:
        found.append(f"median error {percent(np.median(errors), 1)}")
        found.append(f"mean error {percent(errors.mean(), 1)}")
    return tuple(found)


def no_correlation(measured: Floats) -> str:
    """Return why predictions have no correlation with these measured values."""
    if len(measured) < 2:
        return "one cell has no order"
    equal = "measured values" if np.ptp(measured) == 0 else "predictions"
    return f"all {equal} are equal"


def residual_chart(
    measured: ArrayLike,
    predicted: ArrayLike,
    groups: Mapping[str, ArrayLike],
    by: str,
    fractions: bool | None = None,
    *,
    label: str | None = None,
) -> Chart:
    """Return predicted minus measured by a property of the cells, as boxes.

    Args:
        measured: ``[N]``; pairs with NaN are left out.
        predicted: ``[N]``.
        groups: For each series the group of every cell ``[N]``: one series for the depth, or one
            for each operation with its count.
        by: Name of the groups, for the title.
        fractions: Whether the values are; None for whether the measured ones are.
        label: Label of the horizontal axis; by default ``by``.

    Raises:
        SettingsError: If lengths differ or no pair is left.
    """
    x, y, rows = known_pairs(measured, predicted)
    factor, unit = percent_or_value(x, fractions)
    errors = factor * (y - x)
    series = []
    for name, members in groups.items():
        group = np.asarray(members)
        if group.shape != np.shape(measured):
            shape = list(np.shape(measured))
            raise SettingsError(f"groups of {name!r} must be {shape}, got {group.shape}")
        series.append((name, group[rows]))
    counts = [np.unique(group, return_counts=True)[1].max() for _, group in series]
    crowded = max(counts, default=0) >= _FEWEST_IN_BOX
    least = _FEWEST_IN_BOX if crowded else 1
    marks = [
        _boxes(errors, group, least, name, CURVE_COLOURS[k % len(CURVE_COLOURS)])
        for k, (name, group) in enumerate(series)
    ]
    few = f" Groups of fewer than {least} cells are left out." if least > 1 else ""
    return Chart(
        f"Prediction error by {by}",
        Axis(label or by),
        Axis("predicted − measured" + (", points" if unit else "")),
        tuple(marks),
        note=f"Boxes contain the middle half of the cells, whiskers 90 %.{few}",
        legend=len(marks) > 1,
    )


def residual_charts(
    measured: ArrayLike, predicted: ArrayLike, cells: CellArray, fractions: bool | None = None
) -> list[Chart]:
    """Return the errors of predictions by depth, and by how often a cell has an operation.

    A chart with fewer than two groups compares nothing and is left out.

    Args:
        measured: ``[N]``; pairs with NaN are left out.
        predicted: ``[N]``.
        cells: The ``N`` cells.
        fractions: Whether the values are; None for whether the measured ones are.
    """
    counts = cells.operation_counts
    used = np.argsort(-counts.sum(axis=0), kind="stable")[:_MOST_OPERATIONS]
    labels = cells.space.support.drawing_labels
    names = [labels.get(name, name) for name in cells.space.operations]
    by_operation = {names[k]: counts[:, k] for k in sorted(used.tolist())}
    groups = (
        ({"cells": cells.depths}, "depth", "edges on the longest path"),
        (by_operation, "operation", "vertices with the operation"),
    )
    charts = [
        residual_chart(measured, predicted, group, by, fractions, label=label)
        for group, by, label in groups
    ]
    return [chart for chart in charts if len(_groups(chart)) > 1]


def _groups(chart: Chart) -> list[str]:
    return group_order([mark for mark in chart.marks if isinstance(mark, Boxes)])


def _boxes(errors: Floats, group: NDArray[Any], least: int, name: str, colour: int) -> Boxes:
    kinds, counts = np.unique(group, return_counts=True)
    kept = [(kind, count) for kind, count in zip(kinds, counts.tolist(), strict=True)
            if count >= least]  # fmt: skip
    quantiles = [np.quantile(errors[group == kind], _BOX_QUANTILES) for kind, _ in kept]
    return Boxes(
        name,
        [printable(kind) for kind, _ in kept],
        np.array(quantiles).reshape(-1, len(_BOX_QUANTILES)),
        [count for _, count in kept],
        colour,
    )
