"""From cells to a ready PyG dataset, and from the dataset to batches, against PyG's own way."""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch_geometric.data import InMemoryDataset
from torch_geometric.loader import DataLoader

from benchmarks.measurement import interleaved, now, parsed, show, write_result
from pyg_nas.data.datasets.loader import CollatedLoader
from pyg_nas.data.datasets.of_spaces import NASBench101
from pyg_nas.data.tables.table import Table
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.spaces.nasbench101 import nasbench101_cells


def loop_and_collate(cells: CellArray) -> None:
    InMemoryDataset.collate([cell.to_data() for cell in cells])


def exhaust(batches: Iterable[object]) -> None:
    for _ in batches:
        pass


def made_up_table(cells: CellArray) -> Table:
    """A table as large as the official one; the accuracies are random, the cells real."""
    metrics = np.random.default_rng(0).random((len(cells), 4, 3, 2, 4), dtype=np.float32)
    return Table(cells, metrics)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--slow-cells", type=int, default=20_000, help="cells of PyG's own way")
    parser.add_argument("--batches", type=int, nargs="+", default=[10, 256, 2048])
    parser.add_argument("--table", type=int, default=0, help="also a table of so many cells")
    arguments = parsed(parser)
    torch.set_num_threads(arguments.threads)
    cells = nasbench101_cells()
    rows = np.sort(np.random.default_rng(0).permutation(len(cells))[: arguments.slow_cells])
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        built = partial(NASBench101, root, cells, force_reload=True)
        loaded = partial(NASBench101, root, cells)
        seconds = interleaved(
            {
                "first build": built,
                "later load": loaded,
                "loop of Data and collate": partial(loop_and_collate, cells[rows]),
            },
            arguments.repeats,
        )
        seconds["loop of Data and collate"] *= len(cells) / len(rows)
        if arguments.table:
            part = cells[: arguments.table]
            made_up_table(part).save(root / "table.hdf5")
            start = now()
            NASBench101(root / "of_table", root / "table.hdf5")
            seconds[f"first build from a table of {len(part)} cells"] = now() - start
            start = now()
            NASBench101(root / "of_table", root / "table.hdf5")
            seconds[f"later load from a table of {len(part)} cells"] = now() - start
        dataset = loaded()
        part = dataset[rows]
        rates = {}
        for size in arguments.batches:
            taken = interleaved(
                {
                    "PyG DataLoader": partial(
                        exhaust, DataLoader(part, batch_size=size, shuffle=True)
                    ),
                    "CollatedLoader": partial(
                        exhaust, CollatedLoader(part, size, shuffle=True, generator=0)
                    ),
                },
                arguments.repeats,
            )
            rates[size] = {name: len(rows) / value for name, value in taken.items()}
    loop = seconds["loop of Data and collate"]
    show(
        f"A dataset of {len(cells):,} cells",
        ["way", "s", "faster than the loop by"],
        [[name, f"{value:.2f}", f"{loop / value:.1f}"] for name, value in seconds.items()],
    )
    show(
        "Batches of a shuffled dataset",
        ["graphs in a batch", "DataLoader, cells/s", "CollatedLoader, cells/s", "faster by"],
        [
            [
                str(size),
                f"{rate['PyG DataLoader']:,.0f}",
                f"{rate['CollatedLoader']:,.0f}",
                f"{rate['CollatedLoader'] / rate['PyG DataLoader']:.1f}",
            ]
            for size, rate in rates.items()
        ],
    )
    write_result(
        "load",
        {
            "cells": len(cells),
            "cells_timed_in_the_loop": len(rows),
            "repeats": arguments.repeats,
            "seconds": seconds,
            "faster_than_the_loop_by": {name: loop / value for name, value in seconds.items()},
            "batches_cells_per_second": rates,
            "batches_faster_by": {
                size: rate["CollatedLoader"] / rate["PyG DataLoader"]
                for size, rate in rates.items()
            },
        },
        arguments.results,
    )


if __name__ == "__main__":
    main()
