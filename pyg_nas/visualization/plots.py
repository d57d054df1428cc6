"""Figures for papers and slides: predictions, learning curves, fronts, residuals.

Everything draws on a figure of its own with Agg, so nothing here touches pyplot's state, and
works without a display. The colours are Okabe and Ito's, the density map is cividis: both hold
for colour-blind readers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import kendalltau

from pyg_nas.errors import SettingsError
from pyg_nas.io.files import atomic_path
from pyg_nas.metrics.pareto import pareto_front
from pyg_nas.metrics.regression import are_fractions
from pyg_nas.visualization.cells import OPERATION_COLOURS, check_format

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LINE_COLOURS = (
    OPERATION_COLOURS[0],
    OPERATION_COLOURS[5],
    OPERATION_COLOURS[2],
    OPERATION_COLOURS[3],
    OPERATION_COLOURS[1],
    OPERATION_COLOURS[4],
    "#000000",
)
_LINE_STYLES = ("-", "--", "-.", ":")
_INK, _GRID, _MUTED = "#222222", "#DDDDDD", "#8C8C8C"
_HIGH_ACCURACY = 0.9
_MOST_DOTS = 3_000  # more would be one blot: hexagons then show how many there are
_FEWEST_IN_PANEL = 5


def scatter(
    measured: ArrayLike,
    predicted: ArrayLike,
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
    larger_is_better: bool = True,
    fractions: bool | None = None,
) -> None:
    """Draw predicted against measured values, all of them and the best of them.

    The second panel has the cells measured above 90 %, or the best decile where fewer than five
    reach that or the values are no fractions. Each panel says how many cells it has, their MSE
    (squared points for fractions) and Kendall's tau.

    Args:
        measured: ``[N]``; pairs with NaN are left out.
        predicted: ``[N]``.
        path: SVG, PNG or PDF file.
        title: Over both panels.
        larger_is_better: False for costs such as seconds: the best are the smallest.
        fractions: Whether the axes are in percent; None for whether the measured values are
            fractions.

    Raises:
        SettingsError: If the lengths differ, no pair is left, or the file's ending is unknown.
    """
    x, y = _pairs(measured, predicted)
    factor, unit = percent_or_value(x, fractions)
    best, name = best_end(x, larger_is_better, fractions)
    figure = _figure(9.6, 4.8, path)
    panels = figure.subplots(1, 2)
    _scatter_panel(panels[0], x * factor, y * factor, "all measured cells", unit)
    _scatter_panel(panels[1], x[best] * factor, y[best] * factor, name, unit)
    _title(figure, title)
    _save(figure, path)


def learning_curve(
    sizes: ArrayLike,
    scores: Mapping[str, ArrayLike],
    path: str | os.PathLike[str],
    *,
    score_name: str = "Kendall τ",
    title: str | None = None,
) -> None:
    """Draw a score against the number of training cells, mean and one standard deviation.

    Args:
        sizes: ``[S]`` training cells, positive.
        scores: For each method ``[S, repeats]``, NaN where there is none.
        path: SVG, PNG or PDF file.
        score_name: Label of the vertical axis.
        title: Over the picture.

    Raises:
        SettingsError: If a method's scores are not ``[S, repeats]`` or the file's ending is
            unknown.
    """
    cells = np.asarray(sizes, dtype=np.float64)
    figure = _figure(6.4, 4.4, path)
    axes = figure.subplots()
    for k, (name, values) in enumerate(scores.items()):
        repeats = _repeats(values, len(cells), name)
        known = ~np.isnan(repeats).all(axis=1)
        mean, spread = np.nanmean(repeats[known], axis=1), np.nanstd(repeats[known], axis=1)
        _line_with_band(axes, k, cells[known], mean, mean - spread, mean + spread, name)
    axes.set_xscale("log")
    axes.set_xticks(cells, [f"{size:g}" for size in cells])
    axes.minorticks_off()
    _dress(axes, "training cells", score_name)
    _legend(axes, len(scores), "band: one standard deviation")
    _title(figure, title)
    _save(figure, path)


def pareto(
    accuracy: ArrayLike,
    cost: ArrayLike,
    path: str | os.PathLike[str],
    *,
    cost_name: str = "parameters",
    title: str | None = None,
) -> None:
    """Draw all cells and the front of those that no other beats in both accuracy and cost.

    Args:
        accuracy: ``[N]``, more is better; pairs with NaN are left out.
        cost: ``[N]`` positive, less is better.
        path: SVG, PNG or PDF file.
        cost_name: Label of the horizontal axis.
        title: Over the picture.

    Raises:
        SettingsError: If the lengths differ, no pair is left, or the file's ending is unknown.
    """
    from matplotlib.ticker import EngFormatter, LogLocator, NullFormatter

    cost_, accuracy_ = _pairs(cost, accuracy)
    factor, unit = percent_or_value(accuracy_)
    front = pareto_front(accuracy_, cost_)
    figure = _figure(6.4, 4.4, path)
    axes = figure.subplots()
    _dots(axes, cost_, accuracy_ * factor, _MUTED, "cells")
    axes.step(
        cost_[front],
        accuracy_[front] * factor,
        where="post",
        color=LINE_COLOURS[1],
        linewidth=1.8,
        marker="o",
        markersize=4,
        label="Pareto front",
    )
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(EngFormatter(sep=""))
    axes.xaxis.set_minor_formatter(NullFormatter())
    low, high = np.quantile(accuracy_, 0.02) * factor, accuracy_.max() * factor
    if high > low:  # a few failed cells would press all others into one line
        axes.set_ylim(low - 0.05 * (high - low), high + 0.06 * (high - low))
    _dress(axes, cost_name, f"accuracy{unit}")
    _legend(axes, 2, None)
    _title(figure, title)
    _save(figure, path)


def residuals(
    measured: ArrayLike,
    predicted: ArrayLike,
    groups: Mapping[str, Sequence[Any] | NDArray[Any]],
    path: str | os.PathLike[str],
    *,
    title: str | None = None,
) -> None:
    """Draw predicted minus measured by properties of the cells: median, quartiles, 5 to 95 %.

    Args:
        measured: ``[N]``; cells with NaN are left out.
        predicted: ``[N]``.
        groups: For each panel's name the group of every cell, ``[N]``, for example its depth.
        path: SVG, PNG or PDF file.
        title: Over the panels.

    Raises:
        SettingsError: If lengths differ, no pair is left, or the file's ending is unknown.
    """
    x, y = np.asarray(measured, dtype=np.float64), np.asarray(predicted, dtype=np.float64)
    known = _known(x, y)
    factor, unit = percent_or_value(x[known])
    figure = _figure(4.8 * max(1, len(groups)), 4.4, path)
    panels = figure.subplots(1, max(1, len(groups)), squeeze=False, sharey=True)[0]
    for axes, (name, members) in zip(panels, groups.items(), strict=False):
        group = np.asarray(members)
        if group.shape != x.shape:
            raise SettingsError(f"groups of {name!r} must be {list(x.shape)}, got {group.shape}")
        group = group[known]
        kinds = sorted(set(group.tolist()))
        boxes = [(y - x)[known][group == kind] * factor for kind in kinds]
        axes.boxplot(
            boxes,
            whis=(5, 95),
            showfliers=False,
            widths=0.6,
            patch_artist=True,
            boxprops={"facecolor": LINE_COLOURS[5], "edgecolor": _INK, "linewidth": 0.8},
            medianprops={"color": _INK, "linewidth": 1.6},
        )
        axes.set_xticks(
            range(1, len(kinds) + 1),
            [f"{kind}\n{len(box):,}" for kind, box in zip(kinds, boxes, strict=True)],
        )
        axes.axhline(0.0, color=_MUTED, linewidth=1)
        points = ", points" if unit else ""
        first = axes is panels[0]
        _dress(axes, f"{name} (cells below)", f"predicted − measured{points}" if first else "")
    _title(figure, title)
    _save(figure, path)


def percent_or_value(
    values: NDArray[np.float64], fractions: bool | None = None
) -> tuple[float, str]:
    """Return the factor and the unit of an axis: percent for fractions, which None looks up."""
    return (100.0, ", %") if _fractions(values, fractions) else (1.0, "")


def best_end(
    measured: NDArray[np.float64], larger_is_better: bool = True, fractions: bool | None = None
) -> tuple[NDArray[np.bool_], str]:
    """Return which cells are the best and their region's name: above 90 %, or the best decile."""
    if not larger_is_better:
        return measured <= np.nanquantile(measured, 0.1), "measured in the lowest decile"
    enough = (measured >= _HIGH_ACCURACY).sum() >= _FEWEST_IN_PANEL
    if enough and _fractions(measured, fractions):
        return measured >= _HIGH_ACCURACY, "measured above 90 %"
    return measured >= np.nanquantile(measured, 0.9), "measured in the top decile"


