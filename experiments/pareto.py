"""Selecting on the Pareto front of accuracy and cost, with predicted accuracy and predicted time.

    python experiments/pareto.py TABLE [--recipe small-gp] [--seeds 20]

172 random cells are trained; accuracy is predicted by the recipe, training time by
``TimeRegressor``, parameters are exact. The cells on the front of the predictions are compared
with the true front: hypervolume in the unit square of both axes, scaled over all cells. Beside it
the front of the 172 trained cells alone, and of as many cells more, drawn at random.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from scipy.stats import kendalltau

from pyg_nas.data.protocols.protocol import Protocol
from pyg_nas.data.tables.sources import open_table
from pyg_nas.data.tables.table import Table
from pyg_nas.io.files import write_text
from pyg_nas.metrics.intervals import mean_interval, paired_difference
from pyg_nas.metrics.pareto import pareto_front
from pyg_nas.predictors.cost.training_time import TimeRegressor
from pyg_nas.predictors.recipes import make_estimator
from pyg_nas.visualization import pareto as draw_pareto
from pyg_nas.visualization import save_figure

RESULTS = Path(__file__).parent / "results"
IMAGES = Path(__file__).parents[1] / "docs" / "images"
LAYERS = 3


def hypervolume(accuracy: np.ndarray, cost: np.ndarray) -> float:
    """Area that the front dominates in the unit square, accuracy up and cost down."""
    front = pareto_front(accuracy, cost)
    if not len(front):
        return 0.0
    ends = np.append(cost[front][1:], 1.0)
    return float(np.sum((ends - cost[front]) * accuracy[front]))


def scaled(values: np.ndarray, low: float, high: float) -> np.ndarray:
    return np.clip((values - low) / (high - low), 0.0, 1.0)


def layers(accuracy: np.ndarray, cost: np.ndarray, count: int) -> np.ndarray:
    """The first ``count`` fronts, each of what the earlier ones leave: predictions are noisy."""
    left = np.arange(len(accuracy))
    chosen: list[int] = []
    for _ in range(count):
        front = left[pareto_front(accuracy[left], cost[left])]
        chosen += front.tolist()
        left = np.setdiff1d(left, front)
    return np.array(chosen)


def one_seed(table: Table, recipe: str, seed: int) -> dict[str, Any]:
    label = table.default_label
    split = Protocol(train="172", split_seed=seed, label=label).apply(table)
    accuracy = table.label(label)
    seconds = table.training_seconds(label)
    costs = {"seconds": seconds, "parameters": table.trainable_parameters.astype(float)}
    estimator = make_estimator(recipe, label, seed, "cpu")
    estimator.fit(table.cells[split.train], split.train_labels)
    predicted = estimator.predict(table.cells)
    time = TimeRegressor().fit(table.cells[split.train], seconds[split.train])
    predicted_cost = {"seconds": time.predict(table.cells), "parameters": costs["parameters"]}
    figures: dict[str, Any] = {
        "seed": seed,
        "tau_seconds": float(
            kendalltau(predicted_cost["seconds"][split.evaluate], seconds[split.evaluate]).statistic
        ),
        "tau_seconds_by_parameters": float(
            kendalltau(
                table.trainable_parameters[split.evaluate], seconds[split.evaluate]
            ).statistic
        ),
    }
    rng = np.random.default_rng(seed)
    # No one would choose a cell below 80 %; such cells count as 80 %.
    up = scaled(accuracy, 0.8, accuracy.max())
    for name, cost in costs.items():
        logs = np.log(cost)
        down = scaled(logs, logs.min(), logs.max())
        rest = split.evaluate
        wanted = rest[layers(predicted[rest], predicted_cost[name][rest], LAYERS)]
        more = rng.choice(rest, len(wanted), replace=False)
        whole = hypervolume(up, down)
        figures[name] = {
            "trained_more": len(wanted),
            "predicted": hypervolume(*both(up, down, split.train, wanted)) / whole,
            "random": hypervolume(*both(up, down, split.train, more)) / whole,
            "trained_only": hypervolume(up[split.train], down[split.train]) / whole,
        }
    return figures


def both(
    up: np.ndarray, down: np.ndarray, one: np.ndarray, two: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    rows = np.concatenate([one, two])
    return up[rows], down[rows]


def main(
    table: Path,
    recipe: Annotated[str, typer.Option()] = "small-gp",
    seeds: Annotated[int, typer.Option()] = 20,
) -> None:
    loaded = open_table(table)
    runs = [one_seed(loaded, recipe, seed) for seed in range(seeds)]
    summary: dict[str, Any] = {
        "table": table.name,
        "recipe": recipe,
        "tau_seconds": mean_interval([r["tau_seconds"] for r in runs]).to_dict(),
        "tau_seconds_by_parameters": mean_interval(
            [r["tau_seconds_by_parameters"] for r in runs]
        ).to_dict(),
    }
    for cost in ("seconds", "parameters"):
        columns = {key: [run[cost][key] for run in runs] for key in runs[0][cost]}
        summary[cost] = {
            **{key: mean_interval(values).to_dict() for key, values in columns.items()},
            "predicted_minus_random": paired_difference(
                columns["predicted"], columns["random"]
            ).to_dict(),
        }
    stem = f"pareto_{table.stem}_{recipe}"
    write_text(RESULTS / f"{stem}.json", json.dumps({**summary, "seeds": runs}, indent=1) + "\n")
    label = loaded.default_label
    IMAGES.mkdir(parents=True, exist_ok=True)
    # A bitmap: as a vector picture every cell would be an element of its own.
    figure = draw_pareto(
        loaded.label(label),
        loaded.training_seconds(label),
        cost_name="training time, s",
        title=f"{table.stem}: validation accuracy of {len(loaded):,} cells",
    )
    save_figure(figure, IMAGES / f"pareto_{table.stem}.png")
    print(json.dumps(summary, indent=1))


if __name__ == "__main__":
    typer.run(main)
