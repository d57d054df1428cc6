"""What the benchmarks share: interleaved timing, peak memory, the environment, result files."""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import platform
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table
from threadpoolctl import threadpool_info

from pyg_nas.io.files import write_text

RESULTS = Path(__file__).parent / "results"
IMAGES = Path(__file__).parents[1] / "docs" / "images"


def clock() -> str:
    """Return the clock: with one thread CPU time, which other programs do not lengthen."""
    import torch

    alone = torch.get_num_threads() == 1 and not torch.cuda.is_available()
    return "process CPU time" if alone else "wall-clock time"


def now() -> float:
    """Seconds by :func:`clock`."""
    return time.process_time() if clock() == "process CPU time" else time.perf_counter()


def interleaved(
    contenders: dict[str, Callable[[], Any]], repeats: int = 5, warmups: int = 1
) -> dict[str, float]:
    """Return each contender's least seconds; they take turns, so that a busy machine slows all."""
    for _ in range(warmups):
        for run in contenders.values():
            run()
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(repeats):
        for name, run in contenders.items():
            start = now()
            run()
            synchronize()
            seconds[name].append(now() - start)
    return {name: min(values) for name, values in seconds.items()}


def synchronize() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.synchronize()


def peak_memory(function: Callable[..., Any], *arguments: Any) -> int:
    """Return the peak resident bytes of a fresh process that calls ``function(*arguments)``."""
    context = multiprocessing.get_context("spawn")
    results = context.SimpleQueue()
    process = context.Process(target=_report_peak, args=(results, function, arguments))
    process.start()
    process.join()
    if process.exitcode != 0:
        raise RuntimeError(f"{function.__name__} ended with exit code {process.exitcode}")
    return int(results.get())


def _report_peak(results: Any, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    function(*arguments)
    # VmHWM is of this process alone; ru_maxrss can be the parent's.
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            results.put(int(line.split()[1]) * 1024)


def environment() -> dict[str, Any]:
    """What the numbers depend on, without naming the machine."""
    import numpy
    import torch
    import torch_geometric

    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "clock": clock(),
        "load_average": round(os.getloadavg()[0], 2),
        "cuda": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "torch_geometric": torch_geometric.__version__,
        "numpy": numpy.__version__,
        "openblas": sorted(
            {
                f"{library['version']} {library['architecture']}"
                for library in threadpool_info()
                if library["internal_api"] == "openblas"
            }
        ),
    }


def parsed(parser: argparse.ArgumentParser, **short: Any) -> argparse.Namespace:
    """Parse the command line with two more options: ``--short`` and ``--results``.

    Args:
        parser: With a benchmark's own options.
        short: Their defaults in the short form, whose ratios have the names of the full one's.
    """
    parser.add_argument("--short", action="store_true", help="less repeats or sizes: a minute")
    parser.add_argument(
        "--results",
        type=Path,
        help="folder of the result file; by default benchmarks/results, and none with --short",
    )
    if parser.parse_known_args()[0].short:
        parser.set_defaults(**short)
    arguments = parser.parse_args()
    if arguments.results is None and not arguments.short:
        arguments.results = RESULTS
    return arguments


def write_result(name: str, result: dict[str, Any], folder: Path | None) -> None:
    """Write ``NAME.json`` and the environment beside its figures into a folder, if there is one."""
    if folder is None:
        return
    folder.mkdir(parents=True, exist_ok=True)
    content = {"benchmark": name, "environment": environment(), **result}
    write_text(folder / f"{name}.json", json.dumps(content, indent=1) + "\n")


def show(title: str, columns: list[str], rows: list[list[str]]) -> None:
    """Print one table."""
    table = Table(title=title)
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*row)
    Console().print(table)
