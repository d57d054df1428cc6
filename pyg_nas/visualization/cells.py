"""Pictures of cells: files through matplotlib, and small SVG texts for HTML pages."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from pyg_nas.errors import SettingsError
from pyg_nas.io.files import atomic_path
from pyg_nas.visualization.layout import BOX_HEIGHT, Layout, Point, layered_layout

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from pyg_nas.graphs.cell import Cell
    from pyg_nas.graphs.search_space import SearchSpace

FORMATS = ("svg", "png", "pdf")

# Okabe and Ito's colours, told apart with every common form of colour blindness; the label in
# the box says the same in words.
OPERATION_COLOURS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#CC79A7",
    "#56B4E9",
    "#D55E00",
    "#F0E442",
    "#8C8C8C",
)
TERMINAL_COLOUR = "#D9D9D9"

_SHORT_NAMES = {
    "conv3x3-bn-relu": "conv 3×3",
    "conv1x1-bn-relu": "conv 1×1",
    "maxpool3x3": "max pool 3×3",
}
_LONGEST_LABEL = 24
_FONT_SIZE = 12.0
_ARROW_LENGTH, _ARROW_HALF_WIDTH = 7.0, 3.2


def operation_label(name: str) -> str:
    """Return what a box says: a short form of NAS-Bench-101's names, others cut to 24 letters."""
    label = _SHORT_NAMES.get(name, name)
    return label if len(label) <= _LONGEST_LABEL else label[: _LONGEST_LABEL - 1] + "…"


def operation_colour(operation_id: int) -> str:
    """Return the box colour of an operation id as ``#RRGGBB``; colours repeat after eight."""
    if operation_id < 0:
        return TERMINAL_COLOUR
    return OPERATION_COLOURS[operation_id % len(OPERATION_COLOURS)]


def text_colour(background: str) -> str:
    """Return black or white, whichever contrasts more with ``#RRGGBB`` (WCAG 2 luminance)."""
    red, green, blue = (
        channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4
        for channel in (int(background[i : i + 2], 16) / 255 for i in (1, 3, 5))
    )
    luminance = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    return "#111111" if (luminance + 0.05) ** 2 > 1.05 * 0.05 else "#FFFFFF"


def box_width(space: SearchSpace, names: tuple[str, ...] | None = None) -> float:
    """Return the width in pixels that fits the longest label of a space, or of ``names``."""
    longest = max(len(operation_label(name)) for name in names or space.vocabulary)
    return max(64.0, 18.0 + 0.6 * _FONT_SIZE * longest)


def layout_of(cell: Cell) -> Layout:
    """Return the geometry in which a cell is drawn."""
    return layered_layout(cell.adjacency, box_width(cell.space, cell.operations))


def cell_svg(cell: Cell) -> str:
    """Return a self-contained ``<svg>`` element for an HTML page.

    Arrows take the page's text colour, so the drawing suits light and dark pages.
    """
    layout = layout_of(cell)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {layout.width:.0f} '
        f'{layout.height:.0f}" width="{layout.width:.0f}" height="{layout.height:.0f}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="{_FONT_SIZE:g}">',
        f"<title>{escape(repr(cell))}</title>",
    ]
    for route in layout.routes.values():
        parts.append(
            f'<path d="{edge_path(route)}" fill="none" stroke="currentColor" stroke-width="1.4"/>'
            f'<path d="{arrow_path(route[-1])}" fill="currentColor"/>'
        )
    labelled = zip(layout.centres, cell.operations, cell.operation_ids.tolist(), strict=True)
    for (x, y), name, operation_id in labelled:
        colour = operation_colour(operation_id)
        parts.append(
            f'<rect x="{x - layout.box_width / 2:.1f}" y="{y - BOX_HEIGHT / 2:.1f}" '
            f'width="{layout.box_width:.1f}" height="{BOX_HEIGHT:g}" rx="6" fill="{colour}"/>'
            f'<text x="{x:.1f}" y="{y:.1f}" dy="0.36em" text-anchor="middle" '
            f'fill="{text_colour(colour)}">{escape(operation_label(name))}</text>'
        )
    return "".join([*parts, "</svg>"])


