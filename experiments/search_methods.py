"""Search methods compared: regret by number of training runs and by training time.

    python experiments/search_methods.py run TABLE --method random --runs 50
    python experiments/search_methods.py run TABLE --method one-shot --recipe paper
    python experiments/search_methods.py report TABLE

Every search is added to ``results/search_<table>_<method>.json`` as it ends (names of methods
with a predictor contain its recipe); a stopped ``run`` resumes with the missing seeds. ``report``
draws the curves and writes the training runs until a given regret to
``results/search_<table>_summary.json``.

There are two regrets. Curves and paired comparisons use the *true* one, in mean test accuracy where
the table has it. Training runs are counted until that of the *label* is small, which a search sees
and can bring to zero: several cells may have the best label and differ in test accuracy.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from best_runs import REAL_SAMPLE, report_half
from scipy.stats import hypergeom

from pyg_nas.data.tables.shipped import SHIPPED_TASK
from pyg_nas.data.tables.table import Table
from pyg_nas.io.files import write_text
from pyg_nas.metrics.intervals import CONFIDENCE, finite_or_none, paired_difference
from pyg_nas.predictors.recipes import make_estimator
from pyg_nas.predictors.refit_schedule import REFIT_GROWTH
from pyg_nas.search.evaluators.table import TableEvaluator
from pyg_nas.search.loop import search
from pyg_nas.search.methods.strategies import (
    LocalSearch,
    PredictorSearch,
    RandomSearch,
    Ranking,
    RegularizedEvolution,
    Strategy,
)
from pyg_nas.search.result import SearchResult

HERE = Path(__file__).parent
RESULTS, IMAGES = HERE / "results", HERE.parent / "docs" / "images"
BUDGETS = {"random": 4000, "evolution": 2000, "local": 2000, "oracle": 100}
REGRETS = (0.005, 0.003, 0.002, 0.001)
# Its two best labels are equal and 1.5 points above all others.
DIGITS_REGRETS = (0.04, 0.03, 0.02, 0.0)
CLOSE = 1e-6  # labels are in single precision
PREDICTORS = (
    "one-shot",
    "iterated",
    "iterated-40",
    "iterated-40-ei",
    "iterated-16",
    "iterated-16-ei",
)

app = typer.Typer(add_completion=False)


def searched(path: Path) -> Table:
    """Return the table; of the real sample the half on which the recipes were not developed."""
    table = Table.load(path)
    return table.subset(np.sort(report_half(table))) if path.name == REAL_SAMPLE.name else table


def strategy(method: str, evaluator: TableEvaluator, recipe: str) -> tuple[Strategy, int]:
    """The method and its budget, never more than the table."""

    def make(n_train: int, seed: int) -> Any:
        # Result files are named gp.
        name = "small-gp" if recipe == "gp" else recipe
        return make_estimator(name, evaluator.label, seed=seed, device="cpu")

    choices: dict[str, Callable[[], tuple[Strategy, int]]] = {
        "random": lambda: (RandomSearch(), BUDGETS["random"]),
        "evolution": lambda: (RegularizedEvolution(), BUDGETS["evolution"]),
        "local": lambda: (LocalSearch(), BUDGETS["local"]),
        "oracle": lambda: (Ranking(evaluator.oracle()), BUDGETS["oracle"]),
        # The paper's: 172 random cells, then the best predicted ones, one fit.
        "one-shot": lambda: (PredictorSearch(make, n=172, k=100), 272),
        "iterated": lambda: (PredictorSearch(make, n=172, k=10), 272),
        "iterated-40": lambda: (PredictorSearch(make, n=40, k=10), 240),
        "iterated-40-ei": lambda: (PredictorSearch(make, n=40, k=10, acquisition="ei"), 240),
        "iterated-16": lambda: (PredictorSearch(make, n=16, k=4), 100),
        "iterated-16-ei": lambda: (PredictorSearch(make, n=16, k=4, acquisition="ei"), 100),
    }
    chosen, budget = choices[method]()
    return chosen, min(budget, len(evaluator.domain))


def summarise(result: SearchResult, seed: int, wall: float, test: bool) -> dict[str, Any]:
    """The steps of the answer: (training runs, their seconds, true accuracy) at each change.

    Where the true accuracy is one on test images, the label follows; else it is the label's own.
    """
    incumbents = result.incumbents
    changes = np.flatnonzero(np.diff(incumbents, prepend=-1))
    seconds = result.seconds
    figures = [result.true_accuracy, result.history.accuracies[incumbents]][: 1 + test]
    return {
        "seed": seed,
        "steps": [
            [int(i) + 1, round(float(seconds[i]), 2), *(float(values[i]) for values in figures)]
            for i in changes
        ],
        "trainings": len(result.history),
        "seconds": round(float(seconds[-1]), 2),
        "wall_seconds": round(wall, 2),
    }


def results_file(table: Path, name: str) -> Path:
    return RESULTS / f"search_{table.stem}_{name}.json"


def stored_results(table: Path) -> dict[str, dict[str, Any]]:
    """Contents of all result files of a table, by method and recipe."""
    prefix = results_file(table, "").stem
    found = {path.stem[len(prefix) :]: path for path in RESULTS.glob(f"{prefix}*.json")}
    found.pop("summary", None)
    order = sorted(found, key=lambda name: (name.split("-")[0] not in BUDGETS, name))
    return {name: json.loads(found[name].read_text()) for name in order}


@app.command()
def run(
    table: Path,
    method: Annotated[str, typer.Option(help=", ".join((*BUDGETS, *PREDICTORS)))],
    runs: int = 50,
    recipe: Annotated[
        str, typer.Option(help="Of the methods with a predictor: gp, or one of the package's.")
    ] = "paper",
) -> None:
    """Run one method with seeds 0, 1, 2, ..., and add what is missing."""
    loaded = searched(table)
    evaluator = TableEvaluator(loaded, loaded.default_label)
    chosen, budget = strategy(method, evaluator, recipe)
    assert evaluator.reference is not None
    # One that can be updated is not fitted in every round.
    updated = isinstance(chosen, PredictorSearch) and hasattr(chosen.make_predictor(0, 0), "update")
    growth = {"refit_growth": REFIT_GROWTH} if updated else {}
    head = {
        "table": table.name,
        "evaluator": evaluator.describe(),
        "strategy": {**chosen.describe(), "recipe": recipe if method not in BUDGETS else None},
        **growth,
        "budget": budget,
        "regret_against": {"kind": evaluator.reference.kind, "best": evaluator.reference.best},
    }
    path = results_file(table, method if method in BUDGETS else f"{method}-{recipe}")
    stored = json.loads(path.read_text()) if path.exists() else {}
    # A table that grew, or another recipe, makes the stored runs another experiment.
    done = (
        stored["runs"] if {k: stored.get(k) for k in head} == json.loads(json.dumps(head)) else []
    )
    for seed in range(len(done), runs):
        start = time.perf_counter()
        result = search(chosen, evaluator, budget, seed)
        wall = time.perf_counter() - start
        done.append(summarise(result, seed, wall, "test" in evaluator.reference.kind))
        write_text(path, json.dumps({**head, "runs": done}) + "\n")
        print(method, seed, done[-1]["steps"][-1], done[-1]["wall_seconds"], flush=True)


def mean_band(curves: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return mean, lower and upper curve of ``curves`` ``[seeds, points]``, each ``[points]``.

    The band is the 95 % percentile bootstrap interval of the mean at each point. Whole curves are
    resampled, so that the band is as smooth as the curves.
    """
    rng = np.random.default_rng(0)
    seeds = len(curves)
    # Means of the resampled curves are a product with the counts of each resample.
    counts = rng.multinomial(seeds, np.full(seeds, 1.0 / seeds), size=2_000) / seeds
    low, high = np.quantile(counts @ curves, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=0)
    return curves.mean(axis=0), low, high


