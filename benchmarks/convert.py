"""Speed of the TFRecord converter: ``python benchmarks/convert.py``.

Generates a file in the official format (random cells of the space, four budgets, three runs, random
numbers), converts it, and compares with reading it one record at a time. Wall-clock figures depend
on what else runs on the machine, so CPU seconds of all processes stand beside them.
"""

from __future__ import annotations

import argparse
import base64
import json
import os
import resource
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table as Grid

from benchmarks.measurement import parsed, write_result
from pyg_nas.data.tables.official_file import convert, write_official
from pyg_nas.data.tables.table import Table
from pyg_nas.graphs.enumeration import enumerate_graphs, sample_cells
from pyg_nas.spaces.nasbench101.run_message import decode_message
from pyg_nas.spaces.nasbench101.space import NASBENCH101
from pyg_nas.spaces.nasbench101.tfrecord_framing import payloads, record_ranges

RECORDS_A_CELL = 12


def random_table(n: int, seed: int) -> Table:
    rng = np.random.default_rng(seed)
    metrics = rng.random((n, 4, 3, 2, 4), dtype=np.float32)
    metrics[..., 0] *= 5000
    return Table(sample_cells(n, seed), metrics)


def read_plainly(path: Path) -> None:
    """Decode one record after another, with the libraries' own parsers."""
    for start, end in record_ranges(path):
        for _, payload in payloads(path, start, end):
            decode_message(base64.b64decode(json.loads(payload)[4]))


def process_tree() -> list[Path]:
    """The /proc folders of this process and its children, joblib's workers among them."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            parents[int(stat.parent.name)] = int(stat.read_text().rsplit(")", 1)[1].split()[1])
        except (OSError, ValueError):
            continue  # the process has ended in between
    family = {os.getpid()}
    while more := {pid for pid, parent in parents.items() if parent in family} - family:
        family |= more
    return [Path("/proc") / str(pid) for pid in family]


def memory_and_cpu() -> tuple[int, float]:
    """Return the bytes of the process tree, shared pages counted once, and its CPU seconds."""
    held, cpu = 0, 0.0
    for folder in process_tree():
        try:
            rollup = (folder / "smaps_rollup").read_text()
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        held += 1024 * next(
            int(line.split()[1]) for line in rollup.splitlines() if line.startswith("Pss:")
        )
        cpu += (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    return held, cpu


def measured(job: Callable[[], Any]) -> tuple[Any, dict[str, float]]:
    """Return the result of ``job``, and the time and peak memory of all processes."""
    peak = 0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.2):
            peak = max(peak, memory_and_cpu()[0])

    watcher = threading.Thread(target=watch)
    watcher.start()
    cpu, start = memory_and_cpu()[1], time.perf_counter()
    result = job()
    seconds = time.perf_counter() - start
    held, cpu_after = memory_and_cpu()
    done.set()
    watcher.join()
    return result, {
        "seconds": seconds,
        "cpu_seconds": cpu_after - cpu,
        "peak_bytes": max(peak, held),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--baseline-records", type=int, default=50_000)
    settings = parsed(parser, records=240_000, baseline_records=20_000)
    console = Console()

    space, enumeration = measured(lambda: enumerate_graphs(NASBENCH101))
    cells = -(-settings.records // RECORDS_A_CELL)
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "official.tfrecord"
        table = random_table(cells, seed=0)
        records = write_official(table, source)
        size = source.stat().st_size
        converted, fast = measured(lambda: convert(source, Path(folder) / "table.hdf5"))
        same = np.array_equal(converted.metrics, table.metrics) and np.array_equal(
            converted.hashes, table.hashes
        )
        if not same:
            raise SystemExit("the converted table is not the one that was written")
        few = -(-settings.baseline_records // RECORDS_A_CELL)
        short = Path(folder) / "short.tfrecord"
        short_records = write_official(table.subset(np.arange(few)), short)
        _, plain = measured(lambda: read_plainly(short))

    results: dict[str, Any] = {
        "records": records,
        "file_bytes": size,
        "convert": {**fast, "records_per_second": records / fast["seconds"]},
        "one_record_at_a_time": {
            **plain,
            "records": short_records,
            "records_per_second": short_records / plain["seconds"],
        },
        "enumeration": {**enumeration, "cells": len(space)},
        "max_rss_of_main_bytes": 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss,
    }
    for name in ("convert", "one_record_at_a_time"):
        entry = results[name]
        entry["records_per_cpu_second"] = entry.get("records", records) / entry["cpu_seconds"]
    write_result("convert", results, settings.results)

    grid = Grid(title=f"{records:,} records, {size / 1e6:.0f} MB")
    columns = ("", "records/s", "ratio", "records/CPU s", "ratio", "peak MB")
    for position, column in enumerate(columns):
        grid.add_column(column, justify="right" if position else "left")
    base = results["one_record_at_a_time"]
    for name in ("one_record_at_a_time", "convert"):
        entry = results[name]
        grid.add_row(
            name.replace("_", " "),
            f"{entry['records_per_second']:,.0f}",
            f"{entry['records_per_second'] / base['records_per_second']:.1f}",
            f"{entry['records_per_cpu_second']:,.0f}",
            f"{entry['records_per_cpu_second'] / base['records_per_cpu_second']:.1f}",
            f"{entry['peak_bytes'] / 1e6:.0f}",
        )
    console.print(grid)
    console.print(
        f"enumeration of {len(space):,} cells: {enumeration['seconds']:.1f} s, "
        f"{enumeration['cpu_seconds']:.1f} CPU s"
    )
    console.print(f"one-minute load average: {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
