"""What each part of the recipe ``best`` is worth, on the same draws, as paired differences.

    python experiments/best_ablation.py [TABLE] [--draws 5] [--train 172]

Whole recipes come from ``best_runs.json`` (a missing one is run). Groups of features, the scale
of an untrained cell's values and parts of the latent labels are left out of the Gaussian process
alone, and the features that the networks read out of the networks alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from best_runs import REAL_SAMPLE, RESULTS, all_features, draw_rows, run_all, taus

from pyg_nas.data.protocols.labels import PAPER_LABEL
from pyg_nas.data.tables.table import Table
from pyg_nas.features.graph_features import (
    TRANSFER_GROUP,
    ZERO_COST_GROUP,
    CellFeatures,
    graph_feature_names,
    vertex_feature_names,
)
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.io.files import write_text
from pyg_nas.metrics.intervals import mean_interval, paired_difference
from pyg_nas.metrics.regression import kendall_tau
from pyg_nas.predictors.gaussian_process.regressor import GROUPS, GaussianProcess
from pyg_nas.predictors.gnn.residual import ResidualGNNRegressor
from pyg_nas.predictors.hybrid import HybridRegressor
from pyg_nas.predictors.label_transform import latent_labels, latent_parts
from pyg_nas.predictors.labelled_features import LabelledFeatures
from pyg_nas.spaces.nasbench101 import NASBENCH101

RECIPES = ("best", "best without transfer", "fast", "networks alone", "one network")
# On more cells the networks take minutes; only the recipes themselves are compared there.
MOST_FOR_VARIANTS = 1_000
WHOLE = (*GROUPS, ZERO_COST_GROUP, TRANSFER_GROUP)
PARTS = ("recipes", "process", "networks")
MEMBERS = HybridRegressor().ensemble_size
WITHOUT_SCALE = "without scale"


def main(
    table: Annotated[Path, typer.Argument(help="The real sample.")] = REAL_SAMPLE,
    draws: Annotated[int, typer.Option(help="Draws of training cells.")] = 5,
    train: Annotated[int, typer.Option(help="Training cells.")] = 172,
) -> None:
    names = [n for n in RECIPES if train <= MOST_FOR_VARIANTS or n in ("best", "fast")]
    plan = [(name, train, draw) for name in names for draw in range(draws)]
    runs = run_all(RESULTS / "best_runs.json", table, plan)
    recipes = {name: taus(runs, name, train)[:draws] for name in names}
    loaded = Table.load(table)
    drawn = [draw_cells(loaded, draw, train) for draw in range(draws)]
    result: dict[str, Any] = {
        "table": table.name,
        "train": train,
        "draws": draws,
        "recipes": compared(recipes, "best"),
        "process": compared(process_taus(drawn), "whole process"),
    }
    if train <= MOST_FOR_VARIANTS:
        result["networks"] = compared(network_taus(drawn), "whole networks")
    write_text(RESULTS / f"best_ablation_{train}.json", json.dumps(result, indent=1) + "\n")
    for part in PARTS:
        for name, row in result.get(part, {}).items():
            less = row["minus_whole"]
            print(
                f"{name:24s}{row['mean']['mean']:7.4f}   "
                f"{less['mean']:+.4f} [{less['low']:+.4f}, {less['high']:+.4f}]"
            )


@dataclass(frozen=True)
class Draw:
    """One draw: cells, features and labels of the training and of the evaluated cells."""

    seed: int
    cells: tuple[CellArray, CellArray]
    features: tuple[CellFeatures, CellFeatures]
    labels: tuple[np.ndarray, np.ndarray]


def draw_cells(table: Table, seed: int, train: int) -> Draw:
    rows, unseen = draw_rows(table, seed, train)
    cells, labels = (table.cells[rows], table.cells[unseen]), table.label(PAPER_LABEL)
    known, others = (all_features(part) for part in cells)
    return Draw(seed, cells, (known, others), (labels[rows], labels[unseen]))


def process_taus(draws: Sequence[Draw]) -> dict[str, list[float]]:
    """Kendall τ of each variant of the Gaussian process by draw."""
    targets: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "labels as they are": np.asarray,
        "ranks alone": lambda labels: latent_labels(labels, parts=(0, 1)),
        "normal scores of ranks": lambda labels: latent_parts(labels)[0],
    }
    variants = dict.fromkeys(("whole process", *targets, WITHOUT_SCALE), WHOLE)
    variants |= {f"without {g}": tuple(o for o in WHOLE if o != g) for g in WHOLE}
    variants |= {f"only {g}": (g,) for g in ("graph", ZERO_COST_GROUP, TRANSFER_GROUP)}
    found: dict[str, list[float]] = {name: [] for name in variants}
    for draw in draws:
        for name, groups in variants.items():
            target = targets.get(name, latent_labels)(draw.labels[0])
            known, others = (
                map(without_scale, draw.features) if name == WITHOUT_SCALE else draw.features
            )
            process = GaussianProcess(groups, random_state=draw.seed)
            process.fit_features(draw.cells[0].space, LabelledFeatures(known, target))
            predicted, _ = process.predict_features(others, with_std=False)
            found[name].append(kendall_tau(draw.labels[1], predicted))
    return found


def network_taus(draws: Sequence[Draw]) -> dict[str, list[float]]:
    """Kendall τ of each variant of the networks by draw."""
    variants: dict[str, Callable[[CellFeatures], CellFeatures]] = {
        "whole networks": lambda features: features,
        WITHOUT_SCALE: without_scale,
    }
    for group in ("graph", "walks", ZERO_COST_GROUP, TRANSFER_GROUP):
        variants[f"without {group}"] = partial(without_group, group=group)
    found: dict[str, list[float]] = {name: [] for name in variants}
    for draw in draws:
        for name, change in variants.items():
            known, others = map(change, draw.features)
            networks = ResidualGNNRegressor(MEMBERS, random_state=draw.seed)
            data = LabelledFeatures(known, latent_labels(draw.labels[0]))
            networks.fit_features(draw.cells[0], data)
            predicted = networks.predict_features(draw.cells[1], others).mean(axis=0)
            found[name].append(kendall_tau(draw.labels[1], predicted))
    return found


def without_group(features: CellFeatures, group: str) -> CellFeatures:
    others = {name: columns for name, columns in features.groups.items() if name != group}
    return CellFeatures(others, features.vertex)


def without_scale(features: CellFeatures) -> CellFeatures:
    """Set the scale of an untrained cell's values to zero; constants are unused."""
    graph, pooled = features.groups["graph"].copy(), features.groups["pooled"].copy()
    vertex = features.vertex.copy()
    graph[:, graph_feature_names(NASBENCH101).index("log scale of the output")] = 0
    position = vertex_feature_names(NASBENCH101).index("log scale")
    vertex[..., position] = 0
    pooled.reshape(len(pooled), -1, vertex.shape[-1])[..., position] = 0
    return CellFeatures({**features.groups, "graph": graph, "pooled": pooled}, vertex)


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