def _fractions(values: NDArray[np.float64], known: bool | None) -> bool:
    return are_fractions(values) if known is None else known


def _scatter_panel(
    axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64], name: str, unit: str
) -> None:
    low, high = min(x.min(), y.min()), max(x.max(), y.max())
    margin = 0.04 * (high - low) or 0.5
    limits = (low - margin, high + margin)
    axes.plot(limits, limits, color=_MUTED, linewidth=1, zorder=1)
    if len(x) > _MOST_DOTS:
        hexagons = axes.hexbin(
            x,
            y,
            gridsize=70,
            bins="log",
            mincnt=1,
            cmap="cividis_r",
            extent=(*limits, *limits),
            linewidths=0.2,
            zorder=2,
        )
        bar = axes.figure.colorbar(hexagons, ax=axes, fraction=0.046, pad=0.02)
        bar.set_label("cells", color=_INK)
        bar.outline.set_visible(False)
    else:
        axes.plot(x, y, ".", color=LINE_COLOURS[0], alpha=0.6, markersize=4, zorder=2)
    axes.set_xlim(limits)
    axes.set_ylim(limits)
    axes.set_aspect("equal")
    _dress(axes, f"measured{unit}", f"predicted{unit}")
    error = float(np.mean((x - y) ** 2))
    note = f"MSE {error:.3g}" + (" points²" if unit else "")
    if len(x) > 1:
        note += f"\nKendall τ {kendalltau(x, y).statistic:.3f}"
    axes.text(0.04, 0.96, note, transform=axes.transAxes, va="top", color=_INK, fontsize=9)
    axes.set_title(f"{name}: {len(x):,}", fontsize=10, color=_INK)


