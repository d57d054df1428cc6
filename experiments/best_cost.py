"""What fitting at 172 cells and scoring the whole space cost, on an otherwise idle machine.

    python experiments/best_cost.py [TABLE] [--threads 2]

Each recipe is fitted and scored three times, in turns; the medians count. The first scoring after
an installation also computes what the shipped data say of all cells; its time stands beside them.
"""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import torch
import typer
from best_runs import METHODS, REAL_SAMPLE, RESULTS, report_half

from pyg_nas.enumeration import nasbench101_cells
from pyg_nas.files import write_text
from pyg_nas.labels import PAPER_LABEL
from pyg_nas.table import Table

RECIPES = ("best", "fast", "paper")


def main(
    table: Annotated[Path, typer.Argument(help="The real sample.")] = REAL_SAMPLE,
    threads: Annotated[int, typer.Option(help="Of torch.")] = os.cpu_count() or 1,
    repeats: Annotated[int, typer.Option(help="Turns.")] = 3,
) -> None:
    with TemporaryDirectory() as cache:
        os.environ["PYG_NAS_CACHE"] = cache
        result = seconds(table, threads, repeats)
    write_text(RESULTS / "best_cost.json", json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def seconds(table: Path, threads: int, repeats: int) -> dict[str, Any]:
    torch.set_num_threads(threads)
    loaded = Table.load(table)
    train = report_half(loaded)[:172]
    labels = loaded.label(PAPER_LABEL)[train]
    space = nasbench101_cells()
    model = METHODS["fast"](0).fit(loaded.cells[train], labels)
    start = time.perf_counter()
    model.predict(space)
    first = time.perf_counter() - start
    fits: dict[str, list[float]] = {recipe: [] for recipe in RECIPES}
    scorings: dict[str, list[float]] = {recipe: [] for recipe in RECIPES}
    for _ in range(repeats):
        for recipe in RECIPES:
            start = time.perf_counter()
            model = METHODS[recipe](0).fit(loaded.cells[train], labels)
            fitted = time.perf_counter()
            model.predict(space)
            fits[recipe].append(fitted - start)
            scorings[recipe].append(time.perf_counter() - fitted)
    return {
        "train": len(train),
        "scored": len(space),
        "threads": threads,
        "repeats": repeats,
        "first_scoring_seconds": first,
        "recipes": {
            recipe: {"fit": median(fits[recipe]), "score": median(scorings[recipe])}
            for recipe in RECIPES
        },
    }


if __name__ == "__main__":
    typer.run(main)
