"""What fitting at 172 cells and scoring the whole space cost, on an otherwise idle machine.

    python experiments/best_cost.py [TABLE] [--threads 2]

Each recipe is fitted and scored three times, in turn; the medians count. The first scoring after
an installation also computes what later ones read from the cache: it is measured once, in a new
process with an empty cache folder.
"""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Annotated, Any

import numpy as np
import torch
import typer
from best_runs import METHODS, REAL_SAMPLE, RESULTS, report_half
from numpy.typing import NDArray

from pyg_nas.data.protocols.labels import PAPER_LABEL
from pyg_nas.data.tables.table import Table
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.io.files import write_text
from pyg_nas.spaces.nasbench101 import NUM_NASBENCH101_CELLS, nasbench101_cells

RECIPES = ("best", "fast", "paper")
TRAIN = 172


def main(
    table: Annotated[Path, typer.Argument(help="The real sample.")] = REAL_SAMPLE,
    threads: Annotated[int, typer.Option(help="Of torch.")] = os.cpu_count() or 1,
    repeats: Annotated[int, typer.Option(help="Turns.")] = 3,
) -> None:
    result: dict[str, Any] = {
        "train": TRAIN,
        "scored": NUM_NASBENCH101_CELLS,
        "threads": threads,
        "repeats": repeats,
        "recipes": seconds(table, threads, repeats),
    }
    for recipe in RECIPES:
        with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
            first = fresh.submit(first_scoring, recipe, table, threads).result()
        result["recipes"][recipe]["first_score"] = first
    write_text(RESULTS / "best_cost.json", json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def seconds(table: Path, threads: int, repeats: int) -> dict[str, dict[str, float]]:
    """Medians of fitting and of scoring, by recipe."""
    torch.set_num_threads(threads)
    cells, labels = training_cells(table)
    space = nasbench101_cells()
    fits: dict[str, list[float]] = {recipe: [] for recipe in RECIPES}
    scorings: dict[str, list[float]] = {recipe: [] for recipe in RECIPES}
    for turn in range(1 + repeats):
        for recipe in RECIPES:
            start = time.perf_counter()
            model = METHODS[recipe](0).fit(cells, labels)
            fitted = time.perf_counter()
            model.predict(space)
            # The first turn fills caches.
            if turn:
                fits[recipe].append(fitted - start)
                scorings[recipe].append(time.perf_counter() - fitted)
    return {r: {"fit": median(fits[r]), "score": median(scorings[r])} for r in RECIPES}


def first_scoring(recipe: str, table: Path, threads: int) -> float:
    """Seconds of a process' first scoring where nothing but the cells is in the cache folder."""
    torch.set_num_threads(threads)
    with TemporaryDirectory() as cache:
        os.environ["PYG_NAS_CACHE"] = cache
        space = nasbench101_cells()
        model = METHODS[recipe](0).fit(*training_cells(table))
        start = time.perf_counter()
        model.predict(space)
        return time.perf_counter() - start


def training_cells(table: Path) -> tuple[CellArray, NDArray[np.float64]]:
    loaded = Table.load(table)
    train = report_half(loaded)[:TRAIN]
    return loaded.cells[train], loaded.label(PAPER_LABEL)[train]


if __name__ == "__main__":
    typer.run(main)
