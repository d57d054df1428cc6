"""Charts of searches: what was trained, regret, and accuracy beside costs.

Each function turns numbers into charts, once for files and for reports.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from pyg_nas.io.text import time_unit
from pyg_nas.metrics.pareto import pareto_front
from pyg_nas.visualization.chart_parts import (
    CURVE_COLOURS,
    known_pairs,
    limits_of_best,
    percent_or_value,
)
from pyg_nas.visualization.charts import (
    GREY,
    PURPLE,
    SKY,
    VERMILION,
    Axis,
    Chart,
    Dots,
    Floats,
    Line,
)


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
    y, x, rows = known_pairs(accuracy, cost)
    factor, unit = percent_or_value(y, fractions)
    front = pareto_front(y if larger_is_better else -y, x)
    limits, hidden = limits_of_best(factor * y, 0.02, 0.06, thing, larger_is_better)
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
    limits, hidden = limits_of_best(factor * accuracy, 0.05, 0.08, thing, larger_is_better)
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
                note=f"Regret: {name} of {less} minus that of {from_}.{_on_rises([regret], thing)}",
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
    rises = _on_rises([regret[1] for _, regret in curves.values()], thing)
    note = f"Regret: {regret_of}. Line: median, band: quartiles.{rises}"
    if (everything <= 0).any():
        ticks, labels = [floor, *ticks], ["0", *labels]
        note += " At 0 the best architecture was found."
    size, symbol = time_unit(max(float(x[-1]) for x, _ in curves.values()))
    marks = []
    for k, (name, (x, regret)) in enumerate(curves.items()):
        low, median, high = np.maximum(factor * regret, floor)
        colour = CURVE_COLOURS[k % len(CURVE_COLOURS)]
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


def _on_rises(regrets: Iterable[Floats], thing: str) -> str:
    """Return why regret rises, if it does: a best so far that gets worse looks like an error."""
    if not any((np.diff(regret) > 0).any() for regret in regrets):
        return ""
    return (
        f" Regret rises where a {thing} looked better to a search than it is: regret is computed "
        f"from other measurements."
    )


def _regret_name(fractions: bool, unit: str) -> str:
    shown = "points" if fractions else unit
    return f"regret, {shown}" if shown else "regret"
