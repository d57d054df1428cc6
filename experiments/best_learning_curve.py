"""Kendall τ against the number of training cells, 24 to 8,000.

python experiments/best_learning_curve.py [TABLE] [--draws 5] [--methods fast,best] [--sizes 24,172]

Shares the runs of ``best_published.py``; the plot shows what the file holds.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from best_runs import REAL_SAMPLE, RESULTS, run_all

from pyg_nas.plots import learning_curve

SIZES = (24, 50, 100, 172, 424, 1000, 2000, 4236, 8000)
IMAGE = Path(__file__).parents[1] / "docs" / "images" / "learning_curve.svg"


def main(
    table: Annotated[Path, typer.Argument(help="The real sample.")] = REAL_SAMPLE,
    draws: Annotated[int, typer.Option(help="Draws of training cells.")] = 5,
    methods: Annotated[str, typer.Option(help="Comma-joined, see best_runs.")] = (
        "fast,parameter count,boosted trees,random forest,best"
    ),
    sizes: Annotated[str, typer.Option(help="Comma-joined training sizes.")] = ",".join(
        map(str, SIZES)
    ),
) -> None:
    chosen = [int(size) for size in sizes.split(",")]
    names = methods.split(",")
    plan = [(name, size, d) for name in names for size in chosen for d in range(draws)]
    runs = run_all(RESULTS / "best_runs.json", table, plan)
    scores = {
        name: np.array(
            [
                [r["kendall_tau"] for r in runs if (r["method"], r["train"]) == (name, size)]
                for size in chosen
            ]
        )
        for name in names
    }
    learning_curve(chosen, scores, IMAGE)


if __name__ == "__main__":
    typer.run(main)
