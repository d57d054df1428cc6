"""What each group of statistics and the ranked labels are worth to the Gaussian process.

    python experiments/best_ablation.py [TABLE] [--draws 5] [--train 172]

Variants are fitted on the same draws; differences to the whole process are paired.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from best_runs import LARGEST, REAL_SAMPLE, RESULTS, report_half
from scipy.stats import norm, rankdata

from pyg_nas.features import cell_features
from pyg_nas.files import write_text
from pyg_nas.gaussian_process import GROUPS, GaussianProcess
from pyg_nas.labels import PAPER_LABEL
from pyg_nas.metrics import kendall_tau
from pyg_nas.statistics import mean_interval, paired_difference
from pyg_nas.table import Table

WHOLE = "whole process"


def main(
    table: Annotated[Path, typer.Argument(help="The real sample.")] = REAL_SAMPLE,
    draws: Annotated[int, typer.Option(help="Draws of training cells.")] = 5,
    train: Annotated[int, typer.Option(help="Training cells.")] = 172,
) -> None:
    loaded = Table.load(table)
    labels = loaded.label(PAPER_LABEL)
    variants: dict[str, tuple[str, ...]] = {WHOLE: GROUPS, "labels as they are": GROUPS}
    variants |= {f"without {g}": tuple(o for o in GROUPS if o != g) for g in GROUPS}
    variants |= {f"only {g}": (g,) for g in ("graph", "edges")}
    taus: dict[str, list[float]] = {name: [] for name in variants}
    for draw in range(draws):
        order = np.random.default_rng(draw).permutation(report_half(loaded))
        rows, unseen = order[:train], order[LARGEST:]
        known, others = cell_features(loaded.cells[rows]), cell_features(loaded.cells[unseen])
        scores = norm.ppf((rankdata(labels[rows]) - 0.5) / train)
        for name, groups in variants.items():
            target = labels[rows] if name == "labels as they are" else scores
            process = GaussianProcess(groups, random_state=draw).fit_features(known, target)
            predicted, _ = process.predict_features(others, with_std=False)
            taus[name].append(kendall_tau(labels[unseen], predicted))
            print(draw, name, round(taus[name][-1], 4), flush=True)
        if draw:
            result: dict[str, Any] = {"table": table.name, "train": train, "draws": draw + 1}
            result["variants"] = {
                name: {
                    "kendall_tau": values,
                    "mean": mean_interval(values).to_dict(),
                    "minus_whole": paired_difference(values, taus[WHOLE]).to_dict(),
                }
                for name, values in taus.items()
            }
            write_text(RESULTS / "best_ablation.json", json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    typer.run(main)
