"""Score streams of 10^5 to 10^8 cells: time, peak memory, and a calculation for 10^10.

Each length is a process of its own that draws cells of NAS-Bench-101 in random order, hashes them,
scores them by the paper's network of width 144 and keeps the best. Their terms are shared within a
block only.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from benchmarks.measurement import parsed, peak_memory, show, write_result
from pyg_nas.engine.shared_terms import BLOCK_CELLS
from pyg_nas.graphs.cell_array import CellArray
from pyg_nas.predictors.gcn import GCNRegressor
from pyg_nas.scoring import ScoringTask, generator_blocks, score_stream
from pyg_nas.spaces.nasbench101 import NASBENCH101, nasbench101_cells

LENGTHS = (10**5, 10**6, 10**7, 10**8)
FAR = 10**10
TOP = 1_000


def draws(length: int) -> Iterator[CellArray]:
    """Yield ``length`` cells in random order, all of the space before one comes again."""
    cells = nasbench101_cells()
    rng = np.random.default_rng(0)
    left = length
    while left:
        order = rng.permutation(len(cells))[:left]
        for start in range(0, len(order), BLOCK_CELLS):
            yield cells[order[start : start + BLOCK_CELLS]]
        left -= len(order)


def run(length: int, seconds_file: str) -> None:
    """Score a stream in this process and write the seconds that it took."""
    torch.manual_seed(0)
    cells = nasbench101_cells()[:200]
    labels = cells.trainable_parameters() / 5e7
    estimator = GCNRegressor(hidden=144, epochs=1).fit(cells, labels)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()
        blocks = generator_blocks(lambda: draws(length), NASBENCH101)
        score_stream(ScoringTask(estimator, top=TOP), blocks, Path(folder) / "best.csv")
        Path(seconds_file).write_text(repr(time.perf_counter() - start))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--longest", type=int, default=10**7, help="the longest stream")
    arguments = parsed(parser, longest=10**6)
    found: dict[int, dict[str, float]] = {}
    for length in LENGTHS:
        if length > arguments.longest:
            break
        with tempfile.TemporaryDirectory() as folder:
            file = str(Path(folder) / "seconds")
            peak = peak_memory(run, length, file)
            seconds = float(Path(file).read_text())
        found[length] = {
            "seconds": seconds, "cells_per_second": length / seconds, "peak_bytes": peak
        }  # fmt: skip
    # What a stream costs: a start, and the same for each further cell. The line through the first
    # two lengths is compared with the longer ones, which it does not know.
    first, second = list(found)[:2]
    per_cell = (found[second]["seconds"] - found[first]["seconds"]) / (second - first)
    start = found[first]["seconds"] - per_cell * first
    calculated = {length: start + per_cell * length for length in (*found, FAR)}
    show(
        "Scoring streams of NAS-Bench-101 cells at width 144",
        ["cells", "s", "calculated s", "cells/s", "peak GiB"],
        [
            [
                f"{length:,}",
                f"{row['seconds']:.1f}",
                f"{calculated[length]:.1f}",
                f"{row['cells_per_second']:,.0f}",
                f"{row['peak_bytes'] / 2**30:.2f}",
            ]
            for length, row in found.items()
        ],
    )
    print(f"calculated for {FAR:,}: {calculated[FAR] / 3600:.1f} h on this machine")
    result = {"streams": found, "calculated_seconds": calculated, "top": TOP}
    write_result("stream", result, arguments.results)


if __name__ == "__main__":
    main()
