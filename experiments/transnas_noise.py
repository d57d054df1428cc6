"""The largest τ that the noise of single training runs leaves on TransNAS-Bench-101.

    python experiments/transnas_noise.py transnasbench101.hdf5

Architectures that compute the same are one cell. The benchmark trained many of them separately,
once per task; those whose metrics are all equal share one run. Three figures for each task:

- *other runs*: each run of a cell with several is ranked by the mean of the cell's other runs. No
  predictor is needed, and none is as good if a cell has many runs.
- *without noise*: τ between the mean of a cell and one run, for all architectures. The means are
  not known. They are drawn from their distribution given the runs, and new runs are drawn around
  them with the variance that cells with several runs have at this level. If the model is right, the
  first figure of the new runs is that of the measured ones; both are written.
- *1,000 labels*: τ of the recipe ``fast`` that is trained on the validation metrics of 1,000 random
  architectures, on all others, as in ``experiments/transfer.py``.

In the first two, metrics are normal scores of their ranks.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from scipy.special import ndtri
from transfer import Benchmark, taus_of_draw, transnas_benchmarks

from pyg_nas.io.files import write_text
from pyg_nas.metrics.ranks import ranks
from pyg_nas.metrics.regression import kendall_tau

RESULT = Path(__file__).parent / "results" / "transnas_noise.json"
DRAWS = 20
LABELS, DRAWS_OF_LABELS = 1000, 5
LEVEL_WIDTH = 0.25  # of the mean over levels, in standard deviations of the metric

Array = NDArray[np.float64]
Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Runs:
    """Training runs of the cells.

    Attributes:
        cell: Cell of each run ``[R]``.
        of_architecture: Run of each architecture ``[A]``.
        count: Runs of each cell ``[K]``.
    """

    cell: Rows
    of_architecture: Rows
    count: Rows

    @classmethod
    def of(cls, tasks: list[Benchmark]) -> Runs:
        """Return the runs of architectures that all tasks have in one order."""
        metrics = np.stack([m for task in tasks for m in (task.validation, task.test)], axis=1)
        run = np.unique(metrics, axis=0, return_inverse=True)[1].ravel()
        cell = np.unique(tasks[0].cells.hashes(), return_inverse=True)[1]
        pairs, of_architecture = np.unique(
            np.stack([cell, run], axis=1), axis=0, return_inverse=True
        )
        return cls(pairs[:, 0], of_architecture.ravel(), np.bincount(pairs[:, 0]))

    @property
    def repeated(self) -> NDArray[np.bool_]:
        """Whether an architecture's cell has several runs ``[A]``."""
        return np.asarray(self.count[self.cell[self.of_architecture]] > 1)

    def scores(self, values: Array) -> Array:
        """Return normal scores ``[R]`` of the runs' values, ranked among all architectures."""
        of_all = values[self.of_architecture]
        found = np.empty(len(values))
        found[self.of_architecture] = ndtri((ranks(of_all) - 0.5) / len(of_all))
        return found

    def means(self, scores: Array) -> Array:
        """Return the mean of each cell's runs ``[K]``."""
        return np.asarray(np.bincount(self.cell, scores) / self.count)

    def tau_of_other_runs(self, values: Array) -> float:
        """Return τ of the means of other runs on architectures whose cell has several."""
        scores, count = self.scores(values), self.count[self.cell]
        others = (self.means(scores) * self.count)[self.cell] - scores
        others /= np.maximum(count - 1, 1)
        rows = self.of_architecture[self.repeated]
        return float(kendall_tau(values[rows], others[rows]))

    def noise(self, levels: Array, scores: Array) -> Array:
        """Return the variance ``[L]`` of runs of one cell at levels of its mean ``[L]``."""
        count = self.count[self.cell]
        several = count > 1
        at = self.means(scores)[self.cell]
        squares = (scores - at) ** 2 * count / np.maximum(count - 1, 1)
        distance = (levels[:, None] - at[several]) / LEVEL_WIDTH
        weights = np.exp(-(distance**2) / 2)
        return np.asarray(weights @ squares[several] / weights.sum(axis=1))


def figures(task: Benchmark, runs: Runs) -> dict[str, Any]:
    """Return the figures of one task."""
    values = np.empty(len(runs.cell))
    values[runs.of_architecture] = task.test
    scores = runs.scores(values)
    means = runs.means(scores)
    noise = runs.noise(means, scores)
    shrunk = means * (1 - np.minimum(noise / runs.count, 0.95))  # scores have variance 1
    noise = runs.noise(shrunk, scores)
    rng = np.random.default_rng(0)
    drawn: list[tuple[float, float]] = []
    for _ in range(DRAWS):
        # Given the runs, a mean has nearly the variance of their mean.
        true = shrunk + np.sqrt(noise / runs.count) * rng.standard_normal(len(means))
        deviations = np.sqrt(runs.noise(true, scores))[runs.cell]
        new = true[runs.cell] + deviations * rng.standard_normal(len(values))
        of_all = runs.of_architecture
        tau = kendall_tau(new[of_all], true[runs.cell][of_all])
        drawn.append((float(tau), runs.tau_of_other_runs(new)))
    without_noise, other_runs = np.mean(drawn, axis=0)
    many = [
        taus_of_draw(task, "fast", LABELS, draw)["tau_all_others"]
        for draw in range(DRAWS_OF_LABELS)
    ]
    return {
        "task": task.task,
        "tau_of_other_runs": runs.tau_of_other_runs(values),
        "tau_of_other_runs_drawn": float(other_runs),
        "tau_without_noise": float(without_noise),
        "tau_of_fast": float(np.mean(many)),
        "std_of_fast": float(np.std(many, ddof=1)),
    }


def main(
    transnas: Annotated[Path, typer.Argument(help="Measurements of the micro space.")],
) -> None:
    tasks = list(transnas_benchmarks(transnas))
    runs = Runs.of(tasks)
    found = [figures(task, runs) for task in tasks]
    result = {
        "architectures": len(runs.of_architecture),
        "cells": len(runs.count),
        "runs": len(runs.cell),
        "architectures_of_cells_with_several_runs": int(runs.repeated.sum()),
        "mean": {
            key: float(np.mean([row[key] for row in found])) for key in found[0] if key != "task"
        },
        "tasks": found,
    }
    write_text(RESULT, json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    typer.run(main)
