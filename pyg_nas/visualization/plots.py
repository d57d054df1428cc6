"""Figures for papers and slides, by matplotlib: each function returns the figure.

Every function draws on a new figure with Agg, so that pyplot's state is not changed and no display
is needed. The colours are Okabe and Ito's, the density map is cividis: both suit colour-blind
readers. :func:`~pyg_nas.visualization.files.save_figure` writes SVG, PNG or PDF.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from textwrap import fill, wrap
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pyg_nas.io.text import printable
from pyg_nas.visualization.cells import OPERATION_COLOURS
from pyg_nas.visualization.charts import Axis, Boxes, Chart, Dots, Line, group_order
from pyg_nas.visualization.curve_charts import learning_curve_chart
from pyg_nas.visualization.prediction_charts import prediction_charts, residual_chart
from pyg_nas.visualization.search_charts import pareto_chart

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# By the numbers of charts.py: blue, vermilion, green, purple, orange, sky blue, black, grey.
COLOURS = (*(OPERATION_COLOURS[k] for k in (0, 5, 2, 3, 1, 4)), "#000000", "#8C8C8C")
_LINE_STYLES = ("-", "--", "-.", ":")
_INK, _GRID, _MUTED = "#222222", "#DDDDDD", "#8C8C8C"
_MOST_DOTS = 3_000  # more points would overlap: hexagons then show their density
_PANEL_WIDTH, _PANEL_HEIGHT = 4.8, 3.8
_BOX_SHARE = 0.7
_LETTERS_PER_INCH = 14
# One column of a two-column paper, in inches, and its usual small print.
_COLUMN_WIDTH, _COLUMN_HEIGHT, _LINE_HEIGHT = 3.3, 2.6, 0.15
_PAPER_POINTS, _PAPER_LINE = 8, 1.2
_BELOW_LABELS = 0.45  # inches from the axes to the end of the ticks' and the axis's labels
_LETTERS_PER_KEY = 6  # width of a line of the legend and of the space beside it


def scatter(
    measured: ArrayLike,
    predicted: ArrayLike,
    *,
    title: str | None = None,
    larger_is_better: bool = True,
    fractions: bool | None = None,
    note: str | None = None,
    name: str = "",
    thing: str = "cell",
) -> Figure:
    """Draw predicted against measured values, for all cells and for the best ones.

    The second panel shows the cells measured above 90 %, or the best decile if fewer than five are
    above 90 % or the values are not fractions. Each panel shows the number of cells, their MSE
    (squared points for fractions) and Kendall's tau. ``note`` is a text below the panels; for the
    other arguments and errors see :func:`.prediction_charts`.
    """
    charts = prediction_charts(measured, predicted, larger_is_better, fractions, name, thing)
    return draw_charts(charts, title=title, note=note)


def learning_curve(
    sizes: ArrayLike,
    scores: Mapping[str, ArrayLike],
    *,
    score_name: str = "Kendall τ",
    title: str | None = None,
) -> Figure:
    """Draw a score against the number of training cells, mean and one standard deviation.

    For arguments and errors see :func:`.learning_curve_chart`.
    """
    chart = learning_curve_chart(sizes, scores, score_name)
    return draw_charts([chart], title=title, note="Band: one standard deviation.", size=(6.4, 4.4))


def pareto(
    accuracy: ArrayLike,
    cost: ArrayLike,
    *,
    cost_name: str = "parameters",
    title: str | None = None,
) -> Figure:
    """Draw all cells and the Pareto front of accuracy and cost.

    For arguments and errors see :func:`.pareto_chart`.
    """
    return draw_charts([pareto_chart(accuracy, cost, cost_name)], title=title, size=(6.4, 4.4))


def residuals(
    measured: ArrayLike,
    predicted: ArrayLike,
    groups: Mapping[str, Sequence[Any] | NDArray[Any]],
    *,
    title: str | None = None,
) -> Figure:
    """Draw predicted minus measured by properties of the cells: median, quartiles, 5 to 95 %.

    ``groups`` has for each panel's name the group of every cell, ``[N]``, for example its depth.
    For the other arguments and errors see :func:`.residual_chart`.
    """
    charts = [
        residual_chart(measured, predicted, {name: group}, name) for name, group in groups.items()
    ]
    return draw_charts(charts, title=title)


def draw_charts(
    charts: Sequence[Chart],
    *,
    title: str | None = None,
    note: str | None = None,
    size: tuple[float, float] | None = None,
    columns: int | None = None,
) -> Figure:
    """Draw charts beside each other: up to three in one row, more in rows of two.

    Args:
        charts: The charts; a single chart has no title but ``title``.
        title: Title of all charts.
        note: Text below the charts.
        size: Width and height in inches.
        columns: Charts in one row.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = columns or (max(1, len(charts)) if len(charts) <= 3 else 2)
    rows = -(-len(charts) // columns) or 1
    height = _PANEL_WIDTH if any(chart.square for chart in charts) else _PANEL_HEIGHT
    figure = Figure(figsize=size or (columns * _PANEL_WIDTH, rows * height), layout="constrained")
    FigureCanvasAgg(figure)
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.set(w_pad=0.1, h_pad=0.1)  # type: ignore[call-arg]
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, chart in zip(panels, charts, strict=False):
        _draw(axes, chart)
        if len(charts) > 1:
            axes.set_title(printable(chart.title), fontsize=10, color=_INK, parse_math=False)
    for axes in panels[len(charts) :]:
        axes.axis("off")
    if title:
        figure.suptitle(printable(title), fontsize=12, color=_INK, parse_math=False)
    if note:
        lines = fill(printable(note), int(_LETTERS_PER_INCH * figure.get_figwidth()))
        figure.supxlabel(lines, fontsize=8, color=_INK, parse_math=False)
    return figure


def draw_for_paper(charts: Sequence[Chart], *, note: str | None = None) -> Figure:
    """Draw charts one below another, one column of a paper wide, all text in 8 points.

    Legends are below the axes: in them they would cover bands, which fill most of a small chart.

    Args:
        charts: The charts; each has its title.
        note: Text below the charts.
    """
    from matplotlib.text import Text

    letters = int(_LETTERS_PER_INCH * _COLUMN_WIDTH)
    note_lines = len(wrap(printable(note), letters)) if note else 0
    columns = [_legend_columns(chart) for chart in charts]
    legend_lines = sum(
        -(-len(_legend_names(chart)) // count) for chart, count in zip(charts, columns, strict=True)
    )
    height = len(charts) * _COLUMN_HEIGHT + (note_lines + legend_lines) * _LINE_HEIGHT
    figure = draw_charts(charts, note=note, size=(_COLUMN_WIDTH, height), columns=1)
    for axes, chart, count in zip(figure.axes, charts, columns, strict=True):
        axes.set_title(printable(chart.title), color=_INK, parse_math=False)
        if chart.legend:
            _put_legend_below(axes, count)
        for line in axes.get_lines():
            line.set_linewidth(min(line.get_linewidth(), _PAPER_LINE))
        axes.tick_params(labelsize=_PAPER_POINTS)
    for text in figure.findobj(Text):
        text.set_fontsize(_PAPER_POINTS)
    return figure


def _legend_names(chart: Chart) -> list[str]:
    """Return what the legend names, nothing without one."""
    shown = (mark for mark in chart.marks if not isinstance(mark, Line) or mark.legend)
    return [printable(mark.name) for mark in shown] if chart.legend else []


def _legend_columns(chart: Chart) -> int:
    """Return how many names of the legend fit side by side into a column of a paper."""
    names = _legend_names(chart)
    longest = max(map(len, names), default=0) + _LETTERS_PER_KEY
    return max(1, min(len(names), int(_LETTERS_PER_INCH * _COLUMN_WIDTH) // longest))


def _put_legend_below(axes: Axes, columns: int) -> None:
    from matplotlib.transforms import ScaledTranslation

    inches = axes.figure.dpi_scale_trans
    legend = axes.legend(
        loc="upper center",
        bbox_to_anchor=(0.5, 0.0),
        bbox_transform=axes.transAxes + ScaledTranslation(0.0, -_BELOW_LABELS, inches),
        ncols=columns,
        frameon=False,
        borderaxespad=0.0,
        borderpad=0.0,
        labelspacing=0.3,
        columnspacing=1.2,
    )
    for text in legend.get_texts():
        text.set_parse_math(False)


def _draw(axes: Axes, chart: Chart) -> None:
    boxes = [mark for mark in chart.marks if isinstance(mark, Boxes)]
    if boxes:
        _draw_boxes(axes, boxes)
    for mark in chart.marks:
        if isinstance(mark, Dots):
            _draw_dots(axes, mark, chart)
        elif isinstance(mark, Line):
            _draw_line(axes, mark)
    _dress(axes, chart)
    if chart.results:
        axes.text(
            0.04,
            0.96,
            "\n".join(chart.results),
            transform=axes.transAxes,
            va="top",
            color=_INK,
            fontsize=9,
            parse_math=False,
        )
    if chart.legend:
        legend = axes.legend(frameon=False, fontsize=9)
        for line in legend.get_lines():
            line.set_alpha(1.0)
        for text in legend.get_texts():
            text.set_parse_math(False)


def _draw_dots(axes: Axes, dots: Dots, chart: Chart) -> None:
    colour = COLOURS[dots.colour]
    if dots.joined:
        axes.step(
            dots.x,
            dots.y,
            where="post",
            color=colour,
            linewidth=1.8,
            marker="o",
            markersize=4,
            label=printable(dots.name),
        )
    elif dots.crowd and len(dots.x) > _MOST_DOTS:
        _draw_density(axes, dots, chart)
    else:
        alpha = float(np.clip(400 / max(len(dots.x), 1), 0.08, 0.7))
        axes.plot(
            dots.x,
            dots.y,
            ".",
            color=colour,
            alpha=alpha,
            markersize=4,
            zorder=2,
            rasterized=len(dots.x) > _MOST_DOTS,
            label=printable(dots.name),
        )


def _draw_density(axes: Axes, dots: Dots, chart: Chart) -> None:
    x, y = chart.x.limits, chart.y.limits
    hexagons = axes.hexbin(
        dots.x,
        dots.y,
        gridsize=70,
        bins="log",
        mincnt=1,
        cmap="cividis_r",
        extent=None if x is None or y is None else (*x, *y),
        linewidths=0.2,
        zorder=2,
    )
    bar = axes.figure.colorbar(hexagons, ax=axes, fraction=0.046, pad=0.02)
    bar.set_label(dots.name, color=_INK)
    bar.outline.set_visible(False)


def _draw_line(axes: Axes, line: Line) -> None:
    colour = COLOURS[line.colour]
    if line.band is not None:
        axes.fill_between(line.x, *line.band, color=colour, alpha=0.16, linewidth=0)
    axes.plot(
        line.x,
        line.y,
        linestyle=_LINE_STYLES[line.dashes],
        color=colour,
        linewidth=1.8 if line.legend else 1.0,
        marker="o" if line.markers else None,
        markersize=4,
        drawstyle="steps-post" if line.steps else "default",
        label=printable(line.name) if line.legend else "_",
        zorder=2 if line.legend else 1,
    )


def _draw_boxes(axes: Axes, series: list[Boxes]) -> None:
    """Draw groups beside each other, with a box of every series that has the group."""
    counts: dict[str, int] = {}
    for boxes in series:
        for group, count in zip(boxes.groups, boxes.counts, strict=True):
            counts[group] = counts.get(group, 0) + count
    places = {group: k for k, group in enumerate(group_order(series))}
    width = _BOX_SHARE / len(series)
    for k, boxes in enumerate(series):
        axes.bxp(
            [
                {"whislo": low, "q1": q1, "med": median, "q3": q3, "whishi": high}
                for low, q1, median, q3, high in boxes.quantiles.tolist()
            ],
            positions=[
                places[group] + (k - (len(series) - 1) / 2) * width for group in boxes.groups
            ],
            widths=0.85 * width,
            showfliers=False,
            patch_artist=True,
            boxprops={"facecolor": COLOURS[boxes.colour], "edgecolor": _INK, "linewidth": 0.8},
            medianprops={"color": _INK, "linewidth": 1.6},
            manage_ticks=False,
        )
        axes.plot([], [], "s", color=COLOURS[boxes.colour], label=printable(boxes.name))
    alone = len(series) == 1
    axes.set_xticks(
        list(places.values()),
        [f"{group}\n{counts[group]:,}" if alone else group for group in places],
        parse_math=False,
    )
    axes.axhline(0.0, color=_MUTED, linewidth=1)


def _dress(axes: Axes, chart: Chart) -> None:
    boxes = [mark for mark in chart.marks if isinstance(mark, Boxes)]
    x_label = f"{chart.x.label} (cells below)" if len(boxes) == 1 else chart.x.label
    axes.set_xlabel(printable(x_label), color=_INK, parse_math=False)
    axes.set_ylabel(printable(chart.y.label), color=_INK, parse_math=False)
    for axis, name in ((chart.x, "x"), (chart.y, "y")):
        _scale(axes, axis, name)
    if chart.square:
        axes.set_aspect("equal")
    axes.grid(color=_GRID, linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(colors=_INK, labelsize=9)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(_MUTED)


def _scale(axes: Axes, axis: Axis, name: str) -> None:
    from matplotlib.ticker import EngFormatter, FuncFormatter, LogLocator, NullFormatter

    drawn = getattr(axes, f"{name}axis")
    if axis.log:
        getattr(axes, f"set_{name}scale")("log")
        drawn.set_minor_formatter(NullFormatter())
        if axis.ticks is None:
            drawn.set_major_locator(LogLocator(subs=(1, 2, 5)))
            prefixed = EngFormatter(sep="")  # 20k and 5M, but 0.5 and not 500m
            drawn.set_major_formatter(
                FuncFormatter(lambda value, _: f"{value:g}" if value < 1 else prefixed(value))
            )
    if axis.ticks is not None:
        drawn.set_ticks(list(axis.ticks), axis.tick_labels, parse_math=False)
        drawn.set_ticks([], minor=True)
    if axis.limits is not None:
        getattr(axes, f"set_{name}lim")(axis.limits)
    if axis.from_zero:
        getattr(axes, f"set_{name}lim")(**{"bottom" if name == "y" else "left": 0})
