"""Descriptions of charts that depend on no plotting library: axes, marks and texts.

``prediction_charts.py``, ``curve_charts.py`` and ``search_charts.py`` describe each chart of the
package. Two renderers draw them: matplotlib for files, and Plotly for the HTML report.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

BLUE, VERMILION, GREEN, PURPLE, ORANGE, SKY, INK, GREY = range(8)
"""Number of colours; a renderer has a table of them, a page one for light and one for dark mode."""

NUM_COLOURS = 8


@dataclass(frozen=True)
class Axis:
    """One axis.

    Args:
        label: Its name and unit.
        log: Whether it is logarithmic.
        limits: Shown range; None for the range of all marks.
        ticks: Positions of the ticks; None for the renderer's choice.
        tick_labels: Labels of the ticks.
        from_zero: Whether it begins at zero.
    """

    label: str
    log: bool = False
    limits: tuple[float, float] | None = None
    ticks: tuple[float, ...] | None = None
    tick_labels: tuple[str, ...] | None = None
    from_zero: bool = False


@dataclass(frozen=True)
class Dots:
    """Points ``x [N]``, ``y [N]``; NaN is not drawn.

    Args:
        rows: The cell of each point, ``[N]``, which the page shows when a user points at it; None
            if points are not cells.
        joined: Whether steps join the points.
        crowd: Whether very many points may be drawn as a density.
    """

    name: str
    x: Floats
    y: Floats
    colour: int
    rows: NDArray[np.int64] | None = None
    joined: bool = False
    crowd: bool = False


@dataclass(frozen=True)
class Line:
    """A line through ``x [N]``, ``y [N]``.

    Args:
        steps: Whether a value is valid until the next one.
        markers: Whether the points are marked.
        band: Lower and upper edge ``[N]`` of a band around the line.
        dashes: 0 for a solid line, 1 to 3 for patterns.
        legend: Whether the line is in the legend.
    """

    name: str
    x: Floats
    y: Floats
    colour: int
    steps: bool = False
    markers: bool = False
    band: tuple[Floats, Floats] | None = None
    dashes: int = 0
    legend: bool = True


@dataclass(frozen=True)
class Boxes:
    """A box for each of ``G`` groups.

    Args:
        groups: Names of the groups.
        quantiles: 5, 25, 50, 75 and 95 % quantiles of each group, ``[G, 5]``.
        counts: Number of cells of each group.
    """

    name: str
    groups: Sequence[str]
    quantiles: Floats
    counts: Sequence[int]
    colour: int


@dataclass(frozen=True)
class Chart:
    """One chart.

    Args:
        marks: Points, lines and boxes, in the order of drawing.
        note: How to read the chart, one or two sentences.
        results: Numbers shown with the chart, such as ``"Kendall τ 0.650"``.
        square: Whether both axes have one scale.
        legend: Whether a legend is needed.
    """

    title: str
    x: Axis
    y: Axis
    marks: tuple[Dots | Line | Boxes, ...]
    note: str = ""
    results: tuple[str, ...] = field(default=())
    square: bool = False
    legend: bool = False


def group_order(series: Sequence[Boxes]) -> list[str]:
    """Return the groups of all series in natural order: numbers first, by their value."""
    groups = {group for boxes in series for group in boxes.groups}
    return sorted(groups, key=_numeric_order)


def _numeric_order(group: str) -> tuple[float, str]:
    try:
        return float(group), group
    except ValueError:
        return float("inf"), group
