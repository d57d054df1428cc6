"""Charts of scores by the number of training cells: learning curves and comparisons.

Each function turns numbers into a chart, once for files and for reports.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
from numpy.typing import ArrayLike

from pyg_nas.errors import SettingsError
from pyg_nas.io.text import printable
from pyg_nas.metrics.intervals import mean_interval
from pyg_nas.visualization.chart_parts import CURVE_COLOURS
from pyg_nas.visualization.charts import BLUE, INK, Axis, Boxes, Chart, Dots, Floats, Line


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
                CURVE_COLOURS[k % len(CURVE_COLOURS)],
                markers=True,
                band=(low, high),
                dashes=k // len(CURVE_COLOURS) % 4,
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


def _repeats(values: ArrayLike, sizes: int, name: str) -> Floats:
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 2 or len(scores) != sizes or scores.size == 0:
        raise SettingsError(
            f"scores of {name!r} must be a table with {sizes} sizes as rows, got {scores.shape}"
        )
    return scores
