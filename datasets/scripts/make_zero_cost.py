"""Measures zero-cost numbers of many cells, and fits the network that predicts them for all.

    python datasets/scripts/make_zero_cost.py measure --cells 65000
    python datasets/scripts/make_zero_cost.py fit

Cells come in the order of one random permutation of all 423,624, so the finished ones are a
uniform sample. Blocks of 500 are written as they are finished: stop it at any time, the same
command resumes. Several networks are trained on the measurements, and the shipped one on the mean
of their predictions for more cells: as good as all of them, in a fraction of the time.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import typer
from joblib import Parallel, delayed
from numpy.typing import NDArray

from pyg_nas.data.tables.shipped import ZERO_COST_NETWORK
from pyg_nas.features.graph_features import CellFeatures, cell_features
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.graphs.enumeration import sample_cells
from pyg_nas.io.files import atomic_path
from pyg_nas.measure.zero_cost import NUMBERS, zero_cost_numbers
from pyg_nas.predictors.gnn.residual import ResidualGNNRegressor
from pyg_nas.predictors.labelled_features import LabelledFeatures
from pyg_nas.predictors.storage.folder import save_model

SAMPLE_SEED = 1
BLOCK = 500
# Chosen by the correlation of a recipe's ranks on development cells, see docs/predictor.md.
TEACHERS = 4
TAUGHT_CELLS, TAUGHT_SEED = 150_000, 2
NETWORK: dict[str, Any] = {
    "hidden": 64,
    "dropout": 0.0,
    "epochs": 25,
    "batch_size": 256,
    "learning_rate": 3e-3,
}
HERE = Path(__file__).parents[1]

Array = NDArray[np.float64]

app = typer.Typer(add_completion=False)
Folder = Annotated[Path, typer.Option(help="Where measured blocks are.")]
BLOCKS = Path("zero_cost")


@app.command()
def measure(
    cells: Annotated[int, typer.Option(min=1, help="Cells, in whole blocks of 500.")] = 65_000,
    folder: Folder = BLOCKS,
    jobs: Annotated[int, typer.Option(help="Processes.")] = os.cpu_count() or 1,
) -> None:
    """Measure what is missing of the first cells of the draw."""
    folder.mkdir(exist_ok=True)
    blocks = -(-cells // BLOCK)
    drawn = sample_cells(blocks * BLOCK, SAMPLE_SEED)
    missing = [block for block in range(blocks) if not _path(folder, block).exists()]
    tasks = (delayed(_measure_block)(folder, drawn, block) for block in missing)
    for done, block in enumerate(Parallel(jobs, return_as="generator_unordered")(tasks), 1):
        print(f"block {block}: {done} of {len(missing)}", flush=True)


@app.command()
def fit(folder: Folder = BLOCKS) -> None:
    """Fit the network to the blocks from the first to the last before one is missing."""
    blocks: list[NDArray[np.float32]] = []
    while (path := _path(folder, len(blocks))).exists():
        blocks.append(np.load(path))
    if not blocks:
        raise typer.BadParameter(f"{folder} has no measured block: run `measure` first")
    measured = np.concatenate(blocks).astype(np.float64)
    cells = sample_cells(len(measured), SAMPLE_SEED)
    teachers = _trained(TEACHERS, cells, cell_features(cells), measured)
    taught = sample_cells(TAUGHT_CELLS, TAUGHT_SEED)
    features = cell_features(taught)
    told = teachers.predict_features(taught, features).mean(axis=0)
    network = _trained(1, taught, features, told)
    about = {
        "cells": len(cells),
        "sample_seed": SAMPLE_SEED,
        "teachers": TEACHERS,
        "taught_cells": TAUGHT_CELLS,
        "taught_seed": TAUGHT_SEED,
        # Of one teacher. The rest is mostly noise of the measurement, which draws other weights
        # and images for each cell.
        "explained_variance": _explained(teachers, measured),
        "explained_variance_of_teachers": _explained(network, told),
    }
    # They serve this report only, and would be most of the file.
    network.held_out_ = network.held_out_[:0]
    network.held_out_prediction_ = network.held_out_prediction_[:0]
    save_model(network, HERE / ZERO_COST_NETWORK, about)
    print(about)


def _trained(
    members: int, cells: CellArray, features: CellFeatures, targets: Array
) -> ResidualGNNRegressor:
    network = ResidualGNNRegressor(
        members, **NETWORK, progress=lambda epoch, loss: print(epoch, loss, flush=True)
    )
    return network.fit_features(cells, LabelledFeatures(features, targets))


def _explained(network: ResidualGNNRegressor, targets: Array) -> dict[str, float]:
    """By statistic, on the tenth of the cells that each member leaves out."""
    unseen = targets[network.held_out_]
    errors = np.square(unseen - network.held_out_prediction_).mean(axis=0)
    explained = 1 - errors / unseen.var(axis=0)
    return dict(zip(NUMBERS, explained.round(4).tolist(), strict=True))


def _measure_block(folder: Path, drawn: CellArray, block: int) -> int:
    torch.set_num_threads(1)
    rows = range(block * BLOCK, (block + 1) * BLOCK)
    found = np.stack([zero_cost_numbers(drawn[row], seed=row) for row in rows])
    with atomic_path(_path(folder, block)) as temporary, temporary.open("wb") as file:
        np.save(file, found.astype(np.float32))
    return block


def _path(folder: Path, block: int) -> Path:
    return folder / f"{block:04d}.npy"


if __name__ == "__main__":
    app()
