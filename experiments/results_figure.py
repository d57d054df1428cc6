"""The README's picture: the predictor beside published ones, the search beside evolution.

    python experiments/results_figure.py

Reads result files alone: ``mean_test.json`` and the searches of ``search_methods.py``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from best_published import PUBLISHED, SIZES
from best_runs import RESULTS, taus
from matplotlib import rc_context
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter, ScalarFormatter
from search_methods import curve

from pyg_nas.io.files import atomic_path

IMAGE = Path(__file__).parents[1] / "docs" / "images" / "results.svg"
OURS, EVOLUTION, RANDOM, OTHERS = "#0072b2", "#d55e00", "#8c959f", "#59636e"
STYLES = ("-", "--", "-.", ":")
SEARCHES = {
    "iterated-16-fast": ("recipe fast, 16 random cells, then 4 a round", OURS),
    "evolution": ("regularized evolution", EVOLUTION),
    "random": ("random search", RANDOM),
}
MOST_TRAININGS = 1000


def main() -> None:
    figure = Figure(figsize=(10.4, 3.7), layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    predictors(left)
    searches(right)
    for axes in (left, right):
        axes.set_xscale("log")
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.25)
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(frameon=False, fontsize=8)
    with atomic_path(IMAGE) as temporary, rc_context({"svg.hashsalt": "pyg_nas"}):
        figure.savefig(temporary, format="svg", metadata={"Date": None})


def predictors(axes: Any) -> None:
    """Kendall τ with mean test accuracy by training size; mean and deviation over draws."""
    runs = json.loads((RESULTS / "mean_test.json").read_text())["runs"]
    found = [taus(runs, "best", size) for size in SIZES]
    means, spreads = [np.mean(t) for t in found], [np.std(t, ddof=1) for t in found]
    axes.errorbar(SIZES, means, spreads, color=OURS, marker="o", ms=4, lw=2, label="recipe best")
    for (name, values), style in zip(reversed(PUBLISHED.items()), STYLES, strict=True):
        heights = [values[size] for size in SIZES]
        axes.plot(SIZES, heights, color=OTHERS, ls=style, lw=1.2, label=f"{name} (published)")
    axes.set_xticks(SIZES, [f"{size:,}" for size in SIZES])
    axes.set_xlabel("training cells")
    axes.set_ylabel("Kendall τ on unseen cells")
    axes.set_title("Ranking architectures of NAS-Bench-101", fontsize=10)


def searches(axes: Any) -> None:
    """Regret of the answer by cells trained: median and middle half of the runs."""
    at = np.unique(np.geomspace(4, MOST_TRAININGS, 200).astype(int))
    for name, (label, colour) in SEARCHES.items():
        content = json.loads((RESULTS / f"search_nasbench101_20k_{name}.json").read_text())
        best = content["regret_against"]["best"]
        regret = 100 * (best - np.array([curve(run, at, 0) for run in content["runs"]]))
        known = ~np.isnan(regret).any(axis=0)
        low, middle, high = np.quantile(regret[:, known], [0.25, 0.5, 0.75], axis=0)
        axes.plot(at[known], middle, color=colour, lw=2, label=label)
        axes.fill_between(at[known], low, high, color=colour, alpha=0.15, lw=0)
    axes.set_ylim(0, 1.2)
    axes.set_xticks([5, 10, 20, 50, 100, 200, 500, 1000])
    axes.set_xlabel("cells trained")
    axes.set_ylabel("regret, percentage points")
    axes.set_title("Finding the best one: median and middle half of 50 runs", fontsize=10)


if __name__ == "__main__":
    main()