def curve(run: dict[str, Any], at: np.ndarray, column: int) -> np.ndarray:
    """True accuracy of the answer at each of ``at`` training runs (column 0) or seconds (1)."""
    steps = np.array(run["steps"])
    index = np.searchsorted(steps[:, column], at, side="right") - 1
    values = np.where(index >= 0, steps[np.maximum(index, 0), 2], np.nan)
    return np.where(at <= run["trainings" if column == 0 else "seconds"], values, np.nan)


def first_below(run: dict[str, Any], best: float, regret: float) -> tuple[float, float]:
    """Training runs and seconds until the answer's label is within the regret; inf if never."""
    steps = np.array(run["steps"])
    outside = np.flatnonzero(best - steps[:, -1] > regret + CLOSE)
    after = outside[-1] + 1 if len(outside) else 0
    return (np.inf, np.inf) if after == len(steps) else (steps[after, 0], steps[after, 1])


@app.command()
def report(table: Path) -> None:
    """Curves, runs until a given regret, and paired comparisons, from the result files."""
    stored = stored_results(table)
    best = next(iter(stored.values()))["regret_against"]["best"]
    loaded = searched(table)
    # Architectures that compute the same are one cell of a search; the first row answers.
    first = np.unique(loaded.hashes, return_index=True)[1]
    labels = loaded.label(loaded.default_label)[first]
    best_label = float(np.nanmax(labels))
    regrets = DIGITS_REGRETS if loaded.about.get("task") == SHIPPED_TASK else REGRETS
    summary: dict[str, Any] = {
        "table": table.name,
        "regret_against": next(iter(stored.values()))["regret_against"],
        "best_label": best_label,
        "cells_within": {str(r): int((best_label - labels <= r + CLOSE).sum()) for r in regrets},
        "until_label_regret": {},
        "paired_regret": {},
        "speedup_over_evolution": {},
    }
    for method, content in stored.items():
        rows = {}
        for regret in regrets:
            found = np.array([first_below(run, best_label, regret) for run in content["runs"]])
            rows[str(regret)] = {
                "reached": float(np.isfinite(found[:, 0]).mean()),
                "median_trainings": finite_or_none(np.median(found[:, 0])),
                "median_hours": finite_or_none(np.median(found[:, 1]) / 3600),
            }
        summary["until_label_regret"][method] = {
            "runs": len(content["runs"]),
            "budget": content["budget"],
            "by_regret": rows,
        }
    if "evolution" in stored:
        for method, content in stored.items():
            if method not in ("evolution", "oracle"):
                summary["speedup_over_evolution"][method] = {
                    str(regret): speedup(content, stored["evolution"], best_label, regret)
                    for regret in regrets
                }
    budget = min(BUDGETS["random"], len(labels))
    summary["until_label_regret"]["exact random"] = {
        "budget": budget,
        "by_regret": {
            regret: exact_random(good, len(labels), budget)
            for regret, good in summary["cells_within"].items()
        },
    }
    for trainings in (100, 182, 240, 272):
        summary["paired_regret"][str(trainings)] = paired(stored, trainings, best)
    write_text(RESULTS / f"search_{table.stem}_summary.json", json.dumps(summary, indent=1) + "\n")
    plot(stored, best, table.stem)
    print(json.dumps(summary, indent=1))


