"""The short forms of all benchmarks: today's ratios beside the committed ones.

    python -m benchmarks.short [NAME ...]

Both sides of a ratio are measured in one run, so that ratios of several machines can be compared
roughly; those that fell by more than a fifth are marked. A short form measures fewer of the sizes
or repeats less, and the least of several repeats counts. Exit status 1 says that a
benchmark failed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import image_memory, network_memory
from benchmarks.measurement import RESULTS, show

MOST_FALL = 0.2
Ratios = dict[str, float]


def _convert(result: dict[str, Any]) -> Ratios:
    one, all_ = result["one_record_at_a_time"], result["convert"]
    return {"records per CPU second": _over(all_, one, "records_per_cpu_second")}


def _load(result: dict[str, Any]) -> Ratios:
    by_way = {
        n: v for n, v in result["faster_than_the_loop_by"].items() if not n.startswith("loop")
    }
    return {**by_way, **{f"batches of {n}": v for n, v in result["batches_faster_by"].items()}}


def _scaling(result: dict[str, Any]) -> Ratios:
    """Throughput at the largest value over that at the smallest."""
    return {
        f"{curve['cost']} with {curve['of']}": curve["values"][-1]
        / curve["values"][0]
        * (curve["seconds"][0] / curve["seconds"][-1])
        for curve in result["curves"]
    }


def _dense_vs_sparse(result: dict[str, Any]) -> Ratios:
    return {
        f"{row['pass']}, {row['batch']} cells, width {row['width']}, {row['backend']}": row[
            "relative_to_dense"
        ]
        for row in result["rows"]
        if row["backend"] != "dense"
    }


def _backend_by_size(result: dict[str, Any]) -> Ratios:
    """1 where the automatic choice is the faster one: dense over sparse has no good direction."""
    return {
        f"{what}, {row['vertices']} vertices, fastest over automatic": row[
            f"{what}_fastest_over_automatic"
        ]
        for row in result["rows"]
        for what in ("training", "scoring")
    }


def _memory(result: dict[str, Any], alone: str, unit: str) -> Ratios:
    """Memory of a process that does not train over that of a training run."""
    return {
        f"{name}, {size} {unit}": peaks[alone] / peak
        for size, peaks in result["peak_bytes"].items()
        for name, peak in peaks.items()
        if name != alone
    }


def _over(one: dict[str, Any], other: dict[str, Any], figure: str) -> float:
    return float(one[figure] / other[figure])


def _stream(result: dict[str, Any]) -> Ratios:
    first, second = (result["streams"][length] for length in ("100000", "1000000"))
    return {
        "cells/s of 10^6 over 10^5 cells": _over(second, first, "cells_per_second"),
        "memory of 10^5 over 10^6 cells": _over(first, second, "peak_bytes"),
    }


# By the name of the module and of its result file: the ratios of a result, larger is better.
BENCHMARKS: dict[str, tuple[str, Callable[[dict[str, Any]], Ratios]]] = {
    "commands": ("commands", lambda r: r["ratios"]),
    "fit": ("fit", lambda r: r["ratios"]),
    "train": ("train", lambda r: _baseline_left_out(r["plain_loop_of_one_model_over_this"])),
    "score_space": ("score_space", lambda r: _baseline_left_out(r["shared_terms_faster_by"])),
    "stream": ("stream", _stream),
    "score_residual": (
        "score_residual",
        lambda r: {f"width {w}": found["faster_by"] for w, found in r["widths"].items()},
    ),
    "load": ("load", _load),
    "load_nasbench": (
        "load_nasbench",
        lambda r: {"open": _over(r["nested_dictionaries"], r["open"], "cpu_seconds")},
    ),
    "convert": ("convert", _convert),
    "measure": (
        "measure",
        lambda r: {f"{row['seeds']} seeds side by side": row["speedup"] for row in r["rows"]},
    ),
    "backend_by_size": ("backend_by_size", _backend_by_size),
    "dense_vs_sparse": ("dense_vs_sparse_cpu", _dense_vs_sparse),
    "scaling": ("scaling", _scaling),
    "network_memory": (
        "network_memory",
        lambda r: _memory(r, network_memory.ALONE, "networks"),
    ),
    "image_memory": ("image_memory", lambda r: _memory(r, image_memory.ALONE, "pixels")),
}


def _baseline_left_out(ratios: Ratios) -> Ratios:
    return {name: value for name, value in ratios.items() if value != 1.0}


def compared(today: Ratios, committed: Ratios) -> list[list[str]]:
    """Return rows of a table: ratio, today, committed, and a mark where it fell by a fifth."""
    rows = []
    for name, value in today.items():
        before = committed.get(name)
        fell = before is not None and value < (1 - MOST_FALL) * before
        shown = "–" if before is None else f"{before:.2f}"
        rows.append([name, f"{value:.2f}", shown, "fell" if fell else ""])
    return rows


def ratios_of(path: Path, read: Callable[[dict[str, Any]], Ratios]) -> Ratios:
    """Return the ratios of a result file, none where it does not exist."""
    return read(json.loads(path.read_text())) if path.exists() else {}


def processor_of(path: Path) -> str:
    """Return the processor on which a result was measured; older files do not name it."""
    return str(json.loads(path.read_text()).get("environment", {}).get("processor", "not known"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"some of {', '.join(BENCHMARKS)}")
    names = parser.parse_args().names or list(BENCHMARKS)
    if unknown := sorted(set(names) - set(BENCHMARKS)):
        parser.error(f"there is no benchmark {', '.join(unknown)}")
    rows, failed, elsewhere, start = [], [], [], time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            print(f"{time.perf_counter() - start:4.0f} s  {name}", flush=True)
            command = [sys.executable, "-m", f"benchmarks.{name}", "--short", "--results", folder]
            done = subprocess.run(command, capture_output=True, text=True, cwd=RESULTS.parents[1])
            if done.returncode:
                print(done.stderr, file=sys.stderr)
                failed.append(name)
                continue
            stem, read = BENCHMARKS[name]
            found, kept = Path(folder) / f"{stem}.json", RESULTS / f"{stem}.json"
            today, committed = ratios_of(found, read), ratios_of(kept, read)
            if kept.exists() and processor_of(found) != processor_of(kept):
                elsewhere.append(name)
            rows += [[name, *row] for row in compared(today, committed)]
    show("Ratios, larger is better", ["benchmark", "ratio", "today", "committed", ""], rows)
    if elsewhere:
        print(f"Committed on another processor, whose ratios differ: {', '.join(elsewhere)}")
    print(f"{time.perf_counter() - start:.0f} s")
    if failed:
        raise SystemExit(f"failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
