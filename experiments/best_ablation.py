"""What each part of the recipe ``best`` is worth, on the same draws, as paired differences.

    python experiments/best_ablation.py [TABLE] [--draws 5] [--train 172]

Whole recipes come from ``best_runs.json`` (a missing one is run); groups of statistics and the
ranked labels are left out of the Gaussian process alone, which is fitted in a second.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from best_runs import LARGEST, REAL_SAMPLE, RESULTS, report_half, run_all, taus

from pyg_nas.cell_array import CellArray
from pyg_nas.features import (
    PRIOR_GROUP,
    ZERO_COST_GROUP,
    CellFeatures,
    cell_features,
)
from pyg_nas.files import write_text
from pyg_nas.gaussian_process import GROUPS, GaussianProcess
from pyg_nas.labels import PAPER_LABEL
from pyg_nas.metrics import kendall_tau
from pyg_nas.prior import prior_columns
from pyg_nas.statistics import mean_interval, normal_scores, paired_difference, rank_scores
from pyg_nas.table import Table
from pyg_nas.zero_cost import zero_cost_columns

RECIPES = ("best", "best without prior", "fast", "networks alone", "one network")
# On more cells the networks take minutes; only the recipes themselves are compared there.
MOST_FOR_VARIANTS = 1_000
WHOLE = (*GROUPS, ZERO_COST_GROUP, PRIOR_GROUP)


def main(
    table: Annotated[Path, typer.Argument(help="The real sample.")] = REAL_SAMPLE,
    draws: Annotated[int, typer.Option(help="Draws of training cells.")] = 5,
    train: Annotated[int, typer.Option(help="Training cells.")] = 172,
) -> None:
    names = [n for n in RECIPES if train <= MOST_FOR_VARIANTS or n in ("best", "fast")]
    plan = [(name, train, draw) for name in names for draw in range(draws)]
    runs = run_all(RESULTS / "best_runs.json", table, plan)
    recipes = {name: taus(runs, name, train)[:draws] for name in names}
    process = process_taus(Table.load(table), draws, train)
    result = {
        "table": table.name,
        "train": train,
        "draws": draws,
        "recipes": compared(recipes, "best"),
        "process": compared(process, "whole process"),
    }
    write_text(RESULTS / f"best_ablation_{train}.json", json.dumps(result, indent=1) + "\n")
    for part in ("recipes", "process"):
        for name, row in result[part].items():
            less = row["minus_whole"]
            print(
                f"{name:24s}{row['mean']['mean']:7.4f}   "
                f"{less['mean']:+.4f} [{less['low']:+.4f}, {less['high']:+.4f}]"
            )


def process_taus(table: Table, draws: int, train: int) -> dict[str, list[float]]:
    """Kendall τ of each variant of the Gaussian process by draw."""
    labels = table.label(PAPER_LABEL)
    targets = {"labels as they are": np.asarray, "normal scores": normal_scores}
    variants = dict.fromkeys(("whole process", *targets), WHOLE)
    variants |= {f"without {g}": tuple(o for o in WHOLE if o != g) for g in WHOLE}
    variants |= {f"only {g}": (g,) for g in ("graph", ZERO_COST_GROUP, PRIOR_GROUP)}
    found: dict[str, list[float]] = {name: [] for name in variants}
    for draw in range(draws):
        order = np.random.default_rng(draw).permutation(report_half(table))
        rows, unseen = order[:train], order[LARGEST:]
        known, others = (all_features(table.cells[part]) for part in (rows, unseen))
        for name, groups in variants.items():
            target = targets.get(name, rank_scores)(labels[rows])
            process = GaussianProcess(groups, random_state=draw)
            process.fit_features(known, target)
            predicted, _ = process.predict_features(others, with_std=False)
            found[name].append(kendall_tau(labels[unseen], predicted))
    return found


def all_features(cells: CellArray) -> CellFeatures:
    features = cell_features(cells)
    features.groups[ZERO_COST_GROUP] = zero_cost_columns(cells, features)
    features.groups[PRIOR_GROUP] = prior_columns(cells, features)
    return features


def compared(found: dict[str, list[float]], whole: str) -> dict[str, Any]:
    return {
        name: {
            "kendall_tau": values,
            "mean": mean_interval(values).to_dict(),
            "minus_whole": paired_difference(values, found[whole]).to_dict(),
        }
        for name, values in found.items()
    }


if __name__ == "__main__":
    typer.run(main)
