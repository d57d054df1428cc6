"""Kendall τ against the number of training cells, 24 to 8,000.

    python experiments/best_learning_curve.py [TABLE] [--draws 5]

Shares the runs of ``best_published.py``, whose sizes are on the curve too. The largest size is
evaluated on the 2,001 cells that it leaves. The paper's network, which trains for many minutes
on so many, ends at 4,236 cells.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from best_runs import REAL_SAMPLE, RESULTS, run_all, taus

from pyg_nas.visualization import learning_curve, save_figure

SIZES = (24, 50, 100, 172, 424, 1000, 2000, 4236, 8000)
CURVES = {
    "best": SIZES,
    "paper": SIZES[:8],
    "fast": SIZES,
    "random forest": SIZES,
    "boosted trees": SIZES,
    "parameter count": SIZES,
}
IMAGE = Path(__file__).parents[1] / "docs" / "images" / "learning_curve.svg"


def main(
    table: Annotated[Path, typer.Argument(help="The real sample.")] = REAL_SAMPLE,
    draws: Annotated[int, typer.Option(help="Draws of training cells.")] = 5,
) -> None:
    plan = [
        (name, size, d) for name, sizes in CURVES.items() for size in sizes for d in range(draws)
    ]
    plan.sort(key=lambda run: run[1])  # short runs first
    runs = run_all(RESULTS / "best_runs.json", table, plan)
    figure = learning_curve(SIZES, {name: curve(runs, name) for name in CURVES})
    save_figure(figure, IMAGE)


def curve(runs: list[dict[str, object]], method: str) -> np.ndarray:
    """Kendall τ by size and draw, ``[sizes, most draws]``, NaN where a size has fewer."""
    found = [taus(runs, method, size) for size in SIZES]
    filled = np.full((len(SIZES), max(map(len, found))), np.nan)
    for row, values in zip(filled, found, strict=True):
        row[: len(values)] = values
    return filled


if __name__ == "__main__":
    typer.run(main)
