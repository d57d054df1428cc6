"""Charts as Plotly specifications in plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pyg_nas.io.text import markup
from pyg_nas.report.page import Figure
from pyg_nas.visualization.cells import short_label
from pyg_nas.visualization.charts import Axis, Boxes, Chart, Dots, Floats, Line, group_order

_DASHES = ("solid", "dash", "dashdot", "dot")
_CROWD = 500


def plotly_figure(
    chart: Chart, numbers: Mapping[int, int] | None = None, thing: str = "cell"
) -> Figure:
    """Return a chart for the page.

    Args:
        numbers: Gallery number by the row of a cell. Points of other rows are left out, and the
            note gives their number.
        thing: What a point is: a cell or a network.
    """
    traces, drawn, total = [], 0, 0
    for mark in chart.marks:
        if isinstance(mark, Dots):
            kept = _kept(mark, numbers)
            drawn, total = drawn + int(kept.sum()), total + len(kept)
            traces.append(_dots(mark, kept, numbers))
        elif isinstance(mark, Line):
            traces += _line(mark)
        else:
            traces.append(_boxes(mark))
    boxes = [mark for mark in chart.marks if isinstance(mark, Boxes)]
    layout: dict[str, Any] = {
        "showlegend": chart.legend,
        "xaxis": _axis(chart.x),
        "yaxis": {**_axis(chart.y), "zeroline": bool(boxes)},
    }
    if boxes:
        layout["boxmode"] = "group"
        order = [markup(group) for group in group_order(boxes)]
        layout["xaxis"].update(type="category", categoryorder="array", categoryarray=order)
    sentences = [f"{', '.join(chart.results)}."] if chart.results else []
    sentences += [chart.note] if chart.note else []
    if drawn < total:
        sentences.append(f"{drawn:,} of {total:,} {thing}s drawn: a uniform sample and the best.")
    hint = f"Hover for the {thing}, click to pin it." if numbers is not None and total else ""
    return Figure(chart.title, " ".join(sentences), traces, layout, hint)


def _kept(dots: Dots, numbers: Mapping[int, int] | None) -> np.ndarray[Any, np.dtype[np.bool_]]:
    if numbers is None or dots.rows is None:
        return np.full(len(dots.x), True)
    return np.array([row in numbers for row in dots.rows.tolist()], dtype=bool)


def _dots(
    dots: Dots, kept: np.ndarray[Any, np.dtype[np.bool_]], numbers: Mapping[int, int] | None
) -> dict[str, Any]:
    crowd = int(kept.sum()) > _CROWD
    trace: dict[str, Any] = {
        "type": "scatter",
        "mode": "markers",
        "name": markup(dots.name),
        "x": _numbers(dots.x[kept]),
        "y": _numbers(dots.y[kept]),
        "hoverinfo": "x+y",
        "marker": {
            "color": f"c{dots.colour}",
            "size": 5 if crowd else 7,
            "opacity": 0.55 if crowd else 0.9,
        },
    }
    if numbers is not None and dots.rows is not None:
        trace["meta"] = "cells"
        trace["customdata"] = [numbers[row] for row in dots.rows[kept].tolist()]
        trace["hoverinfo"] = "none"  # the page draws the cell
    if dots.joined:
        trace["mode"] = "lines+markers"
        trace["line"] = {"color": f"c{dots.colour}", "width": 2, "shape": "hv"}
        trace["marker"] = {"color": f"c{dots.colour}", "size": 8}
    return trace


def _line(line: Line) -> list[dict[str, Any]]:
    colour = f"c{line.colour}"
    style = {"color": colour, "width": 2.4 if line.steps else 1.6, "dash": _DASHES[line.dashes]}
    trace = {
        "type": "scatter",
        "mode": "lines+markers" if line.markers else "lines",
        "name": markup(line.name),
        "x": _numbers(line.x),
        "y": _numbers(line.y),
        "line": {**style, "shape": "hv" if line.steps else "linear"},
        "showlegend": line.legend,
        "hoverinfo": "x+y+name" if line.legend else "skip",
    }
    if line.band is None:
        return [trace]
    low, high = line.band
    band = {
        "type": "scatter",
        "mode": "lines",
        "x": _numbers(np.concatenate([line.x, line.x[::-1]])),
        "y": _numbers(np.concatenate([low, high[::-1]])),
        "fill": "toself",
        "fillcolor": f"{colour}/0.16",
        "line": {"color": colour, "width": 0},
        "showlegend": False,
        "hoverinfo": "skip",
    }
    return [band, trace]


def _boxes(boxes: Boxes) -> dict[str, Any]:
    columns = ("lowerfence", "q1", "median", "q3", "upperfence")
    quantiles = {name: _numbers(boxes.quantiles[:, k]) for k, name in enumerate(columns)}
    return {
        "type": "box",
        "name": markup(short_label(boxes.name)),
        "x": [markup(group) for group in boxes.groups],
        **quantiles,
        "line": {"color": f"c{boxes.colour}", "width": 1.5},
        "fillcolor": f"c{boxes.colour}/0.25",
        "hoverinfo": "y+name",
    }


def _axis(axis: Axis) -> dict[str, Any]:
    # Without a distance of its own a title stands on long numbers beside the axis.
    found: dict[str, Any] = {"title": {"text": markup(axis.label), "standoff": 8}}
    if axis.log:
        found["type"] = "log"
    if axis.limits is not None:
        found["range"] = list(axis.limits)
    if axis.ticks is not None:
        found["tickvals"] = list(axis.ticks)
        found["ticktext"] = [markup(label) for label in axis.tick_labels or axis.ticks]
    if axis.from_zero:
        found["rangemode"] = "tozero"
    return found


def _numbers(values: Floats) -> list[float | None]:
    """Round to six digits, more than a screen can show, and replace NaN by JSON's null."""
    return [float(f"{v:.6g}") if np.isfinite(v) else None for v in values.tolist()]