def exact_random(good: int, total: int, budget: int) -> dict[str, Any]:
    """Return exact figures of random search: draws until the first of ``good`` cells."""
    reached = hypergeom(total, good, np.arange(total + 1)).sf(0)
    return {
        "reached": float(reached[min(budget, total)]),
        "median_trainings": int(np.searchsorted(reached, 0.5)),
    }


def speedup(
    one: dict[str, Any], evolution: dict[str, Any], best: float, regret: float
) -> dict[str, Any]:
    """Ratio of median runs until the regret, evolution over the other, with 95 % interval.

    Runs of one seed share their first random cells, so seeds are resampled, not runs.
    If half of the runs do not reach the regret within their budget, the median is not known: the
    ratio is then a bound from evolution's budget, or absent.
    """
    a = np.array([first_below(run, best, regret)[0] for run in one["runs"]])
    b = np.array([first_below(run, best, regret)[0] for run in evolution["runs"]])
    capped = np.minimum(b, evolution["budget"])
    if not np.isfinite(np.median(a)):
        return {"ratio": None}
    rng = np.random.default_rng(0)
    seeds = rng.integers(min(len(a), len(b)), size=(4000, min(len(a), len(b))))
    draws = np.median(capped[seeds], axis=1) / np.median(a[seeds], axis=1)
    low, high = np.quantile(draws, [0.025, 0.975])
    return {
        "ratio": float(np.median(capped) / np.median(a)),
        "at_least": not np.isfinite(np.median(b)),
        "low": float(low),
        "high": float(high),
    }


