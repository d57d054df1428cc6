"""Early stopping on a table with several budgets: regret and training time, with and without it.

    python experiments/early_stopping.py run TABLE --runs 20
    python experiments/early_stopping.py report

Every pair of searches, equal but for early stopping, is added to ``results/early_stopping.json`` as
it ends; a stopped ``run`` resumes. The smaller budgets and the rule were chosen on 8,000 cells of
the table, and these searches are on the others. Seconds that the table lacks at a smaller budget
are those of the full one by the share of epochs.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import typer

from pyg_nas.data.tables.table import Table
from pyg_nas.io.files import write_text
from pyg_nas.metrics.intervals import paired_difference
from pyg_nas.predictors.recipes import make_estimator
from pyg_nas.search.early_stopping import EarlyStopping
from pyg_nas.search.evaluators.table import TableEvaluator
from pyg_nas.search.loop import search
from pyg_nas.search.methods.strategies import (
    PredictorSearch,
    RandomSearch,
    RegularizedEvolution,
    Strategy,
)

RESULT = Path(__file__).parent / "results" / "early_stopping.json"
DEVELOPMENT = 8000
HOURS = (5, 10, 20, 40)

app = typer.Typer(add_completion=False)


def make_fast(n_train: int, seed: int) -> Any:
    return make_estimator("fast", None, seed=seed, device="cpu")


METHODS: dict[str, tuple[Callable[[], Strategy], int]] = {
    "random": (RandomSearch, 150),
    "evolution": (RegularizedEvolution, 250),
    # The setting that `pyg-nas search` recommends.
    "predictor": (lambda: PredictorSearch(make_fast, n=16, k=4), 60),
    "predictor, fewer cells": (lambda: PredictorSearch(make_fast, n=16, k=4), 24),
}


@app.command()
def run(table: Path, runs: int = 20) -> None:
    """Search with seeds 0, 1, 2, ..., with and without early stopping, and add what is missing."""
    whole = Table.load(table)
    order = np.random.default_rng(7).permutation(len(whole))
    evaluator = TableEvaluator(whole.subset(np.sort(order[DEVELOPMENT:])))
    stopping = EarlyStopping.of(evaluator)
    head = {
        "table": table.name,
        "evaluator": evaluator.describe(),
        "early_stopping": stopping.describe(),
        "queries": {name: queries for name, (_, queries) in METHODS.items()},
    }
    stored = json.loads(RESULT.read_text()) if RESULT.exists() else {}
    same = {key: stored.get(key) for key in head} == json.loads(json.dumps(head))
    searches: dict[str, list[dict[str, Any]]] = stored["searches"] if same else {}
    for name, (make, queries) in METHODS.items():
        done = searches.setdefault(name, [])
        for seed in range(len(done), runs):
            pair: dict[str, Any] = {"seed": seed}
            for key, rule in (("without", None), ("with", stopping)):
                result = search(make(), evaluator, queries, seed, early_stopping=rule)
                assert result.regret is not None
                changes = np.flatnonzero(np.diff(result.incumbents, prepend=-2))
                pair[key] = {
                    "hours": float(result.seconds[-1] / 3600),
                    "regret": float(result.regret[-1]),
                    "stopped": int(result.stopped.sum()),
                    "steps": [
                        [float(result.seconds[i] / 3600), float(result.regret[i])] for i in changes
                    ],
                }
            done.append(pair)
            write_text(RESULT, json.dumps({**head, "searches": searches}) + "\n")
            print(name, seed, pair["with"]["hours"], pair["without"]["hours"], flush=True)


@app.command()
def report() -> None:
    """Print mean time and regret of each method, and paired differences with 95 % intervals."""
    for name, pairs in json.loads(RESULT.read_text())["searches"].items():
        hours, regrets = (
            {key: np.array([pair[key][what] for pair in pairs]) for key in ("with", "without")}
            for what in ("hours", "regret")
        )
        stopped = np.mean([pair["with"]["stopped"] for pair in pairs])
        change = paired_difference(100 * regrets["with"], 100 * regrets["without"])
        print(
            f"{name}: {len(pairs)} runs, {stopped:.0f} cells stopped; "
            f"{hours['without'].mean():.1f} h without, {hours['with'].mean():.1f} h with; regret "
            f"{100 * regrets['without'].mean():.3f} and {100 * regrets['with'].mean():.3f} points, "
            f"difference {change.to_dict()}"
        )
        for limit in HOURS:
            shown = {
                key: 100 * np.median([_regret_after(pair[key], limit) for pair in pairs])
                for key in ("without", "with")
            }
            print(f"  median regret after {limit} h: {shown}")


def _regret_after(found: dict[str, Any], hours: float) -> float:
    """Return the regret of the answer after some hours of training; NaN before there is an answer.

    A search that has ended earlier keeps its answer.
    """
    reached = [regret for at, regret in found["steps"] if at <= hours]
    return reached[-1] if reached else float("nan")


if __name__ == "__main__":
    app()
