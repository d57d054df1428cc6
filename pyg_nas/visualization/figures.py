"""The content of all charts: predictions, learning curves, fronts, searches.

Each function turns numbers into a :class:`~pyg_nas.visualization.charts.Chart`, once for files and
for reports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyg_nas.errors import SettingsError
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.io.text import counted, percent, printable, time_unit
from pyg_nas.metrics.intervals import mean_interval
from pyg_nas.metrics.pareto import pareto_front
from pyg_nas.metrics.regression import (
    are_fractions,
    kendall_tau,
    mean_squared_error,
    relative_errors,
)
from pyg_nas.visualization.charts import (
    BLUE,
    GREY,
    INK,
    NUM_COLOURS,
    PURPLE,
    SKY,
    VERMILION,
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
_CURVE_COLOURS = tuple(colour for colour in range(NUM_COLOURS) if colour != GREY)


def percent_or_value(values: Floats, fractions: bool | None = None) -> tuple[float, str]:
    """Return the factor and the unit of an axis: percent for fractions, which None looks up."""
    fractions = are_fractions(values) if fractions is None else fractions
    return (100.0, ", %") if fractions else (1.0, "")


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
    x, y, rows = _pairs(measured, predicted)
    factor, unit = percent_or_value(x, fractions)
    best, region = best_end(x, larger_is_better, fractions)
    parts = [(f"Predicted and measured: all {thing}s", np.full(len(x), True))]
    if _FEWEST_IN_PANEL <= best.sum() < len(x):
        parts.append((f"Best {thing}s: {region}", best))
    what = f" {name}" if name else ""
    charts = []
    for title, part in parts:
        across, up = factor * x[part], factor * y[part]
        limits = _limits(np.concatenate([across, up]), 0.04)
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
    x, y, rows = _pairs(measured, predicted)
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
        _boxes(errors, group, least, name, _CURVE_COLOURS[k % len(_CURVE_COLOURS)])
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


def learning_curve_chart(
    sizes: ArrayLike,
    scores: Mapping[str, ArrayLike],
    score_name: str = "Kendall τ",
    thing: str = "cell",
) -> Chart:
    """Return a score by the number of training cells: mean and spread of the repeats.

    Args:
        sizes: ``[S]`` training cells, positive.
        scores: For each method ``[S, repeats]``, NaN where there is none.
        score_name: Label of the vertical axis.
        thing: What the methods are trained on: a cell or a network.

    Raises:
        SettingsError: If a method's scores are not ``[S, repeats]``.
    """
    cells = np.asarray(sizes, dtype=np.float64)
    lines = _mean_lines(cells, scores, _one_deviation)
    return Chart(
        "Learning curve",
        _size_axis(cells, thing),
        Axis(score_name),
        lines,
        note="Points are means over repeats, the band is one standard deviation to each side.",
        legend=len(lines) > 1,
    )


def comparison_chart(sizes: ArrayLike, scores: Mapping[str, ArrayLike]) -> Chart:
    """Return Kendall's τ of several predictors by the number of training cells.

    With several sizes: the mean over the draws and its 95 % interval by Student's t as a band. With
    one size: every draw as a dot, beside the mean and its interval. Intervals end at -1 and 1,
    between which correlations are. A predictor without a value is marked in the legend.

    Args:
        sizes: ``[S]`` training cells, positive.
        scores: For each predictor ``[S, draws]``; where a value is NaN, that size is left out.

    Raises:
        SettingsError: If a predictor's scores are not ``[S, draws]``.
    """
    cells = np.asarray(sizes, dtype=np.float64)
    found = {name: _repeats(values, len(cells), name) for name, values in scores.items()}
    shown = {
        name if np.isfinite(values).any() else f"{name} (not defined)": values
        for name, values in found.items()
    }
    nothing = not any(np.isfinite(values).any() for values in found.values())
    title = "Ranking of unseen architectures"
    up = Axis("Kendall τ (1: perfect order)", limits=(-1, 1) if nothing else None)
    if len(cells) > 1:
        complete = {
            name: np.where(np.isnan(values).any(axis=1, keepdims=True), np.nan, values)
            for name, values in shown.items()
        }
        lines = _mean_lines(cells, complete, _correlation_ends)
        return Chart(title, _size_axis(cells), up, lines, legend=True)
    marks = [
        mark
        for place, (name, values) in enumerate(shown.items())
        for mark in _draws(name, place, values[0])
    ]
    across = Axis(
        f"{cells[0]:,.0f} training cells",
        limits=(-0.6, len(scores) - 0.4),
        ticks=tuple(np.arange(float(len(scores)))),
        tick_labels=tuple(map(printable, shown)),
    )
    return Chart(title, across, up, tuple(marks))


def _size_axis(cells: Floats, thing: str = "cell") -> Axis:
    ticks = tuple(sorted(cells.tolist()))
    return Axis(f"training {thing}s", True, None, ticks, tuple(f"{size:g}" for size in ticks))


def _mean_lines(
    cells: Floats,
    scores: Mapping[str, ArrayLike],
    ends: Callable[[Floats], tuple[float, float]],
) -> tuple[Line, ...]:
    """For each method its mean score by training cells; ``ends`` of the repeats are the band."""
    order = np.argsort(cells, kind="stable")
    lines = []
    for k, (name, values) in enumerate(scores.items()):
        repeats = _repeats(values, len(cells), name)[order]
        known = ~np.isnan(repeats).all(axis=1)
        rows = [row[np.isfinite(row)] for row in repeats[known]]
        low, high = np.array([ends(row) for row in rows]).reshape(-1, 2).T
        lines.append(
            Line(
                name,
                cells[order][known],
                np.array([row.mean() for row in rows]),
                _CURVE_COLOURS[k % len(_CURVE_COLOURS)],
                markers=True,
                band=(low, high),
                dashes=k // len(_CURVE_COLOURS) % 4,
            )
        )
    return tuple(lines)


def _draws(name: str, place: int, values: Floats) -> list[Dots | Line | Boxes]:
    """Every draw as a dot, and beside them the mean of several and its interval."""
    known = values[np.isfinite(values)]
    if len(values) == 1:
        return [Dots(name, np.full(len(known), float(place)), known, BLUE)]
    dots = Dots(name, np.full(len(known), place - 0.1), known, BLUE)
    if len(known) < len(values):
        return [dots]
    beside, mean = place + 0.1, known.mean()
    low, high = _correlation_ends(known)
    return [
        dots,
        Line("interval", np.full(2, beside), np.array([low, high]), INK, legend=False),
        Line("mean", np.array([beside]), np.array([mean]), INK, markers=True, legend=False),
    ]


def _one_deviation(values: Floats) -> tuple[float, float]:
    return float(values.mean() - values.std()), float(values.mean() + values.std())


def _correlation_ends(values: Floats) -> tuple[float, float]:
    """Ends of the interval of a mean correlation; both are the value if there is only one."""
    if len(values) < 2:
        return float(values[0]), float(values[0])
    interval = mean_interval(values)
    return max(interval.low, -1.0), min(interval.high, 1.0)


def pareto_chart(
    accuracy: ArrayLike,
    cost: ArrayLike,
    cost_name: str,
    accuracy_name: str = "accuracy",
    fractions: bool | None = None,
    thing: str = "cell",
    larger_is_better: bool = True,
) -> Chart:
    """Return accuracy against a cost, with the Pareto front.

    Args:
        accuracy: ``[N]``, or another label; pairs with NaN are left out.
        cost: ``[N]`` positive, less is better.
        cost_name: Label of the horizontal axis.
        accuracy_name: Label of the vertical axis, without percent.
        fractions: Whether the accuracies are; None for whether those given are.
        thing: What has an accuracy and a cost: a cell or a network.
        larger_is_better: False if less of both is better.

    Raises:
        SettingsError: If the lengths differ or no pair is left.
    """
    y, x, rows = _pairs(accuracy, cost)
    factor, unit = percent_or_value(y, fractions)
    front = pareto_front(y if larger_is_better else -y, x)
    limits, hidden = _limits_of_best(factor * y, 0.02, 0.06, thing, larger_is_better)
    title, other = accuracy_name.split(",")[0], cost_name.split(",")[0]
    rest = np.setdiff1d(np.arange(len(x)), front)
    return Chart(
        f"{title[:1].upper()}{title[1:]} and {other}",
        Axis(cost_name, log=bool((x > 0).all())),
        Axis(f"{accuracy_name}{unit}", limits=limits),
        (
            Dots(f"{thing}s", x[rest], factor * y[rest], GREY, rows[rest]),
            Dots("Pareto front", x[front], factor * y[front], VERMILION, rows[front], joined=True),
        ),
        note=f"Pareto front: no other {thing} is better in both {title} and {other}." + hidden,
        results=(f"{len(front):,} of {len(x):,} {thing}s on the front",),
        legend=True,
    )


def search_charts(
    accuracy: Floats,
    best: Floats,
    regret: Floats | None = None,
    seconds: Floats | None = None,
    reference: str = "the best cell of the table",
    accuracy_name: str = "accuracy",
    fractions: bool | None = None,
    thing: str = "cell",
    larger_is_better: bool = True,
) -> list[Chart]:
    """Return what a search saw and had after each cell, by cells and by training time.

    Args:
        accuracy: Accuracy, or another label, of each trained cell, ``[Q]``.
        best: Accuracy of the answer after each cell, ``[Q]``, NaN before there is one.
        regret: Regret of the answer after each cell ``[Q]``, in the unit of the accuracy; None
            where not known.
        seconds: Training time spent after each cell ``[Q]``; None where not known.
        reference: The best cell, for the label of the regret.
        accuracy_name: Name of the metric of the cells, with its unit if that is not percent.
        fractions: Whether accuracies are fractions; None for whether those given are.
        thing: What was trained: a cell or a network.
        larger_is_better: False for a cost.
    """
    factor, unit = percent_or_value(accuracy, fractions)
    name, _, own_unit = accuracy_name.partition(", ")
    title = name[:1].upper() + name[1:]
    trained = np.arange(1, len(accuracy) + 1, dtype=np.float64)
    limits, hidden = _limits_of_best(factor * accuracy, 0.05, 0.08, thing, larger_is_better)
    every = Dots(f"trained {thing}", trained, factor * accuracy, SKY, np.arange(len(accuracy)))
    reached = Line("best so far", trained, factor * best, VERMILION, steps=True)
    by_cells = Chart(
        f"{title} by trained {thing}s",
        Axis(f"trained {thing}s"),
        Axis(f"{accuracy_name}{unit}", limits=limits),
        (every, reached),
        note=f"Each dot is a trained {thing}, the line the best so far." + hidden,
        legend=True,
    )
    charts = [by_cells]
    if seconds is not None:
        size, symbol = time_unit(float(seconds[-1]))
        spent = seconds / size
        charts.append(
            replace(
                by_cells,
                title=f"{title} by training time",
                x=Axis(f"training time, {symbol}"),
                marks=(replace(every, x=spent), replace(reached, x=spent)),
            )
        )
    if regret is not None and len(regret) > 1 and (regret > 0).any():
        ends = (reference, "the best so far")
        less, from_ = ends if larger_is_better else ends[::-1]
        charts.append(
            Chart(
                f"Regret by trained {thing}s",
                Axis(f"trained {thing}s"),
                Axis(_regret_name(bool(unit), own_unit), from_zero=True),
                (Line("regret", trained, factor * regret, PURPLE, steps=True),),
                note=f"Regret: {name} of {less} minus that of {from_}.",
            )
        )
    return charts


def regret_chart(
    curves: Mapping[str, tuple[Floats, Floats]],
    fractions: bool,
    by_time: bool = False,
    thing: str = "cell",
    metric: str = "accuracy",
    larger_is_better: bool = True,
) -> Chart:
    """Return the regret of several search methods on a logarithmic axis, median and quartiles.

    Args:
        curves: For each method trained cells or seconds ``[P]``, and the 25, 50 and 75 % quantiles
            of its regret ``[3, P]``.
        fractions: Whether regret is a fraction, and shown in points.
        by_time: Whether the first are seconds.
        thing: What was trained: a cell or a network.
        metric: Name of the metric of the cells, with its unit if that is not percent.
        larger_is_better: False for a cost.
    """
    metric, _, unit = metric.partition(", ")
    everything = np.concatenate([regret.ravel() for _, regret in curves.values()])
    factor = 100.0 if fractions else 1.0
    positive = factor * everything[everything > 0]
    lowest = float(positive.min()) if len(positive) else 0.1
    highest = float(positive.max()) if len(positive) else 1.0
    floor = lowest / 3
    decades = range(int(np.floor(np.log10(lowest))), int(np.ceil(np.log10(highest))) + 1)
    ticks = [m * 10.0**k for k in decades for m in (1, 2, 5)]
    ticks = [tick for tick in ticks if lowest <= tick <= 1.2 * highest]
    labels = [f"{tick:g}" for tick in ticks]
    regret_of = f"best {metric} minus that of the answer"
    if not larger_is_better:
        regret_of = f"{metric} of the answer minus the lowest"
    note = f"Regret: {regret_of}. Line: median, band: quartiles."
    if (everything <= 0).any():
        ticks, labels = [floor, *ticks], ["0", *labels]
        note += " At 0 the best architecture was found."
    size, symbol = time_unit(max(float(x[-1]) for x, _ in curves.values()))
    marks = []
    for k, (name, (x, regret)) in enumerate(curves.items()):
        low, median, high = np.maximum(factor * regret, floor)
        colour = _CURVE_COLOURS[k % len(_CURVE_COLOURS)]
        place = x / size if by_time else x
        marks.append(Line(name, place, median, colour, steps=True, band=(low, high), dashes=k % 4))
    return Chart(
        f"Regret by {'training time' if by_time else f'trained {thing}s'}",
        Axis(f"training time, {symbol}" if by_time else f"trained {thing}s"),
        Axis(_regret_name(fractions, unit), True, None, tuple(ticks), tuple(labels)),
        tuple(marks),
        note=note,
        legend=True,
    )


def _regret_name(fractions: bool, unit: str) -> str:
    shown = "points" if fractions else unit
    return f"regret, {shown}" if shown else "regret"


def _limits_of_best(
    values: Floats, left_out: float, margin: float, thing: str, larger_is_better: bool
) -> tuple[tuple[float, float], str]:
    """Limits of an axis without the worst share of many values, and a sentence that says so.

    A few failed or very costly cells would press all others into one line.
    """
    if larger_is_better:
        shown = np.quantile(values, left_out, method="lower"), values.max()
    else:
        shown = values.min(), np.quantile(values, 1 - left_out, method="higher")
    limits = _limits(np.array(shown), margin)
    outside = int(((values < limits[0]) | (values > limits[1])).sum())
    side = "below" if larger_is_better else "above"
    return limits, f" Not shown: {counted(outside, thing)} {side} the axis." if outside else ""


def _limits(values: Floats, share: float) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    margin = share * (high - low) or 0.5
    return low - margin, high + margin


def _pairs(first: ArrayLike, second: ArrayLike) -> tuple[Floats, Floats, NDArray[np.int64]]:
    """Both lists where both are known, and the rows of those."""
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    if x.shape != y.shape or x.ndim != 1:
        raise SettingsError(f"a figure needs two lists of one length, got {x.shape} and {y.shape}")
    rows = np.flatnonzero(np.isfinite(x) & np.isfinite(y))
    if not len(rows):
        raise SettingsError("there is nothing to draw: no cell has both values")
    return x[rows], y[rows], rows


def _repeats(values: ArrayLike, sizes: int, name: str) -> Floats:
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 2 or len(scores) != sizes or scores.size == 0:
        raise SettingsError(
            f"scores of {name!r} must be a table with {sizes} sizes as rows, got {scores.shape}"
        )
    return scores
