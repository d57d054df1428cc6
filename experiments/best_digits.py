"""The recipes, unchanged, on the shipped table of cells trained on handwritten digits.

    python experiments/best_digits.py [TABLE] [--draws 5] [--train 172]

The label is the table's own default. Training cells are drawn from all measured cells, the
others evaluate. The transfer from this same table is switched off.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from pyg_nas.data.protocols.protocol import Protocol
from pyg_nas.data.tables.sources import open_table
from pyg_nas.io.files import write_text
from pyg_nas.metrics.intervals import mean_interval, paired_difference
from pyg_nas.metrics.regression import kendall_tau, mean_squared_error
from pyg_nas.predictors.recipes import make_estimator

RESULTS = Path(__file__).parent / "results"
DIGITS = Path("datasets/nasbench_digits.hdf5")
RECIPES = ("fast", "paper", "best")


def main(
    table: Annotated[Path, typer.Argument(help="Measured cells.")] = DIGITS,
    draws: Annotated[int, typer.Option(help="Draws of training cells.")] = 5,
    train: Annotated[int, typer.Option(help="Training cells.")] = 172,
) -> None:
    opened = open_table(table)
    label = opened.default_label
    path = RESULTS / "best_digits.json"
    head: dict[str, Any] = {
        "table": table.name,
        "cells": len(opened),
        "train": train,
        "label": label.to_dict(),
    }
    stored = json.loads(path.read_text()) if path.exists() else {}
    runs = stored["runs"] if all(stored.get(k) == v for k, v in head.items()) else []
    done = {(run["recipe"], run["draw"]) for run in runs}
    for recipe in RECIPES:
        for draw in range(draws):
            if (recipe, draw) in done:
                continue
            split = Protocol(train=str(train), split_seed=draw, label=label).apply(opened)
            model = make_estimator(recipe, label, draw)
            model.fit(opened.cells[split.train], split.train_labels)
            predicted = model.predict(opened.cells[split.evaluate])
            runs.append(
                {
                    "recipe": recipe,
                    "draw": draw,
                    "evaluated": len(predicted),
                    "kendall_tau": kendall_tau(split.evaluate_labels, predicted),
                    "mse": mean_squared_error(split.evaluate_labels, predicted),
                }
            )
            print(json.dumps(runs[-1]), flush=True)
            write_text(path, json.dumps({**head, "runs": runs}, indent=1) + "\n")
    figures = {
        recipe: {
            name: [run[name] for run in runs if run["recipe"] == recipe]
            for name in ("kendall_tau", "mse")
        }
        for recipe in RECIPES
    }
    summary = {
        recipe: {
            **{name: mean_interval(values).to_dict() for name, values in found.items()},
            "kendall_tau_minus_paper": paired_difference(
                found["kendall_tau"], figures["paper"]["kendall_tau"]
            ).to_dict(),
        }
        for recipe, found in figures.items()
    }
    write_text(path, json.dumps({**head, "summary": summary, "runs": runs}, indent=1) + "\n")
    print(json.dumps(summary, indent=1))


if __name__ == "__main__":
    typer.run(main)