def edge_path(route: list[Point]) -> str:
    """Return an edge's curve in SVG path syntax, up to the foot of its arrow head."""
    (x, y), *rest = route
    commands = [f"M{x:.1f} {y:.1f}"]
    for k, (x_next, y_next) in enumerate(rest):
        if k == len(rest) - 1:
            y_next -= _ARROW_LENGTH - 1
        if k % 2:
            commands.append(f"V{y_next:.1f}")
        else:
            middle = (y + y_next) / 2
            commands.append(f"C{x:.1f} {middle:.1f} {x_next:.1f} {middle:.1f} ")
            commands[-1] += f"{x_next:.1f} {y_next:.1f}"
        x, y = x_next, y_next
    return "".join(commands)


def arrow_path(tip: Point) -> str:
    """Return the arrow head that points down to ``tip`` in SVG path syntax."""
    x, y = tip
    return f"M{x:.1f} {y:.1f}l{-_ARROW_HALF_WIDTH:g} {-_ARROW_LENGTH:g}h{2 * _ARROW_HALF_WIDTH:g}z"


def draw_cell(cell: Cell, path: str | os.PathLike[str]) -> None:
    """Draw a cell into a file: boxes with operation names, arrows from top to bottom.

    Args:
        cell: The cell, of any space.
        path: The picture; its ending chooses SVG, PNG (200 dpi) or PDF.

    Raises:
        SettingsError: If the ending is none of these.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    picture_format = check_format(path)
    layout = layout_of(cell)
    figure = Figure(figsize=(layout.width / 72, layout.height / 72))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, layout.width)
    axes.set_ylim(layout.height, 0)
    axes.axis("off")
    draw_on_axes(axes, cell, layout, [operation_label(name) for name in cell.operations])
    with atomic_path(path) as temporary:
        figure.savefig(temporary, format=picture_format, dpi=200)


def draw_on_axes(axes: Axes, cell: Cell, layout: Layout, labels: list[str]) -> None:
    """Draw a cell on axes whose unit is a pixel and whose y grows downwards.

    Args:
        axes: Matplotlib axes.
        cell: The cell.
        layout: Its geometry.
        labels: What each vertex's box says.
    """
    from matplotlib.patches import FancyBboxPatch, PathPatch
    from matplotlib.path import Path as Curve

    for route in layout.routes.values():
        points, codes = [route[0]], [Curve.MOVETO]
        for k, (x, y) in enumerate(route[1:]):
            x_before, y_before = points[-1]
            if k == len(route) - 2:
                y -= _ARROW_LENGTH - 1
            if k % 2:
                points.append((x, y))
                codes.append(Curve.LINETO)
            else:
                middle = (y_before + y) / 2
                points += [(x_before, middle), (x, middle), (x, y)]
                codes += [Curve.CURVE4] * 3
        axes.add_patch(PathPatch(Curve(points, codes), facecolor="none", edgecolor="#333333"))
        x, y = route[-1]
        head = [(x, y), (x - _ARROW_HALF_WIDTH, y - _ARROW_LENGTH)]
        head += [(x + _ARROW_HALF_WIDTH, y - _ARROW_LENGTH), (x, y)]
        axes.add_patch(PathPatch(Curve(head), facecolor="#333333", edgecolor="none"))
    for (x, y), label, operation_id in zip(
        layout.centres, labels, cell.operation_ids.tolist(), strict=True
    ):
        colour = operation_colour(operation_id)
        axes.add_patch(
            FancyBboxPatch(
                (x - layout.box_width / 2, y - BOX_HEIGHT / 2),
                layout.box_width,
                BOX_HEIGHT,
                boxstyle="round,pad=0,rounding_size=6",
                facecolor=colour,
                edgecolor="none",
            )
        )
        axes.text(
            x,
            y,
            label,
            ha="center",
            va="center_baseline",
            fontsize=_FONT_SIZE - 1.5,
            color=text_colour(colour),
            parse_math=False,  # a name with dollar signs is a name
        )


def check_format(path: str | os.PathLike[str]) -> str:
    """Return the picture format that a file's ending asks for.

    Raises:
        SettingsError: If it is not one of :data:`FORMATS`.
    """
    ending = Path(path).suffix.lower().lstrip(".")
    if ending not in FORMATS:
        raise SettingsError(f"picture {Path(path).name!r} must end in {', '.join(FORMATS)}")
    return ending
