"""Kendall τ on NAS-Bench-201 by number of training architectures, by two ways of evaluating.

    pyg-nas table import nasbench201.csv nasbench201.hdf5 --space nasbench201
    python experiments/nasbench201.py nasbench201.hdf5
    python experiments/nasbench201.py cifar100.hdf5 --out results/nasbench201_cifar100.json

Trained on the mean validation accuracy at 200 epochs, ranked against the mean test accuracy, as in
the literature. No label beyond those of the training architectures is used for any choice. Each
draw is evaluated twice: on all other architectures, as published, and only on those that compute
another function than every training architecture.

Finished runs are written as they come, and an interrupted run resumes.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from finished_runs import append_line, digest_of, finished_runs

from pyg_nas.data.protocols.labels import LabelPolicy
from pyg_nas.data.tables.table import Table
from pyg_nas.io.files import write_text
from pyg_nas.metrics.regression import kendall_tau
from pyg_nas.predictors.baselines import ParameterCountRegressor, random_forest
from pyg_nas.predictors.recipes import make_estimator

RESULT = Path(__file__).parent / "results" / "nasbench201.json"
SIZES = {78: 20, 156: 20, 469: 20, 781: 5, 1563: 5}
"""Training architectures, and draws of them."""

METHODS: dict[str, Callable[[int], Any]] = {
    "parameter count": lambda seed: ParameterCountRegressor(),
    "random forest": random_forest,
    "fast": lambda seed: make_estimator("fast", seed=seed),
    "best": lambda seed: make_estimator("best", seed=seed),
}


def labels(table: Table) -> tuple[np.ndarray, np.ndarray]:
    """Return mean validation and mean test accuracy of the largest budget, ``[N]`` each."""
    policies = (
        LabelPolicy(metric=metric, run="mean", resample_below=None)
        for metric in ("validation_accuracy", "test_accuracy")
    )
    validation, test = (table.label(policy) for policy in policies)
    return validation, test


def run(
    table: Table, method: str, size: int, draw: int, trained_on: np.ndarray, ranked_by: np.ndarray
) -> dict[str, Any]:
    """Fit once and return both figures of one draw."""
    rows = np.flatnonzero(np.isfinite(trained_on) & np.isfinite(ranked_by))
    order = np.random.default_rng(draw).permutation(rows)
    train, rest = order[:size], order[size:]
    model = METHODS[method](draw).fit(table.cells[train], trained_on[train])
    predicted = model.predict(table.cells[rest])
    other = ~np.isin(table.hashes[rest], table.hashes[train])
    return {
        "method": method,
        "train": size,
        "draw": draw,
        "tau_all_others": kendall_tau(ranked_by[rest], predicted),
        "tau_other_cells": kendall_tau(ranked_by[rest][other], predicted[other]),
        "all_others": len(rest),
        "other_cells": int(other.sum()),
    }


def main(
    table: Annotated[Path, typer.Argument(help="Table of NAS-Bench-201 architectures.")],
    out: Annotated[Path, typer.Option(help="Result file.")] = RESULT,
) -> None:
    opened = Table.load(table)
    trained_on, ranked_by = labels(opened)
    path = out.with_suffix(".jsonl")
    data = digest_of(opened.hashes, trained_on, ranked_by)
    done = finished_runs(path, data)
    known = {(row["method"], row["train"], row["draw"]) for row in done}
    for size, draws in SIZES.items():
        for method in METHODS:
            for draw in range(draws):
                if (method, size, draw) not in known:
                    found = run(opened, method, size, draw, trained_on, ranked_by)
                    done.append({"data": data, **found})
                    append_line(path, done[-1])
    figures = [
        {
            "method": method,
            "train": size,
            "draws": draws,
            **{
                f"{key}_{name}": float(reduce([r[key] for r in found]))
                for key in ("tau_all_others", "tau_other_cells")
                for name, reduce in (("mean", np.mean), ("std", lambda v: np.std(v, ddof=1)))
            },
        }
        for size, draws in SIZES.items()
        for method in METHODS
        if (found := [r for r in done if (r["method"], r["train"]) == (method, size)])
    ]
    rows = np.flatnonzero(np.isfinite(trained_on) & np.isfinite(ranked_by))
    about = {
        "table": table.name,
        "architectures": len(rows),
        # Of a predictor that has seen the validation accuracy of every architecture.
        "tau_of_the_label_itself": kendall_tau(ranked_by[rows], trained_on[rows]),
        "trained_on": "mean validation accuracy, largest budget",
        "ranked_by": "mean test accuracy, largest budget",
    }
    write_text(out, json.dumps({**about, "figures": figures}, indent=1) + "\n")
    for row in figures:
        print(
            f"{row['method']:16s} {row['train']:5d}: {row['tau_all_others_mean']:.3f} ± "
            f"{row['tau_all_others_std']:.3f} on all others, {row['tau_other_cells_mean']:.3f} ± "
            f"{row['tau_other_cells_std']:.3f} on other cells"
        )


if __name__ == "__main__":
    typer.run(main)
