"""The report's interactive figures as Plotly specifications in plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.metrics.pareto import pareto_front
from pyg_nas.metrics.regression import kendall_tau
from pyg_nas.report.page import Figure, plot_text
from pyg_nas.visualization.cells import operation_label
from pyg_nas.visualization.plots import best_end, percent_or_value

Floats = NDArray[np.float64]

_MOST_OPERATIONS = 6  # as many as there are colours to tell apart
_FEWEST_IN_BOX = 5
_BOX_ENDS = np.array([0.05, 0.25, 0.5, 0.75, 0.95])


def scatter_figures(
    measured: Floats,
    predicted: Floats,
    shown: NDArray[np.int64],
    numbers: Sequence[int],
    larger_is_better: bool = True,
    fractions: bool | None = None,
) -> list[Figure]:
    """Return predicted against measured: all cells, and the best measured ones.

    Args:
        measured: ``[N]``.
        predicted: ``[N]``.
        shown: Indices of the cells that are drawn; figures in the notes are over all ``N``.
        numbers: Gallery number of each shown cell.
        larger_is_better: False for costs such as seconds: the best are the smallest.
        fractions: Whether the values are; None for whether the measured ones are.
    """
    best, name = best_end(measured, larger_is_better, fractions)
    factor, unit = percent_or_value(measured, fractions)
    figures = []
    for title, part in (
        ("Predicted against measured", np.full(len(measured), True)),
        (f"The same, {name}", best),
    ):
        drawn = part[shown]
        x, y = measured[shown][drawn] * factor, predicted[shown][drawn] * factor
        low, high = float(min(x.min(), y.min())), float(max(x.max(), y.max()))
        margin = 0.04 * (high - low) or 0.5
        limits = [low - margin, high + margin]
        note = f"{_drawn_of(int(drawn.sum()), int(part.sum()))}."
        if part.sum() > 1:
            tau = kendall_tau(measured[part], predicted[part])
            if np.isfinite(tau):
                note += f" Kendall τ {tau:.3f}."
        traces = [
            _line(limits, limits, "c7", name="predicted = measured", hoverinfo="skip"),
            {
                **_dots(x, y, "c0", [numbers[i] for i in np.flatnonzero(drawn).tolist()]),
                "name": "cells",
            },
        ]
        layout = {
            "showlegend": False,
            "xaxis": {"title": {"text": f"measured{unit}"}, "range": limits},
            "yaxis": {"title": {"text": f"predicted{unit}"}, "range": limits},
        }
        figures.append(
            Figure(title, f"{note} Hover for the cell, click to pin it.", traces, layout)
        )
    return figures


def residual_figures(
    measured: Floats, predicted: Floats, cells: CellArray, fractions: bool | None = None
) -> list[Figure]:
    """Return predicted minus measured by depth of the cell, and by how often it has an operation.

    Args:
        measured: ``[N]``.
        predicted: ``[N]``.
        cells: The ``N`` cells.
        fractions: Whether the values are; None for whether the measured ones are.
    """
    factor, unit = percent_or_value(measured, fractions)
    residuals = (predicted - measured) * factor
    axis = {"title": {"text": "predicted − measured" + (", points" if unit else "")}}
    depths = cells.depths
    boxes = [_boxes(residuals, depths, "c0", "cells")]
    by_depth = Figure(
        "Residuals by depth",
        "Depth: edges on the longest path. Boxes: quartiles, whiskers: 5 to 95 %.",
        boxes,
        {
            "showlegend": False,
            "xaxis": {"title": {"text": "depth"}, "dtick": 1},
            "yaxis": {**axis, "zeroline": True},
        },
    )
    counts = cells.operation_counts
    used = np.argsort(-counts.sum(axis=0), kind="stable")[:_MOST_OPERATIONS]
    by_operation = Figure(
        "Residuals by operation",
        "Cells by how often they have the operation. Boxes: quartiles, whiskers: 5 to 95 %.",
        [
            _boxes(residuals, counts[:, column], f"c{place}", cells.space.operations[int(column)])
            for place, column in enumerate(sorted(used.tolist()))
        ],
        {
            "boxmode": "group",
            "xaxis": {"title": {"text": "vertices with the operation"}, "dtick": 1},
            "yaxis": {**axis, "zeroline": True},
        },
    )
    return [by_depth, by_operation]


def learning_curve_figure(sizes: Sequence[int], scores: Floats, evaluated: str) -> Figure:
    """Return Kendall's tau by number of training cells.

    Args:
        sizes: ``[S]``.
        scores: ``[S, repeats]``.
        evaluated: What the scores are of, for the note.
    """
    traces = []
    for repeat in range(scores.shape[1]):
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "x": list(sizes),
                "y": _numbers(scores[:, repeat]),
                "marker": {"color": "c5", "size": 7},
                "hovertemplate": "%{x} cells: τ %{y:.3f}<extra></extra>",
                "showlegend": False,
            }
        )
    mean = np.nanmean(scores, axis=1)
    traces.append(
        {
            **_line(list(sizes), mean, "c0", name="mean"),
            "mode": "lines+markers",
            "hovertemplate": "%{x} cells: mean τ %{y:.3f}<extra></extra>",
        }
    )
    return Figure(
        "Learning curve",
        f"Kendall τ by training cells; {evaluated}.",
        traces,
        {
            "showlegend": False,
            "xaxis": {
                "title": {"text": "training cells"},
                "type": "log",
                "tickvals": list(sizes),
                "ticktext": [str(size) for size in sizes],
            },
            "yaxis": {"title": {"text": "Kendall τ"}},
        },
    )


def pareto_figure(
    accuracy: Floats,
    cost: Floats,
    cost_name: str,
    numbers: Mapping[int, int],
    accuracy_name: str = "measured",
    fractions: bool | None = None,
) -> Figure:
    """Return accuracy against a cost, with the cells on the Pareto front.

    Args:
        accuracy: ``[N]``.
        cost: ``[N]``, positive; NaN where not known.
        cost_name: Label of the horizontal axis.
        numbers: Gallery number by index, for the cells that are drawn; the front's are among
            them.
        accuracy_name: Label of the vertical axis, without unit.
        fractions: Whether the accuracies are; None for whether those given are.
    """
    factor, unit = percent_or_value(accuracy[np.isfinite(accuracy)], fractions)
    front = pareto_front(accuracy, cost).tolist()
    drawn = [i for i in numbers if np.isfinite(cost[i]) and np.isfinite(accuracy[i])]
    others = sorted(set(drawn) - set(front))
    traces = [
        {**_dots(cost[others], accuracy[others] * factor, "c7", [numbers[i] for i in others])},
        {
            **_dots(cost[front], accuracy[front] * factor, "c1", [numbers[i] for i in front]),
            "mode": "lines+markers",
            "line": {"color": "c1", "width": 2, "shape": "hv"},
            "name": "Pareto front",
        },
    ]
    traces[0]["name"] = "cells"
    traces[1]["marker"] = {"color": "c1", "size": 8}
    low = float(np.quantile(accuracy[drawn], 0.02)) * factor
    high = float(np.max(accuracy[drawn])) * factor
    margin = 0.06 * (high - low) or 0.5
    return Figure(
        f"Accuracy and {cost_name}",
        f"{len(front)} cells on the front: no other is better in one and not worse in the other. "
        f"{_drawn_of(len(drawn), int((np.isfinite(cost) & np.isfinite(accuracy)).sum()))}.",
        traces,
        {
            "xaxis": {"title": {"text": plot_text(cost_name)}, "type": "log"},
            "yaxis": {
                "title": {"text": f"{accuracy_name}{unit}"},
                "range": [low - margin, high + margin],
            },
        },
    )


def search_figures(
    accuracy: Floats,
    best: Floats,
    regret: Floats | None,
    hours: Floats | None,
    numbers: Sequence[int],
) -> list[Figure]:
    """Return what a search saw and had after each query, by queries and by training time.

    Args:
        accuracy: Of each query, ``[Q]``.
        best: Of the answer after each query, ``[Q]``, NaN before there is one.
        regret: Of the answer after each query, a fraction; None where not known.
        hours: Training time spent after each query; None where not known.
        numbers: Gallery number of each query's cell.
    """
    factor, unit = percent_or_value(accuracy)
    queries = np.arange(1, len(accuracy) + 1, dtype=np.float64)
    low = float(np.quantile(accuracy, 0.05)) * factor
    high = float(accuracy.max()) * factor
    margin = 0.08 * (high - low) or 0.5
    found = []
    axes = [("trained cells", queries)] + ([] if hours is None else [("training time, h", hours)])
    for name, x in axes:
        traces = [
            {**_dots(x, accuracy * factor, "c5", list(numbers)), "name": "trained cell"},
            {
                **_line(x, best * factor, "c1", name="best so far"),
                "line": {"color": "c1", "width": 2.4, "shape": "hv"},
                "hoverinfo": "skip",
            },
        ]
        found.append(
            Figure(
                f"Search by {name.split(',')[0]}",
                "Each dot is a trained cell, the line the best so far.",
                traces,
                {
                    "xaxis": {"title": {"text": name}},
                    "yaxis": {
                        "title": {"text": f"accuracy{unit}"},
                        "range": [low - margin, high + margin],
                    },
                },
            )
        )
    if regret is not None and np.isfinite(regret).any():
        found.append(
            Figure(
                "Regret of the answer",
                "How far the best so far stays below the best there is.",
                [
                    {
                        **_line(queries, regret * factor, "c3", name="regret"),
                        "line": {"color": "c3", "width": 2.4, "shape": "hv"},
                        "hovertemplate": "%{x} cells: %{y:.3g}<extra></extra>",
                    }
                ],
                {
                    "showlegend": False,
                    "xaxis": {"title": {"text": "trained cells"}},
                    "yaxis": {
                        "title": {"text": "simple regret" + (", points" if unit else "")},
                        "rangemode": "tozero",
                    },
                },
            )
        )
    return found


def _boxes(residuals: Floats, groups: NDArray[np.int64], colour: str, name: str) -> dict[str, Any]:
    kinds = [k for k in np.unique(groups).tolist() if (groups == k).sum() >= _FEWEST_IN_BOX]
    ends = np.array([np.quantile(residuals[groups == kind], _BOX_ENDS) for kind in kinds]).reshape(
        -1, len(_BOX_ENDS)
    )
    return {
        "type": "box",
        "name": plot_text(operation_label(name)),
        "x": kinds,
        "lowerfence": _numbers(ends[:, 0]),
        "q1": _numbers(ends[:, 1]),
        "median": _numbers(ends[:, 2]),
        "q3": _numbers(ends[:, 3]),
        "upperfence": _numbers(ends[:, 4]),
        "line": {"color": colour, "width": 1.5},
        "fillcolor": f"{colour}/0.25",
        "hoverinfo": "y+name",
    }


def _dots(x: Floats, y: Floats, colour: str, numbers: list[int]) -> dict[str, Any]:
    crowded = len(numbers) > 500
    return {
        "type": "scatter",
        "mode": "markers",
        "meta": "cells",
        "x": _numbers(x),
        "y": _numbers(y),
        "customdata": numbers,
        "hoverinfo": "none",
        "marker": {"color": colour, "size": 5 if crowded else 7, "opacity": 0.55},
    }


def _line(
    x: Sequence[float] | Floats, y: Sequence[float] | Floats, colour: str, **more: Any
) -> dict[str, Any]:
    return {
        "type": "scatter",
        "mode": "lines",
        "x": _numbers(x),
        "y": _numbers(y),
        "line": {"color": colour, "width": 1.6},
        **more,
    }


def _numbers(values: Sequence[float] | Floats) -> list[float | None]:
    """Six digits are more than a screen shows; NaN is JSON's null."""
    return [float(f"{v:.6g}") if np.isfinite(v) else None for v in np.asarray(values).tolist()]


def _drawn_of(drawn: int, total: int) -> str:
    if drawn == total:
        return f"{total:,} cells"
    return f"{drawn:,} of {total:,} cells drawn, a uniform sample and the best"
