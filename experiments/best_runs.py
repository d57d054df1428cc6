"""Draws of training cells, fits and their figures, for the scripts on the recipe ``best``.

The sample's rows are permuted by ``RandomState(6)``. The recipe was developed on the first
10,000, the development half; only the other half is used here. Draw ``i`` permutes it by
``default_rng(i)``: the first N cells train, and every cell that does not train in that draw at
4,236 evaluates, so that all sizes up to that and all methods are compared on the same cells.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone

from pyg_nas.data.protocols.labels import PAPER_LABEL
from pyg_nas.data.tables.table import Table
from pyg_nas.features.graph_features import (
    TRANSFER_GROUP,
    ZERO_COST_GROUP,
    CellFeatures,
    cell_features,
)
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.io.files import write_text
from pyg_nas.metrics.regression import best_in_top, kendall_tau, mean_squared_error
from pyg_nas.predictors.baselines import ParameterCountRegressor, boosted_trees, random_forest
from pyg_nas.predictors.gaussian_process.regressor import GROUPS, GaussianProcess
from pyg_nas.predictors.hybrid import HybridRegressor
from pyg_nas.predictors.label_transform import LabelTransform
from pyg_nas.predictors.labelled_features import LabelledFeatures
from pyg_nas.predictors.recipes import make_estimator
from pyg_nas.predictors.transfer.digits import transfer_features
from pyg_nas.predictors.zero_cost import zero_cost_features

RESULTS = Path(__file__).parent / "results"
REAL_SAMPLE = Path("../shared/data/nasbench101_20k.hdf5")
DEVELOPMENT, LARGEST = 10_000, 4_236
COVERAGES = (0.5, 0.8, 0.95)


class SameInputs(RegressorMixin, BaseEstimator):
    """A regressor of rows of numbers on all inputs of the recipes."""

    def __init__(self, regressor: Any) -> None:
        self.regressor = regressor

    def fit(self, X: CellArray, y: np.ndarray) -> SameInputs:
        """Fit to the latent labels."""
        self.transform_ = LabelTransform().fit(y)
        self.regressor_ = clone(self.regressor).fit(_rows(X), self.transform_.forward(y))
        return self

    def predict(self, X: CellArray) -> np.ndarray:
        """Return labels at the predicted latent labels, within those of the training cells."""
        latent, labels = self.transform_.latent_, self.transform_.labels_
        return np.interp(self.regressor_.predict(_rows(X)), latent, labels)


class OnRanks(RegressorMixin, BaseEstimator):
    """The process of the recipe ``fast`` on latent labels of the ranks alone: no distances."""

    def __init__(self, random_state: int = 0) -> None:
        self.random_state = random_state

    def fit(self, X: CellArray, y: np.ndarray) -> OnRanks:
        """Fit to the normal and the uniform scores of the ranks."""
        self.transform_ = LabelTransform(parts=(0, 1)).fit(y)
        process = GaussianProcess(
            (*GROUPS, ZERO_COST_GROUP, TRANSFER_GROUP), random_state=self.random_state
        )
        data = LabelledFeatures(all_features(X), self.transform_.forward(y))
        self.process_ = process.fit_features(X.space, data)
        return self

    def predict(self, X: CellArray) -> np.ndarray:
        """Return labels at the predicted latent labels."""
        latent, _ = self.process_.predict_features(all_features(X), with_std=False)
        return self.transform_.inverse(latent)


METHODS: dict[str, Callable[[int], Any]] = {
    "parameter count": lambda seed: ParameterCountRegressor(),
    "random forest": random_forest,
    "boosted trees": boosted_trees,
    # What `best` and `fast` are given: all statistics, shipped data's too, and latent labels.
    "random forest, same inputs": lambda seed: SameInputs(random_forest(seed).regressor),
    "boosted trees, same inputs": lambda seed: SameInputs(boosted_trees(seed).regressor),
    "paper": lambda seed: make_estimator("paper", PAPER_LABEL, seed),
    "fast": lambda seed: make_estimator("fast", PAPER_LABEL, seed),
    "best": lambda seed: make_estimator("best", PAPER_LABEL, seed),
    # Variants of the ablation.
    "fast, ranks alone": lambda seed: OnRanks(seed),
    "best without transfer": lambda seed: HybridRegressor(random_state=seed),
    "networks alone": lambda seed: make_estimator("best", PAPER_LABEL, seed, network_share=1.0),
    "one network": lambda seed: make_estimator("best", PAPER_LABEL, seed, ensemble_size=1),
}


def report_half(table: Table) -> np.ndarray:
    """Return the rows of the sample on which the recipe was not developed."""
    rows = np.random.RandomState(6).permutation(len(table))
    return rows[DEVELOPMENT:]


def draw_rows(table: Table, draw: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of a draw that train and those that evaluate."""
    order = np.random.default_rng(draw).permutation(report_half(table))
    return order[:size], order[max(size, LARGEST) :]