def _line_with_band(
    axes: Axes,
    k: int,
    x: NDArray[Any],
    middle: NDArray[np.float64],
    low: NDArray[np.float64],
    high: NDArray[np.float64],
    name: str,
) -> None:
    colour = LINE_COLOURS[k % len(LINE_COLOURS)]
    axes.fill_between(x, low, high, color=colour, alpha=0.16, linewidth=0)
    axes.plot(
        x,
        middle,
        linestyle=_LINE_STYLES[(k // len(LINE_COLOURS)) % len(_LINE_STYLES)],
        color=colour,
        linewidth=1.8,
        marker="o",
        markersize=4,
        label=name,
    )


def _dots(
    axes: Axes, x: NDArray[np.float64], y: NDArray[np.float64], colour: str, name: str
) -> None:
    alpha = float(np.clip(400 / max(len(x), 1), 0.08, 0.7))
    axes.plot(x, y, ".", color=colour, alpha=alpha, markersize=4, rasterized=True, label=name)


def _dress(axes: Axes, x_name: str, y_name: str) -> None:
    axes.set_xlabel(x_name, color=_INK, parse_math=False)
    axes.set_ylabel(y_name, color=_INK, parse_math=False)
    axes.grid(color=_GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_INK, labelsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_MUTED)


def _legend(axes: Axes, entries: int, note: str | None) -> None:
    if entries:
        legend = axes.legend(frameon=False, fontsize=9, title=note, title_fontsize=8)
        for line in legend.get_lines():
            line.set_alpha(1.0)
        for text in legend.get_texts():
            text.set_parse_math(False)


def _title(figure: Figure, title: str | None) -> None:
    if title:
        figure.suptitle(title, fontsize=12, color=_INK, parse_math=False)


def _figure(width: float, height: float, path: str | os.PathLike[str]) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    check_format(path)  # before the work, not after it
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(w_pad=0.1, h_pad=0.1)  # type: ignore[call-arg]
    return figure


def _save(figure: Figure, path: str | os.PathLike[str]) -> None:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=check_format(path), dpi=150)


def _pairs(first: ArrayLike, second: ArrayLike) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = np.asarray(first, dtype=np.float64), np.asarray(second, dtype=np.float64)
    known = _known(x, y)
    return x[known], y[known]


def _known(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
    if x.shape != y.shape or x.ndim != 1:
        raise SettingsError(f"a figure needs two lists of one length, got {x.shape} and {y.shape}")
    known = np.isfinite(x) & np.isfinite(y)
    if not known.any():
        raise SettingsError("there is nothing to draw: no cell has both values")
    return np.asarray(known)


def _repeats(values: ArrayLike, sizes: int, name: str) -> NDArray[np.float64]:
    scores = np.asarray(values, dtype=np.float64)
    if scores.ndim != 2 or len(scores) != sizes or scores.size == 0:
        raise SettingsError(
            f"scores of {name!r} must be a table with {sizes} sizes as rows, got {scores.shape}"
        )
    return scores
