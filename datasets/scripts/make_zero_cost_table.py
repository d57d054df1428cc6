"""Measures zero-cost features of all cells of a small space, for the package to ship.

    python datasets/scripts/make_zero_cost_table.py measure nasbench201 --seeds 4
    python datasets/scripts/make_zero_cost_table.py pack nasbench201

Every cell's network is drawn once for each seed (:mod:`pyg_nas.measure.zero_cost`). Blocks of 100
cells are written as they are finished, and an interrupted run resumes. ``pack`` averages over the
seeds and writes ``datasets/zero_cost/SPACE.hdf5``.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import h5py
import numpy as np
import torch
import typer
from joblib import Parallel, delayed

from pyg_nas.graphs.registry import find_space
from pyg_nas.io.files import atomic_path
from pyg_nas.measure.zero_cost import STATISTICS, zero_cost_statistics

BLOCK = 100
HERE = Path(__file__).parents[1]

app = typer.Typer(add_completion=False)
Folder = Annotated[Path, typer.Option(help="Where measured blocks are.")]
BLOCKS = Path("zero_cost_blocks")


@app.command()
def measure(
    space: str,
    seeds: Annotated[int, typer.Option(min=1, help="Networks drawn for each cell.")] = 4,
    folder: Folder = BLOCKS,
    jobs: Annotated[int, typer.Option(help="Processes.")] = os.cpu_count() or 1,
) -> None:
    """Measure the blocks that are missing."""
    folder.mkdir(exist_ok=True)
    total = len(find_space(space).support.cells())
    wanted = [(seed, start) for seed in range(seeds) for start in range(0, total, BLOCK)]
    missing = [key for key in wanted if not _path(folder, space, *key).exists()]
    tasks = (delayed(_measure_block)(folder, space, *key) for key in missing)
    for done, key in enumerate(Parallel(jobs, return_as="generator_unordered")(tasks), 1):
        print(f"seed {key[0]}, cells from {key[1]}: {done} of {len(missing)}", flush=True)


@app.command()
def pack(space: str, folder: Folder = BLOCKS) -> None:
    """Average over the seeds that are complete, and write the shipped file."""
    cells = find_space(space).support.cells()
    seeds = []
    while True:
        paths = [_path(folder, space, len(seeds), s) for s in range(0, len(cells), BLOCK)]
        if not all(path.exists() for path in paths):
            break
        seeds.append(np.concatenate([np.load(path) for path in paths]))
    if not seeds:
        raise typer.BadParameter(f"{folder} has no complete seed of {space}: run `measure` first")
    measured = np.stack(seeds).astype(np.float64)  # [seeds, N, statistics]
    # The logarithm of zero has a stand-in far below all others; it would hide their differences.
    nothing = measured < np.log(1e-29)
    for column in range(measured.shape[2]):
        values = measured[:, :, column]
        values[nothing[:, :, column]] = values[~nothing[:, :, column]].min() - 1
    mean = measured.mean(axis=0).astype(np.float32)
    noise = measured.std(axis=0, ddof=1).mean(axis=0) / mean.std(axis=0) if len(seeds) > 1 else None
    with atomic_path(HERE / "zero_cost" / f"{space}.hdf5") as path, h5py.File(path, "w") as file:
        file.create_dataset("features", data=mean, compression="gzip", shuffle=True)
        file.create_dataset("hash", data=cells.hashes(), compression="gzip")
        file.attrs["names"] = list(STATISTICS)
        file.attrs["seeds"] = len(seeds)
    print(f"{len(cells)} cells, {len(seeds)} seeds")
    if noise is not None:
        print(dict(zip(STATISTICS, noise.round(2).tolist(), strict=True)))


def _measure_block(folder: Path, space: str, seed: int, start: int) -> tuple[int, int]:
    torch.set_num_threads(1)
    cells = find_space(space).support.cells()[start : start + BLOCK]
    # A seed of its own for every network: cells share neither weights nor images.
    first = seed * 1_000_000 + start
    found = [zero_cost_statistics(cell, seed=first + row) for row, cell in enumerate(cells)]
    with atomic_path(_path(folder, space, seed, start)) as temporary, temporary.open("wb") as file:
        np.save(file, np.array(found, dtype=np.float32))
    return seed, start


def _path(folder: Path, space: str, seed: int, start: int) -> Path:
    return folder / f"{space}-{seed}-{start:05d}.npy"


if __name__ == "__main__":
    app()
