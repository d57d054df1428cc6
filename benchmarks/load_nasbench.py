"""Time to open a full-size table as ``nasbench.api``: ``python benchmarks/load_nasbench.py``.

Makes a table of all 423,624 cells with random numbers at four budgets and three runs, saves it, and
opens it with :class:`pyg_nas.nasbench.api.NASBench`. The official package's own figure, 120 s as
reported by its users, is of another machine and not part of the ratios; the baseline measured here
is building the official package's nested dictionaries from the same table.
"""

from __future__ import annotations

import argparse
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table as Grid

from benchmarks.measurement import parsed, write_result
from pyg_nas import nasbench as api
from pyg_nas.data.tables.table import Table
from pyg_nas.spaces.nasbench101 import nasbench101_cells, nasbench101_hashes


def timed(job: Callable[[], Any], repeats: int = 1) -> tuple[Any, dict[str, float]]:
    """Return the last result, and the least of the seconds and CPU seconds."""
    seconds, cpu_seconds = [], []
    for _ in range(repeats):
        start, cpu = time.perf_counter(), time.process_time()
        result = job()
        seconds.append(time.perf_counter() - start)
        cpu_seconds.append(time.process_time() - cpu)
    return result, {"seconds": min(seconds), "cpu_seconds": min(cpu_seconds)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=None, help="fewer than all")
    parser.add_argument("--repeats", type=int, default=3)
    settings = parsed(parser, repeats=1)

    cells = nasbench101_cells()[: settings.cells]
    rng = np.random.default_rng(0)
    metrics = np.empty((len(cells), 4, 3, 2, 4), dtype=np.float32)
    metrics[..., 0] = 5000 * rng.random(metrics.shape[:-1], dtype=np.float32)
    # Accuracies of 10,000 images, as in the original.
    metrics[..., 1:] = rng.integers(0, 10_001, (*metrics.shape[:-1], 3)) / np.float32(10_000)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "full.hdf5"
        Table(cells, metrics, hashes=nasbench101_hashes()[: settings.cells]).save(path)
        size = path.stat().st_size
        bench, load = timed(lambda: api.NASBench(path), settings.repeats)
    digests = list(bench.hash_iterator())
    sample = digests[:: max(1, len(digests) // 20_000)]
    _, part = timed(lambda: {digest: bench.get_metrics_from_hash(digest) for digest in sample})
    scale = len(digests) / len(sample)
    dictionaries = {name: value * scale for name, value in part.items()}

    results = {
        "cells": len(cells),
        "file_bytes": size,
        "open": load,
        "nested_dictionaries": {**dictionaries, "extrapolated_from_cells": len(sample)},
        "get_metrics_from_hash_cpu_microseconds": 1e6 * part["cpu_seconds"] / len(sample),
    }
    write_result("load_nasbench", results, settings.results)
    grid = Grid("", "seconds", "CPU seconds", "ratio (CPU)", title=f"{len(cells):,} cells")
    for name, entry in (("nested dictionaries", dictionaries), ("NASBench(path)", load)):
        ratio = dictionaries["cpu_seconds"] / entry["cpu_seconds"]
        numbers = f"{entry['seconds']:.2f}", f"{entry['cpu_seconds']:.2f}", f"{ratio:.1f}"
        grid.add_row(name, *numbers)
    Console().print(grid)
    Console().print(f"one-minute load average: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