def all_features(cells: CellArray) -> CellFeatures:
    features = cell_features(cells)
    return features.with_groups(
        {
            ZERO_COST_GROUP: zero_cost_features(cells, features),
            TRANSFER_GROUP: transfer_features(features),
        }
    )


def one_run(table: Table, method: str, size: int, draw: int) -> dict[str, Any]:
    """Fit once and return the figures on the evaluated cells."""
    labels = table.label(PAPER_LABEL)
    train, unseen = draw_rows(table, draw, size)
    cells, y = table.cells[unseen], labels[unseen]
    start, cpu = time.perf_counter(), time.process_time()
    model = METHODS[method](draw).fit(table.cells[train], labels[train])
    fitted = {
        "fit_seconds": round(time.perf_counter() - start, 2),
        "fit_cpu_seconds": round(time.process_time() - cpu, 2),
    }
    predicted = model.predict(cells)
    figures = {
        "method": method,
        "train": size,
        "draw": draw,
        "evaluated": len(unseen),
        "kendall_tau": kendall_tau(y, predicted),
        "mse": mean_squared_error(y, predicted),
        **{f"best_in_top_{k}": best_in_top(y, predicted, k) for k in (1, 10, 100)},
        "best_0.1%_in_predicted_1%": _recall(y, predicted),
        **fitted,
    }
    if isinstance(model, HybridRegressor):
        for coverage in COVERAGES:
            low, high = model.predict_interval(cells, coverage)
            figures[f"coverage_{coverage:g}"] = float(((low <= y) & (y <= high)).mean())
    return figures


def run_all(path: Path, table_path: Path, plan: list[tuple[str, int, int]]) -> list[dict[str, Any]]:
    """Run what of ``plan`` (method, size, draw) is not in the file yet; write after each run."""
    table = Table.load(table_path)
    head = {
        "table": table_path.name,
        "protocol": "train and evaluate on the report half (RandomState(6)); " + str(PAPER_LABEL),
    }
    return run_plan(path, head, plan, lambda *run: one_run(table, *run))


def run_plan(
    path: Path,
    head: dict[str, Any],
    plan: Iterable[tuple[str, int, int]],
    run: Callable[[str, int, int], dict[str, Any]],
) -> list[dict[str, Any]]:
    """Run what of ``plan`` (method, size, draw) is not in the file yet; write after each run.

    Args:
        path: Result file: ``head`` and the ``runs``.
        head: Table and protocol; a file with others is refused.
        plan: What to run.
        run: Returns the figures of one run, which name its method, ``train`` and ``draw``.
    """
    stored = json.loads(path.read_text()) if path.exists() else {**head, "runs": []}
    if any(stored.get(name) != value for name, value in head.items()):
        raise SystemExit(f"{path}: has runs of another table or protocol; move it away first")
    runs: list[dict[str, Any]] = stored["runs"]
    done = {(r["method"], r["train"], r["draw"]) for r in runs}
    for method, size, draw in plan:
        if (method, size, draw) in done:
            continue
        done.add((method, size, draw))
        runs.append(run(method, size, draw))
        print(json.dumps(runs[-1]), flush=True)
        write_text(path, json.dumps({**head, "runs": runs}, indent=1) + "\n")
    return runs


def _rows(X: CellArray) -> np.ndarray:
    return np.concatenate(list(all_features(X).groups.values()), axis=1)


def taus(runs: list[dict[str, Any]], method: str, size: int) -> list[float]:
    """Kendall τ of a method at a training size, by draw."""
    return [run["kendall_tau"] for run in runs if (run["method"], run["train"]) == (method, size)]


def _recall(y: np.ndarray, predicted: np.ndarray) -> float:
    """Share of the truly best 0.1 % among the predicted best 1 %."""
    best = np.argsort(-y, kind="stable")[: max(1, round(len(y) / 1000))]
    chosen = np.argsort(-predicted, kind="stable")[: max(1, round(len(y) / 100))]
    return float(np.isin(best, chosen).mean())
