"""Measures what untrained networks of all cells of a small space show, for the package to ship.

    python datasets/scripts/make_zero_cost_table.py measure nasbench201 zero_cost
    python datasets/scripts/make_zero_cost_table.py pack nasbench201 zero_cost

The same with `propagation` (how signals propagate) and `weight_information` (how outputs inform
about weights). Every cell's network is drawn once for each seed (:mod:`pyg_nas.measure.zero_cost`,
:mod:`pyg_nas.measure.propagation`, :mod:`pyg_nas.measure.weight_information`). Blocks of 100 cells
are written as they are finished, and an interrupted run resumes. `pack` averages over the seeds and
writes `datasets/SPACE_NUMBERS.npz`: a row for each cell in the order of the space. From zero-cost
numbers it takes noise (`edge_smoothing.py`); of the other numbers it averages the ranks among all
cells. `agree` compares the mean ranks of the propagation with other means.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import numpy as np
import torch
import typer
from edge_smoothing import smoothed
from numpy.typing import NDArray
from scipy.stats import rankdata

from pyg_nas.graphs.registry import find_space
from pyg_nas.io.files import atomic_path
from pyg_nas.measure.propagation import propagation
from pyg_nas.measure.weight_information import weight_information
from pyg_nas.measure.zero_cost import NOTHING, NUMBERS, zero_cost_numbers
from pyg_nas.metrics.regression import kendall_tau

Array = NDArray[np.float64]

BLOCK = 100
HERE = Path(__file__).parents[1]


class Numbers(str, Enum):
    """What is measured."""

    zero_cost = "zero_cost"
    propagation = "propagation"
    weight_information = "weight_information"


MEASURES = {
    Numbers.zero_cost: zero_cost_numbers,
    Numbers.propagation: propagation,
    Numbers.weight_information: weight_information,
}
# Of the others the ranks count, and half precision would make many of them equal.
STORED = dict.fromkeys(Numbers, np.float32) | {Numbers.zero_cost: np.float16}

app = typer.Typer(add_completion=False)
Folder = Annotated[Path, typer.Option(help="Where measured blocks are.")]
BLOCKS = Path("zero_cost_blocks")


@app.command()
def measure(
    space: str,
    numbers: Numbers,
    seeds: Annotated[int, typer.Option(min=1, help="Networks drawn for each cell.")] = 1,
    folder: Folder = BLOCKS,
) -> None:
    """Measure the blocks that are missing, in one thread."""
    torch.set_num_threads(1)
    folder.mkdir(exist_ok=True)
    cells = find_space(space).support.cells()
    for seed in range(seeds):
        for start in range(0, len(cells), BLOCK):
            path = _path(folder, space, numbers, seed, start)
            if path.exists():
                continue
            # A seed of its own for every network: cells share neither weights nor images.
            first = seed * 1_000_000 + start
            block = cells[start : start + BLOCK]
            found = [MEASURES[numbers](cell, first + row) for row, cell in enumerate(block)]
            with atomic_path(path) as temporary, temporary.open("wb") as file:
                np.save(file, np.array(found, dtype=np.float32))
            print(f"seed {seed}: {min(start + BLOCK, len(cells))} of {len(cells)}", flush=True)


@app.command()
def pack(space: str, numbers: Numbers, folder: Folder = BLOCKS) -> None:
    """Average over the seeds that are complete, and write the shipped file."""
    measured = _read(space, numbers, folder)
    if numbers is Numbers.zero_cost:
        packed, settings = smoothed(space, _mean(measured))
        for name, (share, noise) in zip(NUMBERS, settings, strict=True):
            print(f"{name}: share {share}, noise {noise}")
    else:
        packed = _mean_ranks(measured)
    with atomic_path(HERE / f"{space}_{numbers.value}.npz") as path, path.open("wb") as file:
        np.savez_compressed(file, statistics=packed.astype(STORED[numbers]))
    print(f"{len(packed)} cells, {len(measured)} seeds")


@app.command()
def agree(space: str, folder: Folder = BLOCKS) -> None:
    """Print Kendall's τ of AZ-NAS's joint ranks by one seed and by the mean of the others."""
    measured = _read(space, Numbers.propagation, folder)
    support = find_space(space).support
    macs = support.network.macs(support.cells())

    def joint(values: Array) -> Array:
        return np.log(rankdata(np.column_stack([values, macs]), axis=0)).sum(axis=1)

    for name, mean in {"of numbers": _mean, "of ranks": _mean_ranks}.items():
        taus = [
            kendall_tau(joint(measured[seed]), joint(mean(np.delete(measured, seed, axis=0))))
            for seed in range(len(measured))
        ]
        print(f"mean {name}: {np.mean(taus):.4f}")


def _read(space: str, numbers: Numbers, folder: Path) -> Array:
    """Return the measurements of the seeds that are complete, float64 ``[seeds, N, numbers]``."""
    cells = find_space(space).support.cells()
    seeds: list[Array] = []
    while True:
        starts = range(0, len(cells), BLOCK)
        paths = [_path(folder, space, numbers, len(seeds), start) for start in starts]
        if not all(path.exists() for path in paths):
            break
        seeds.append(np.concatenate([np.load(path) for path in paths]).astype(np.float64))
    if not seeds:
        raise typer.BadParameter(f"{folder} has no complete seed of {space}: run `measure` first")
    return np.stack(seeds)


def _mean(measured: Array) -> Array:
    """Return means over seeds ``[N, numbers]``."""
    measured = measured.copy()
    # The logarithm of zero has a stand-in far below all others; it would hide their differences.
    nothing = measured < NOTHING + 1
    for column in range(measured.shape[2]):
        values = measured[:, :, column]
        values[nothing[:, :, column]] = values[~nothing[:, :, column]].min() - 1
    return np.asarray(measured.mean(axis=0))


def _mean_ranks(measured: Array) -> Array:
    """Return means over seeds of the shares of cells that are lower ``[N, numbers]``."""
    return np.asarray((rankdata(measured, axis=1) - 0.5).mean(axis=0) / measured.shape[1])


def _path(folder: Path, space: str, numbers: Numbers, seed: int, start: int) -> Path:
    return folder / f"{space}-{numbers.value}-{seed}-{start:05d}.npy"


if __name__ == "__main__":
    app()
