"""The recipe transfer: on the shipped tables with a space or task left out, and on benchmarks.

    python experiments/transfer.py numbers
    python experiments/transfer.py own
    python experiments/transfer.py evaluate nasbench201.hdf5 transnasbench101.hdf5

`numbers` ranks the cells of each shipped table by each zero-cost number of untrained networks.
`own` leaves the tables of a space or of a task out and ranks the cells of one of them: by the
common process, and by 10 to 200 of their labels beside the recipe fast. Settings are chosen by
these figures alone. `evaluate` ranks the architectures
of public benchmarks, none of whose accuracies the package contains: by no label, and by 10 to 200
labels of the benchmark. Validation metrics train, test metrics rank; every draw is evaluated on all
architectures outside of the training ones, as published, and on those that compute another
function. On TransNAS-Bench-101 each metric is one training run.

Finished runs are written as they come, and an interrupted run resumes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import h5py
import numpy as np
import typer
from finished_runs import append_line, digest_of, finished_runs

from pyg_nas.data.tables.shipped import shipped_table
from pyg_nas.features.graph_features import cell_features
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.registry import find_space
from pyg_nas.io.files import write_text
from pyg_nas.measure.zero_cost import NUMBERS
from pyg_nas.metrics.regression import kendall_tau
from pyg_nas.predictors.recipes import make_estimator
from pyg_nas.predictors.transfer.common_process import common_digest, shipped_names, table_latents
from pyg_nas.predictors.transfer.regressor import TransferRegressor
from pyg_nas.predictors.transfer.scores import process_scores, proxy_scores, transfer_scores
from pyg_nas.predictors.zero_cost import zero_cost_features

RESULTS = Path(__file__).parent / "results"
TABLES = {
    "nasbench_digits.hdf5": ("NAS-Bench-101", "digits"),
    "nasbench201_digits.hdf5": ("NAS-Bench-201", "digits"),
    "nasbench201_textures.hdf5": ("NAS-Bench-201", "textures"),
}
DRAWS = 20
OWN_SIZES, OWN_DRAWS = (10, 20, 50, 200), 10
NASBENCH201_SIZES, TRANSNAS_SIZES = (10, 20, 50), (10, 20, 50, 100, 200)
NASBENCH201_TASKS = ("cifar10", "cifar100", "ImageNet16-120")
TRANSNAS_METRICS = {
    "class_scene": "top1",
    "class_object": "top1",
    "room_layout": "neg_loss",
    "jigsaw": "top1",
    "segmentsemantic": "mIoU",
    "normal": "ssim",
    "autoencoder": "ssim",
}

app = typer.Typer(add_completion=False)


@app.command()
def numbers() -> None:
    """Rank the cells of the shipped tables by each zero-cost number."""
    taus: dict[str, dict[str, float]] = {number: {} for number in NUMBERS}
    for name in TABLES:
        table = shipped_table(name)
        latents = table_latents(table)
        found = zero_cost_features(table.cells, cell_features(table.cells))
        for number, values in zip(NUMBERS, found.T, strict=True):
            taus[number][name] = float(kendall_tau(latents, values))
    write_text(RESULTS / "transfer_numbers.json", json.dumps({"tau": taus}, indent=1) + "\n")
    for number, by_table in taus.items():
        print(f"{number}: {' '.join(f'{tau:.3f}' for tau in by_table.values())}")


@app.command()
def own() -> None:
    """Leave a space or a task of the shipped tables out, and rank its cells."""
    tables = {name: shipped_table(name) for name in TABLES}
    figures = []
    for name, (space, task) in TABLES.items():
        kept = {
            "space left out": [n for n, (other, _) in TABLES.items() if other != space],
            "task left out": [n for n, (_, other) in TABLES.items() if other != task],
        }
        for rule, others in kept.items():
            table, latents = tables[name], table_latents(tables[name])
            tau = kendall_tau(latents, transfer_scores(table.cells, others))
            by_tables = kendall_tau(latents, process_scores(table.cells, tuple(others)))
            cells = {other: len(tables[other]) for other in others}
            few = _few_labels(table.cells, latents, tuple(others))
            figures.append(
                {"ranked": name, "cells": len(table), "rule": rule, "fitted_to": cells,
                 "tau": float(tau), "tau_of_shipped_tables_alone": float(by_tables),
                 "by_labels": few}
            )  # fmt: skip
            print(f"{name}, {rule}: {tau:.3f} {few}", flush=True)
    write_text(RESULTS / "transfer_own.json", json.dumps({"figures": figures}, indent=1) + "\n")


def _few_labels(cells: CellArray, labels: np.ndarray, tables: tuple[str, ...]) -> list[Any]:
    """Return mean τ of the recipes by number of labels; transfer uses some shipped tables."""

    class Transfer(TransferRegressor):
        def usable_tables(self, cells: CellArray, labels: np.ndarray) -> tuple[str, ...]:
            return tables

    figures = []
    for size in OWN_SIZES:
        taus: dict[str, list[float]] = {"transfer": [], "fast": []}
        for draw in range(OWN_DRAWS):
            order = np.random.default_rng(draw).permutation(len(cells))
            train, rest = order[:size], order[size:]
            # Features that are transferred to NAS-Bench-101 contain the digits.
            scratch = make_estimator("fast", seed=draw).set_params(transfer=False)
            models = {"transfer": Transfer(ensemble_size=0, random_state=draw), "fast": scratch}
            for name, model in models.items():
                scores = model.fit(cells[train], labels[train]).predict(cells[rest])
                taus[name].append(float(kendall_tau(labels[rest], scores)))
        figures.append({"labels": size, **{name: float(np.mean(t)) for name, t in taus.items()}})
    return figures


@dataclass(frozen=True)
class Benchmark:
    """Architectures of one task, and their metrics."""

    space: str
    task: str
    cells: CellArray
    validation: np.ndarray
    test: np.ndarray
    sizes: tuple[int, ...]


def nasbench201_benchmarks(path: Path) -> Iterator[Benchmark]:
    """Yield the data sets of NAS-Bench-201."""
    with h5py.File(path) as file:
        for task in NASBENCH201_TASKS:
            pair = [file[f"epochs200/{task}/{what}_mean"][:] for what in ("val", "test")]
            yield _benchmark("nasbench201", task, file["operations"][:], *pair, NASBENCH201_SIZES)


def transnas_benchmarks(path: Path) -> Iterator[Benchmark]:
    """Yield the tasks of TransNAS-Bench-101, with the architectures in one order."""
    with h5py.File(path) as file:
        for task, metric in TRANSNAS_METRICS.items():
            pair = [file[f"{task}/{what}_{metric}"][:] for what in ("valid", "test")]
            yield _benchmark("transnasbench101", task, file["operations"][:], *pair, TRANSNAS_SIZES)


def _benchmark(
    space: str,
    task: str,
    operations: np.ndarray,
    validation: np.ndarray,
    test: np.ndarray,
    sizes: tuple[int, ...],
) -> Benchmark:
    support: Any = find_space(space).support
    rows = np.flatnonzero(np.isfinite(validation) & np.isfinite(test))
    cells = support.cells_of_codes(support.edge_cells.codes(operations[rows]))
    return Benchmark(space, task, cells, validation[rows], test[rows], sizes)


@app.command()
def evaluate(
    nasbench201: Annotated[Path, typer.Argument(help="Measurements of NAS-Bench-201.")],
    transnas: Annotated[Path, typer.Argument(help="Measurements of TransNAS-Bench-101 micro.")],
    draws: Annotated[int, typer.Option(help="Draws of training architectures.")] = DRAWS,
    recipe: Annotated[str, typer.Option(help="Recipe that is fitted to labels.")] = "transfer",
) -> None:
    """Rank the architectures of public benchmarks by no and by few labels."""
    out = RESULTS / f"few_labels_{recipe}.json"
    path = out.with_suffix(".jsonl")
    opened = [*nasbench201_benchmarks(nasbench201), *transnas_benchmarks(transnas)]
    shipped = common_digest(shipped_names(), find_space("nasbench201"))
    arrays = [array for b in opened for array in (b.cells.hashes(), b.validation, b.test)]
    digest = f"{shipped}-{digest_of(*arrays)}"
    done = finished_runs(path, digest)
    known = {(r["space"], r["task"], r["train"], r["draw"]) for r in done}
    jobs = [(b, 0, 0) for b in opened]
    jobs += [(b, size, draw) for draw in range(draws) for b in opened for size in b.sizes]
    for benchmark, size, draw in jobs:
        key = (benchmark.space, benchmark.task, size, draw)
        if key not in known:
            taus = taus_of_draw(benchmark, recipe, size, draw)
            names = ("space", "task", "train", "draw")
            done.append({"data": digest, **dict(zip(names, key, strict=True)), **taus})
            append_line(path, done[-1])
    figures = [
        {"space": b.space, "task": b.task, "train": size, "draws": len(found),
         "architectures": len(b.cells),
         **{f"{key}_{name}": float(reduce([r[key] for r in found]))
            for key in ("tau_all_others", "tau_other_cells")
            for name, reduce in (("mean", np.mean), ("std", np.std))}}
        for b in opened
        for size in (0, *b.sizes)
        if (found := [r for r in done
                      if (r["space"], r["task"], r["train"]) == (b.space, b.task, size)])
    ]  # fmt: skip
    about = {
        "recipe": recipe,
        "trained_on": "validation metric (NAS-Bench-201: mean of runs, 200 epochs)",
        "ranked_by": "test metric (NAS-Bench-201: mean of runs, 200 epochs)",
        "shipped_cells": {name: len(shipped_table(name)) for name in TABLES},
        **{
            f"tau_of_{what}_alone": {
                f"{b.space} {b.task}": float(kendall_tau(b.test, scores(b.cells))) for b in opened
            }
            for what, scores in (
                ("untrained_networks", proxy_scores),
                ("shipped_tables", lambda cells: process_scores(cells, shipped_names())),
            )
        },
    }
    write_text(out, json.dumps({**about, "figures": figures}, indent=1) + "\n")
    for row in figures:
        print(f"{row['space']} {row['task']} {row['train']}: {row['tau_all_others_mean']:.3f}")


def taus_of_draw(benchmark: Benchmark, recipe: str, size: int, draw: int) -> dict[str, float]:
    """Return τ of a recipe that is trained on ``size`` random architectures of a benchmark."""
    cells, hashes = benchmark.cells, benchmark.cells.hashes()
    order = np.random.default_rng(draw).permutation(len(cells))
    train, rest = order[:size], order[size:]
    # Equal cells have equal predictions.
    _, first, place = np.unique(hashes, return_index=True, return_inverse=True)
    if size:
        model = make_estimator(recipe, seed=draw).fit(cells[train], benchmark.validation[train])
        scores = model.predict(cells[first])[place]
    else:
        scores = transfer_scores(cells[first])[place]
    other = rest[~np.isin(hashes[rest], hashes[train])]
    return {
        "tau_all_others": float(kendall_tau(benchmark.test[rest], scores[rest])),
        "tau_other_cells": float(kendall_tau(benchmark.test[other], scores[other])),
    }


if __name__ == "__main__":
    app()
