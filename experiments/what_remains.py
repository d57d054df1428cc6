"""How much of the Gaussian process' error is noise of the runs, estimated from shorter runs.

    python experiments/what_remains.py [TABLE] [--draws 5] [--train 4236]

The real sample has one run of each cell at 4, 12, 36 and 108 epochs. The runs are separate, so that
their noise is independent: what a run of an unseen cell at 36 epochs adds to the prediction is
information about the cell, never about the noise at 108. On the draws of ``best_runs.py`` the
process is fitted to the labels of each budget, as their scores among all cells of the draw.

- ``told ...``: Kendall τ at 108 epochs where the residuals of the evaluated cells' own shorter
  runs join the prediction, with weights fitted on leave-one-out residuals of training cells.
- ``shared``: covariance of the residuals at 36 and 108 epochs as a share of the variance at 108.
  If the errors of the process are equal at both budgets, this part of its error is not noise.
- ``ceiling``: Kendall τ without that part, if scores are normal.
- ``one edit to ...``: correlation of an evaluated cell's residual at 108 epochs with those of cells
  one edit away. Among evaluated cells it is error that similar cells share, not noise; with
  training cells, whose residuals are left out, it is what the process has not learned of them.
"""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from best_ablation import WHOLE
from best_runs import LARGEST, REAL_SAMPLE, RESULTS, all_features, draw_rows
from learning_law import tau_leaving, unexplained
from numpy.typing import NDArray
from scipy.stats.mstats import winsorize

from pyg_nas.data.protocols.labels import PAPER_LABEL
from pyg_nas.data.tables.table import Table
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.edit_distance import EditDistance
from pyg_nas.io.files import write_text
from pyg_nas.metrics.intervals import mean_interval
from pyg_nas.metrics.regression import kendall_tau
from pyg_nas.predictors.gaussian_process.regressor import GaussianProcess
from pyg_nas.predictors.label_transform import latent_labels
from pyg_nas.predictors.labelled_features import LabelledFeatures

BUDGETS = (4, 12, 36, 108)
# A failed run is far from all others and would dominate the covariance.
TAIL = 0.005


def main(
    table: Annotated[Path, typer.Argument(help="The real sample.")] = REAL_SAMPLE,
    draws: Annotated[int, typer.Option(help="Draws of training cells.")] = 5,
    train: Annotated[int, typer.Option(help="Training cells.")] = LARGEST,
) -> None:
    loaded = Table.load(table)
    runs = [one_draw(loaded, draw, train) for draw in range(draws)]
    mean = {name: mean_interval([run[name] for run in runs]).to_dict() for name in runs[0]}
    result = {"table": table.name, "train": train, "runs": runs, "mean": mean}
    write_text(RESULTS / f"what_remains_{train}.json", json.dumps(result, indent=1) + "\n")
    for name, value in mean.items():
        print(f"{name:32s}{value['mean']:.4f} [{value['low']:.4f}, {value['high']:.4f}]")


def one_draw(table: Table, draw: int, train: int) -> dict[str, float]:
    rows, unseen = draw_rows(table, draw, train)
    known, others = (all_features(table.cells[part]) for part in (rows, unseen))
    predicted, left_out, errors = [], [], []
    for budget in BUDGETS:
        # A short training may well end where a long one would have failed.
        below = PAPER_LABEL.resample_below if budget == PAPER_LABEL.budget else None
        labels = table.label(replace(PAPER_LABEL, budget=budget, resample_below=below))
        scores = latent_labels(labels[np.concatenate([rows, unseen])])
        process = GaussianProcess(WHOLE, random_state=draw)
        process.fit_features(table.space, LabelledFeatures(known, scores[:train]))
        predicted.append(process.predict_features(others, with_std=False)[0])
        left_out.append(scores[:train] - process.loo_mean_)
        errors.append(scores[train:] - predicted[-1])
    truth = table.label(PAPER_LABEL)[unseen]

    def told(shorter: list[int]) -> float:
        """Kendall τ with the residuals of these budgets, by their positions."""
        seen = np.stack([left_out[i] for i in shorter], axis=1)
        weights, *_ = np.linalg.lstsq(seen, left_out[-1])
        joined = predicted[-1] + np.stack([errors[i] for i in shorter], axis=1) @ weights
        return kendall_tau(truth, joined)

    at_36, at_108 = (without_tails(errors[i]) for i in (-2, -1))
    covariance = np.cov(at_36, at_108)
    shared = float(covariance[0, 1] / covariance[1, 1])
    tau = kendall_tau(truth, predicted[-1])
    cells = table.cells[unseen]
    return {
        "kendall_tau": tau,
        "told 36 epochs": told([2]),
        "told 4, 12 and 36 epochs": told([0, 1, 2]),
        "correlation of residuals": float(np.corrcoef(at_36, at_108)[0, 1]),
        "shared": shared,
        "ceiling": tau_leaving(unexplained(tau) * (1 - shared)),
        "one edit to evaluated": one_edit_away(cells, at_108, cells, at_108),
        "one edit to training": one_edit_away(
            cells, at_108, table.cells[rows], without_tails(left_out[-1])
        ),
    }


def without_tails(residuals: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(winsorize(residuals, (TAIL, TAIL)))


def one_edit_away(
    cells: CellArray,
    residuals: NDArray[np.float64],
    others: CellArray,
    other_residuals: NDArray[np.float64],
) -> float:
    """Correlation of the residuals ``[N]`` and ``[M]`` over all pairs of cells one edit apart."""
    distance = EditDistance(others)
    near = [np.flatnonzero(distance(cell) == 1) for cell in cells]
    ours, theirs = np.repeat(np.arange(len(cells)), [len(n) for n in near]), np.concatenate(near)
    return float(np.corrcoef(residuals[ours], other_residuals[theirs])[0, 1])


if __name__ == "__main__":
    typer.run(main)
