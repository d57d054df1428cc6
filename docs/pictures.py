"""Draws the documentation's pictures.

python docs/pictures.py
python docs/pictures.py --table nasbench101.hdf5   # also the picture of a report
"""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from pyg_nas.graphs.cell import Cell
from pyg_nas.io.files import atomic_path
from pyg_nas.visualization.cells import cell_drawing, text_colour
from pyg_nas.visualization.drawing import draw_on_axes
from pyg_nas.visualization.files import save_figure

IMAGES = Path(__file__).parent / "images"
INK, SOFT, LINE = "#1b1f24", "#59636e", "#c4ccd4"

EXAMPLE = Cell(
    [
        [0, 1, 1, 0, 0, 1],
        [0, 0, 0, 1, 0, 0],
        [0, 0, 0, 1, 0, 0],
        [0, 0, 0, 0, 1, 0],
        [0, 0, 0, 0, 0, 1],
        [0, 0, 0, 0, 0, 0],
    ],
    ["input", "conv1x1-bn-relu", "maxpool3x3", "conv3x3-bn-relu", "conv3x3-bn-relu", "output"],
)


def canvas(width: float, height: float) -> tuple[Figure, Any]:
    """Return a figure in pixels, y downwards."""
    figure = Figure(figsize=(width / 72, height / 72))
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_xlim(0, width)
    axes.set_ylim(height, 0)
    axes.axis("off")
    return figure, axes


def box(axes: Any, x: float, y: float, width: float, height: float, colour: str) -> None:
    """Draw a rounded box round its centre."""
    axes.add_patch(
        FancyBboxPatch(
            (x - width / 2, y - height / 2),
            width,
            height,
            boxstyle="round,pad=0,rounding_size=8",
            facecolor=colour,
            edgecolor="none",
        )
    )


def arrow(axes: Any, start: tuple[float, float], end: tuple[float, float], bend: float = 0) -> None:
    """Draw an arrow."""
    axes.add_patch(
        FancyArrowPatch(
            start,
            end,
            arrowstyle="-|>",
            mutation_scale=13,
            color=INK,
            linewidth=1.5,
            connectionstyle=f"arc3,rad={bend}",
            shrinkA=0,
            shrinkB=0,
        )
    )


def loop() -> None:
    """The loop that the whole package serves."""
    figure, axes = canvas(760, 205)
    steps = [
        ("cells", "a few of 423,624", "#D9D9D9"),
        ("table", "measured accuracies", "#E69F00"),
        ("predictor", "graph network", "#0072B2"),
        ("all cells scored", "in seconds", "#56B4E9"),
        ("answer", "the best, trained", "#009E73"),
    ]
    width, gap = 120, 35
    centres = [15 + width / 2 + i * (width + gap) for i in range(len(steps))]
    for x, (name, below, colour) in zip(centres, steps, strict=True):
        box(axes, x, 92, width, 62, colour)
        ink = text_colour(colour)
        axes.text(x, 83, name, ha="center", va="center", color=ink, fontsize=12, weight="bold")
        axes.text(x, 103, below, ha="center", va="center", color=ink, fontsize=9)
    half = width / 2
    for i, verb in enumerate(("train", "fit", "predict", "select")):
        arrow(axes, (centres[i] + half + 3, 92), (centres[i + 1] - half - 3, 92))
        axes.text((centres[i] + centres[i + 1]) / 2, 48, verb, ha="center", color=SOFT, fontsize=10)
    arrow(axes, (centres[3], 127), (centres[1], 127), bend=-0.28)
    axes.text(centres[2], 190, "next round: train the most promising ones, fit again",
              ha="center", color=SOFT, fontsize=10)  # fmt: skip
    save_figure(figure, IMAGES / "loop.svg")


def encoding() -> None:
    """A cell, its adjacency matrix and its one-hot operations."""
    drawing = cell_drawing(EXAMPLE)
    size, top = 26, 74
    left = 60 + drawing.width
    figure, axes = canvas(left + 2 * 6 * size + 110, max(drawing.height, top + 6 * size) + 20)
    numbered = [replace(box, label=f"{v}: {box.label}") for v, box in enumerate(drawing.boxes)]
    draw_on_axes(axes, replace(drawing, boxes=tuple(numbered)))
    matrix(axes, left, top, size, EXAMPLE.adjacency, "adjacency: edges u → v", None)
    one_hot = EXAMPLE.to_data().x.numpy().astype(int)
    names = ["out", "in", "3×3", "1×1", "pool"]
    matrix(axes, left + 6 * size + 50, top, size, one_hot, "operations, one-hot", names)
    save_figure(figure, IMAGES / "encoding.svg")


