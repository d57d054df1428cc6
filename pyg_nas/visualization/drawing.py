"""A drawing of boxes, arrows and words, as SVG text or a matplotlib figure."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING

from pyg_nas.visualization.layout import Point

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.path import Path

FONT_SIZE = 12.0
_ARROW_LENGTH, _ARROW_HALF_WIDTH = 7.0, 3.2
_EDGE_WIDTH = 1.4
_INK = "#333333"

Command = tuple[str, tuple[Point, ...]]


@dataclass(frozen=True)
class Box:
    """A coloured box around its centre, with a label inside; colours are ``#RRGGBB``."""

    centre: Point
    width: float
    height: float
    fill: str
    label: str = ""
    ink: str = "#111111"


@dataclass(frozen=True)
class Words:
    """A line of text in the page's text colour; ``anchor`` is its left end at half its height."""

    anchor: Point
    text: str


@dataclass(frozen=True)
class Drawing:
    """A picture in pixels; y grows downwards.

    Args:
        title: Description in words.
        routes: Arrows, each as :class:`~pyg_nas.visualization.layout.Layout` describes.
    """

    width: float
    height: float
    title: str
    boxes: tuple[Box, ...]
    routes: tuple[list[Point], ...] = ()
    words: tuple[Words, ...] = ()


def svg(drawing: Drawing) -> str:
    """Return a self-contained ``<svg>`` element for an HTML page.

    Arrows and words have the page's text colour, so that the drawing suits light and dark pages.
    """
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {drawing.width:.0f} '
        f'{drawing.height:.0f}" width="{drawing.width:.0f}" height="{drawing.height:.0f}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="{FONT_SIZE:g}">',
        f"<title>{escape(drawing.title)}</title>",
    ]
    if drawing.routes:
        lines = "".join(_svg_path(_curve(route)) for route in drawing.routes)
        heads = "".join(_svg_path(_arrow_head(route[-1])) for route in drawing.routes)
        parts.append(
            f'<path d="{lines}" fill="none" stroke="currentColor" stroke-width="{_EDGE_WIDTH}"/>'
            f'<path d="{heads}" fill="currentColor"/>'
        )
    for box in drawing.boxes:
        x, y = box.centre
        parts.append(
            f'<rect x="{x - box.width / 2:.1f}" y="{y - box.height / 2:.1f}" '
            f'width="{box.width:.1f}" height="{box.height:g}" rx="{_radius(box):g}" '
            f'fill="{box.fill}"/>'
        )
        if box.label:
            parts.append(
                f'<text x="{x:.1f}" y="{y:.1f}" dy="0.36em" text-anchor="middle" '
                f'fill="{box.ink}">{escape(box.label)}</text>'
            )
    parts += [
        f'<text x="{x:.1f}" y="{y:.1f}" dy="0.36em" fill="currentColor">{escape(words.text)}</text>'
        for words in drawing.words
        for x, y in [words.anchor]
    ]
    return "".join([*parts, "</svg>"])


def figure(drawing: Drawing) -> Figure:
    """Return a matplotlib figure that has only the drawing, at 72 pixels per inch."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    made = Figure(figsize=(drawing.width / 72, drawing.height / 72))
    FigureCanvasAgg(made)
    axes = made.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, drawing.width)
    axes.set_ylim(drawing.height, 0)
    axes.axis("off")
    draw_on_axes(axes, drawing)
    return made


def draw_on_axes(axes: Axes, drawing: Drawing) -> None:
    """Draw on matplotlib axes whose unit is a pixel and whose y grows downwards."""
    from matplotlib.patches import FancyBboxPatch, PathPatch

    for route in drawing.routes:
        path = _matplotlib_path(_curve(route))
        axes.add_patch(PathPatch(path, facecolor="none", edgecolor=_INK))
        head = _matplotlib_path(_arrow_head(route[-1]))
        axes.add_patch(PathPatch(head, facecolor=_INK, edgecolor="none"))
    for box in drawing.boxes:
        x, y = box.centre
        axes.add_patch(
            FancyBboxPatch(
                (x - box.width / 2, y - box.height / 2),
                box.width,
                box.height,
                boxstyle=f"round,pad=0,rounding_size={_radius(box):g}",
                facecolor=box.fill,
                edgecolor="none",
            )
        )
        _text(axes, box.centre, box.label, box.ink, "center")
    for words in drawing.words:
        _text(axes, words.anchor, words.text, _INK, "left")


def _text(axes: Axes, anchor: Point, text: str, colour: str, align: str) -> None:
    axes.text(
        *anchor,
        text,
        ha=align,
        va="center_baseline",
        fontsize=FONT_SIZE - 1.5,
        color=colour,
        parse_math=False,  # dollar signs in names are not mathematics
    )


def _radius(box: Box) -> float:
    return min(6.0, box.height / 4, box.width / 4)


def _curve(route: list[Point]) -> list[Command]:
    """Return an edge up to its arrow head: alternating Bézier curves and vertical lines."""
    commands: list[Command] = [("M", (route[0],))]
    x_before, y_before = route[0]
    for k, (x, y) in enumerate(route[1:]):
        if k == len(route) - 2:
            y -= _ARROW_LENGTH - 1
        if k % 2:
            commands.append(("L", ((x, y),)))
        else:
            middle = (y_before + y) / 2
            commands.append(("C", ((x_before, middle), (x, middle), (x, y))))
        x_before, y_before = x, y
    return commands


def _arrow_head(tip: Point) -> list[Command]:
    x, y = tip
    top = y - _ARROW_LENGTH
    return [
        ("M", (tip,)),
        ("L", ((x - _ARROW_HALF_WIDTH, top),)),
        ("L", ((x + _ARROW_HALF_WIDTH, top),)),
        ("L", (tip,)),
    ]


def _svg_path(commands: list[Command]) -> str:
    return "".join(
        letter + " ".join(f"{x:.1f} {y:.1f}" for x, y in points) for letter, points in commands
    )


def _matplotlib_path(commands: list[Command]) -> Path:
    from matplotlib.path import Path

    codes = {"M": Path.MOVETO, "L": Path.LINETO, "C": Path.CURVE4}
    return Path(
        [point for _, points in commands for point in points],
        [codes[letter] for letter, points in commands for _ in points],
    )