def paired(stored: dict[str, Any], trainings: int, best: float) -> dict[str, Any]:
    """Regret of evolution minus that of each method after as many runs, paired by seed."""
    if "evolution" not in stored:
        return {}
    at = np.array([trainings])
    regrets = {
        method: np.array([best - curve(run, at, 0)[0] for run in content["runs"]])
        for method, content in stored.items()
    }
    found = {}
    for method, values in regrets.items():
        n = min(len(values), len(regrets["evolution"]))
        if method != "evolution" and np.isfinite(values).all():
            interval = paired_difference(regrets["evolution"][:n], values[:n])
            found[method] = {"regret": float(values.mean()), **interval.to_dict()}
    return found


def plot(stored: dict[str, Any], best: float, name: str) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 7), layout="constrained")
    # More methods than matplotlib's ten colours, so dashes tell the second ten apart.
    looks = [{"color": f"C{i % 10}", "ls": "-" if i < 10 else "--"} for i in range(len(stored))]
    grid = figure.subplots(2, 2, sharex="col", sharey="row")
    longest = max(run["seconds"] for content in stored.values() for run in content["runs"])
    most = max(content["budget"] for content in stored.values())
    axes_of = [
        ("cells trained", np.unique(np.geomspace(1, most, 120).astype(int)), 0, 1.0),
        ("training time, h", np.geomspace(longest / 2000, longest, 120), 1, 3600.0),
    ]
    for column, (label, at, which, unit) in enumerate(axes_of):
        for look, (method, content) in zip(looks, stored.items(), strict=True):
            curves = np.array([curve(run, at, which) for run in content["runs"]])
            # Only where every run is still going: a mean over the long runs alone is no mean.
            known = ~np.isnan(curves).any(axis=0)
            if not known.any():
                continue
            for axes, values in ((grid[0][column], curves), (grid[1][column], best - curves)):
                mean, low, high = mean_band(100 * values[:, known])
                axes.plot(at[known] / unit, mean, **look, label=method)
                band = {"color": look["color"], "alpha": 0.15, "lw": 0}
                axes.fill_between(at[known] / unit, low, high, **band)
        grid[0][column].set_xscale("log")
        grid[1][column].set_xlabel(label)
    grid[0][0].set_ylabel("true accuracy of the answer, %")
    grid[0][0].set_ylim(100 * best - 3, 100 * best + 0.1)
    grid[1][0].set_ylabel("simple regret, points")
    grid[1][0].set_yscale("log")
    grid[1][0].set_ylim(0.02, 5)
    figure.legend(*grid[0][0].get_legend_handles_labels(), loc="outside right center")
    kind = next(iter(stored.values()))["regret_against"]["kind"]
    runs = min(len(content["runs"]) for content in stored.values())
    figure.suptitle(f"{name}: {kind}; mean of at least {runs} runs with 95 % band")
    IMAGES.mkdir(parents=True, exist_ok=True)
    figure.savefig(IMAGES / f"search_{name}.svg")


if __name__ == "__main__":
    app()
