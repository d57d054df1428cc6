"""Score all 423,624 cells of NAS-Bench-101: by shared terms, densely, and the plain way."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from functools import partial

import numpy as np
import torch

from benchmarks.measurement import interleaved, now, parsed, peak_memory, show, write_result
from benchmarks.reproduction import CellDictionaries, score_plainly
from pyg_nas.engine.score import score
from pyg_nas.engine.shared_terms import (
    SHARED_LAYERS,
    Refinement,
    SpaceTables,
    refine,
    space_refinement,
)
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.nn.dense import DenseCells, DenseGCN, dense_cells
from pyg_nas.nn.gcn import GCN
from pyg_nas.spaces.nasbench101 import NASBENCH101, NUM_NASBENCH101_CELLS, nasbench101_cells


def network(seed: int = 0, width: int = 144) -> GCN:
    torch.manual_seed(seed)
    return GCN(5, width).eval()


@torch.no_grad()
def score_densely(model: GCN, dense: DenseCells, batch_size: int) -> torch.Tensor:
    network = DenseGCN([model])
    parts = zip(*(tensor.split(batch_size) for tensor in dense), strict=True)
    return torch.cat([network(DenseCells(*part))[0] for part in parts])


def some_blocks(cells: CellArray, tables: Refinement, count: int) -> tuple[CellArray, Refinement]:
    """Return some random blocks, whose time per cell is that of all of them."""
    ends = np.cumsum([len(block.num_vertices) for block in tables.blocks])
    chosen = np.sort(np.random.default_rng(0).permutation(len(ends))[:count])
    blocks = tuple(tables.blocks[b] for b in chosen)
    rows = np.concatenate(
        [tables.order[ends[b] - len(tables.blocks[b].num_vertices) : ends[b]] for b in chosen]
    )
    return cells[rows], replace(tables, order=np.arange(len(rows)), blocks=blocks)


def score_once(threads: int) -> None:
    torch.set_num_threads(threads)
    score([network()], space_refinement(NASBENCH101))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--plain-cells", type=int, default=40_000, help="cells of the slow path")
    parser.add_argument("--blocks", type=int, help="time so many random blocks of the tables only")
    parser.add_argument("--members", type=int, default=5, help="size of the ensemble")
    arguments = parsed(parser, repeats=3, blocks=2, plain_cells=20_000)
    torch.set_num_threads(arguments.threads)

    cells = nasbench101_cells()
    space_refinement(NASBENCH101)  # made here where it is not cached yet
    start = now()
    tables = SpaceTables().refinement(NASBENCH101, SHARED_LAYERS)
    loaded = now() - start
    if arguments.blocks:
        cells, tables = some_blocks(cells, tables, arguments.blocks)
    start = now()
    refine(cells)
    refined = now() - start
    model, dense = network(), dense_cells(cells)
    slow = min(arguments.plain_cells, len(cells))
    rows = np.sort(np.random.default_rng(0).permutation(len(cells))[:slow])
    plain = CellDictionaries(cells[rows])
    members = [network(seed) for seed in range(arguments.members)]

    score([model], some_blocks(cells, tables, 1)[1])  # compiles or loads the compiled code
    start = now()
    exact = score([model], tables)[0]
    first = now() - start
    differences = {
        "dense": float(np.abs(exact - score_densely(model, dense, 512).numpy()).max()),
        "DataLoader": float(np.abs(exact[rows] - score_plainly(model, plain).numpy()).max()),
    }
    ensemble = f"shared terms, {arguments.members} members"
    seconds = interleaved(
        {
            "shared terms": partial(score, [model], tables),
            ensemble: partial(score, members, tables),
            "dense, batches of 512": partial(score_densely, model, dense, 512),
            "DataLoader, batches of 1000": partial(score_plainly, model, plain),
        },
        arguments.repeats,
        warmups=0,
    )
    scored = {name: len(cells) for name in seconds}
    scored[ensemble] *= arguments.members
    scored["DataLoader, batches of 1000"] = len(rows)
    rates = {name: scored[name] / seconds[name] for name in seconds}
    peak = peak_memory(score_once, arguments.threads)

    show(
        f"Scoring at width 144, timed on {len(cells):,} cells",
        ["path", "cells/s", "s for 423,624", "shared terms are faster by"],
        [
            [
                name,
                f"{rate:,.0f}",
                f"{NUM_NASBENCH101_CELLS / rate:.2f}",
                f"{rates['shared terms'] / rate:.2f}",
            ]
            for name, rate in rates.items()
        ],
    )
    print(f"The first time in a process, with new memory: {first:.2f} s")
    print(f"Tables: of these cells made in {refined:.1f} s, of all loaded in {loaded:.2f} s")
    print(f"Peak memory of one process that scores: {peak / 2**30:.2f} GiB")
    print(f"Largest differences from them: {differences}")
    write_result(
        "score_space",
        {
            "cells_timed": len(cells),
            "cells_timed_through_dataloader": len(rows),
            "repeats": arguments.repeats,
            "cells_per_second": rates,
            "seconds_the_first_time": first,
            "shared_terms_faster_by": {n: rates["shared terms"] / r for n, r in rates.items()},
            "seconds_to_make_tables_of_the_timed_cells": refined,
            "seconds_to_load_tables": loaded,
            "peak_bytes": peak,
            "largest_differences": differences,
            "terms_per_layer": [tables.num_terms(layer + 1) for layer in range(tables.shared)],
        },
        arguments.results,
    )


if __name__ == "__main__":
    main()