def matrix(
    axes: Any, left: float, top: float, size: float, values: Any, title: str, names: Any
) -> None:
    """Draw a 0/1 matrix with its rows numbered."""
    rows, columns = values.shape
    axes.text(left + columns * size / 2, top - 40, title, ha="center", color=INK, fontsize=11)
    for column in range(columns):
        name = str(column) if names is None else names[column]
        axes.text(left + (column + 0.5) * size, top - 8, name, ha="center", color=SOFT, fontsize=8)
    for row in range(rows):
        axes.text(left - 9, top + (row + 0.5) * size, str(row), ha="center", va="center",
                  color=SOFT, fontsize=8)  # fmt: skip
        for column in range(columns):
            one = bool(values[row, column])
            axes.add_patch(
                FancyBboxPatch(
                    (left + column * size + 1.5, top + row * size + 1.5), size - 3, size - 3,
                    boxstyle="round,pad=0,rounding_size=3",
                    facecolor="#0072B2" if one else "#EEF1F4", edgecolor="none",
                )
            )  # fmt: skip
            axes.text(left + (column + 0.5) * size, top + (row + 0.5) * size, str(int(one)),
                      ha="center", va="center", fontsize=9,
                      color="white" if one else SOFT)  # fmt: skip


def directions() -> None:
    """What one vertex receives in each direction of a convolution."""
    figure, axes = canvas(720, 250)
    panels = (
        (150, "from its successors", ("b", "c"), True),
        (430, "from its predecessors", ("a",), False),
    )
    places = {"a": (0, 70), "v": (0, 130), "b": (-50, 195), "c": (50, 195)}
    for left, title, sources, outward in panels:
        axes.text(left, 28, title, ha="center", color=INK, fontsize=12)
        for one, other in (("a", "v"), ("v", "b"), ("v", "c")):
            (x1, y1), (x2, y2) = places[one], places[other]
            axes.plot([left + x1, left + x2], [y1, y2], color=LINE, linewidth=3, zorder=0)
        for name, (x, y) in places.items():
            used = name in sources or name == "v"
            colour = "#D55E00" if name == "v" else ("#0072B2" if outward else "#009E73")
            box(axes, left + x, y, 36, 30, colour if used else "#D9D9D9")
            axes.text(left + x, y, name, ha="center", va="center", fontsize=12,
                      color="white" if used else SOFT)  # fmt: skip
        for source in sources:
            x, y = places[source]
            start = (left + x + 24 * np.sign(x or 1), y - 14 if outward else y + 14)
            arrow(
                axes,
                start,
                (left + 22 * np.sign(x or 1), 138 if outward else 118),
                0.35 * np.sign(x or -1),
            )
        weight = "+" if outward else "−"
        axes.text(left, 238, f"½ ReLU(mean · W{weight})", ha="center", color=SOFT, fontsize=11)
    axes.text(290, 132, "+", ha="center", va="center", color=INK, fontsize=22)
    axes.text(570, 132, "=", ha="center", va="center", color=INK, fontsize=22)
    box(axes, 640, 130, 60, 36, "#D55E00")
    axes.text(640, 130, "new v", ha="center", va="center", color="white", fontsize=12)
    save_figure(figure, IMAGES / "directions.svg")


def report_picture(table: Path) -> None:
    """A report on the paper's recipe in a browser; needs Playwright and Chromium."""
    from playwright.sync_api import sync_playwright

    from pyg_nas.data.protocols.protocol import Protocol
    from pyg_nas.data.tables.sources import open_table
    from pyg_nas.predictors import TrainedPredictor
    from pyg_nas.report import write_report

    opened = open_table(table)
    # The default recipe was made on half of the sample; the paper's saw none of it.
    model = TrainedPredictor.train(opened, Protocol("172", label=opened.default_label), "paper")
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        model.save(Path(folder) / "paper-172")
        write_report(Path(folder) / "paper-172", table, Path(folder) / "report.html")
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        page = browser.new_page(viewport={"width": 1180, "height": 812})
        page.goto((Path(folder) / "report.html").as_uri())
        page.wait_for_selector("html[data-ready=true]")
        point = page.locator("#figure-1 .points path").nth(40).bounding_box()
        page.mouse.move(point["x"] + 2, point["y"] + 2)
        page.wait_for_selector("#tip:not([hidden]) svg")
        with atomic_path(IMAGES / "report.png") as temporary:
            page.screenshot(path=temporary, type="png")
        browser.close()


def main(
    table: Annotated[Path | None, typer.Option(help="Table for the picture of a report.")] = None,
) -> None:
    """Draw all pictures into docs/images."""
    loop()
    encoding()
    directions()
    EXAMPLE.draw(IMAGES / "cell.svg")
    if table is not None:
        report_picture(table)


if __name__ == "__main__":
    typer.run(main)
