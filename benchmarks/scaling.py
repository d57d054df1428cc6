"""How scoring and training grow with cells, width, depth and ensemble size: measured exponents."""

from __future__ import annotations

import argparse
import os
from functools import partial
from typing import Any

import numpy as np
import torch

from benchmarks.measurement import IMAGES, clock, interleaved, parsed, show, write_result
from pyg_nas.engine.score import score
from pyg_nas.engine.shared_terms import refine
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.nn.gcn import GCN
from pyg_nas.predictors.gnn.gcn import GCNRegressor
from pyg_nas.spaces.nasbench101 import nasbench101_cells

Settings = dict[str, int]

CENTRE: Settings = {"cells": 4_096, "width": 144, "depth": 3, "members": 1}
SCORING = {
    "cells": [1_024, 4_096, 16_384],
    "width": [48, 96, 144, 320],
    "depth": [2, 3, 4, 6],
    "members": [1, 2, 4, 8],
}
TRAINING = {
    "cells": [43, 172, 860],
    "width": [48, 96, 144, 320],
    "depth": [2, 3, 4, 6],
    "members": [1, 2, 5, 10],
}


def scoring_run(space: CellArray, settings: Settings) -> Any:
    tables = refine(space[: settings["cells"]], settings["depth"])
    members = [GCN(5, settings["width"], settings["depth"]) for _ in range(settings["members"])]
    return partial(score, members, tables)


def training_run(settings: Settings, epochs: int) -> Any:
    cells = sample_cells(settings["cells"], seed=0)
    estimator = GCNRegressor(
        hidden=settings["width"],
        depth=settings["depth"],
        ensemble_size=settings["members"],
        epochs=epochs,
    )
    return partial(estimator.fit, cells, cells.trainable_parameters() / 5e7)


def exponent(values: list[int], seconds: list[float]) -> float:
    """Slope of the least-squares line through the logarithms."""
    return float(np.polyfit(np.log(values), np.log(seconds), 1)[0])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--epochs", type=int, default=5, help="epochs of each training run")
    arguments = parsed(parser, repeats=1)
    torch.set_num_threads(arguments.threads)
    space = nasbench101_cells()
    # Neighbours in the enumeration share more than others: take cells of all sizes.
    space = space[np.random.default_rng(0).permutation(len(space))[: max(SCORING["cells"])]]
    curves = []
    for cost, grid in (("scoring", SCORING), ("training", TRAINING)):
        centre = CENTRE if cost == "scoring" else {**CENTRE, "cells": 172}
        for name, values in grid.items():
            contenders = {
                str(value): (
                    scoring_run(space, {**centre, name: value})
                    if cost == "scoring"
                    else training_run({**centre, name: value}, arguments.epochs)
                )
                for value in values
            }
            seconds = list(interleaved(contenders, arguments.repeats).values())
            curves.append(
                {
                    "cost": cost,
                    "of": name,
                    "values": values,
                    "seconds": seconds,
                    "exponent": exponent(values, seconds),
                }
            )
    show(
        f"Growth ({clock()})",
        ["cost", "with", "values", "seconds", "exponent"],
        [
            [
                curve["cost"],
                curve["of"],
                ", ".join(map(str, curve["values"])),
                ", ".join(f"{value:.3f}" for value in curve["seconds"]),
                f"{curve['exponent']:.2f}",
            ]
            for curve in curves
        ],
    )
    write_result(
        "scaling",
        {
            "centre": CENTRE,
            "training_cells": 172,
            "training_epochs": arguments.epochs,
            "repeats": arguments.repeats,
            "curves": curves,
        },
        arguments.results,
    )
    if not arguments.short:
        plot(curves)


def plot(curves: list[dict[str, Any]]) -> None:
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axis = plt.subplots(figsize=(7, 5))
    colours = dict(zip(SCORING, ("C0", "C1", "C2", "C3"), strict=True))
    for curve in curves:
        scoring = curve["cost"] == "scoring"
        axis.loglog(
            np.array(curve["values"]) / curve["values"][0],
            np.array(curve["seconds"]) / curve["seconds"][0],
            color=colours[curve["of"]],
            marker="o" if scoring else "s",
            linestyle="-" if scoring else "--",
            label=f"{curve['cost']} with {curve['of']}: exponent {curve['exponent']:.2f}",
        )
    axis.set_xlabel("times the smallest value")
    axis.set_ylabel("times its cost")
    axis.grid(alpha=0.3, which="both")
    axis.legend(fontsize="small")
    figure.tight_layout()
    IMAGES.mkdir(parents=True, exist_ok=True)
    figure.savefig(IMAGES / "scaling.png", dpi=120)


if __name__ == "__main__":
    main()
