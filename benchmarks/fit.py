"""Whole fits of the recipes fast and best, updates and rounds of a search, before and after.

    python -m benchmarks.fit --before PATH

``PATH`` is a checkout of the code from before the residual networks were trained in compiled code,
commit 17a0068: ``git worktree add PATH 17a0068``. Each code runs in one process of its own, which
computes alone; they take turns. The other baseline, which ``make bench`` compares, is the same code
with ``PYG_NAS_ENGINE=torch``, on the fewest cells.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import torch

from benchmarks.measurement import environment, parsed, show, write_result

RECIPES = ("fast", "best")
ROOT = Path(__file__).parents[1]
NOW, BEFORE, TORCH = "now", "before", "torch alone"


class Code:
    """A process that times the package of one folder.

    Args:
        folder: The folder that contains ``pyg_nas``.
        threads: Of torch.
        engine: Value of ``PYG_NAS_ENGINE``.
    """

    def __init__(self, folder: Path, threads: int, engine: str = "auto") -> None:
        script = Path(__file__).with_name("fit_process.py")
        self._process = subprocess.Popen(
            [sys.executable, str(script), str(threads)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(folder), "PYG_NAS_ENGINE": engine},
        )
        for recipe in RECIPES:  # compiles, and reads the shipped data
            self.seconds("fit", recipe, 40)

    def seconds(self, what: str, recipe: str, cells: int) -> float:
        """Return the seconds of a job of ``fit_process.py``."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps([what, recipe, cells]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"the process that times fits ended with {self._process.wait()}")
        return float(json.loads(answer))

    def close(self) -> None:
        """End the process."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--cells", type=int, nargs="+", default=[172, 424, 1000])
    parser.add_argument("--repeats", type=int, default=2, help="the least seconds count")
    parser.add_argument("--before", type=Path, help="a checkout of the code to compare with")
    arguments = parsed(parser)
    torch.set_num_threads(arguments.threads)  # for the environment in the result
    codes = {NOW: Code(ROOT, arguments.threads), TORCH: Code(ROOT, arguments.threads, "torch")}
    if arguments.before is not None:
        codes[BEFORE] = Code(arguments.before.resolve(), arguments.threads)
    few, most = min(arguments.cells), max(arguments.cells)
    jobs = [(what, "fast", most, NOW) for what in ("factor", "update", "fit")]
    jobs += [(what, "fast", few, NOW) for what in ("round", "first round")]
    jobs += [("fit", recipe, few, code) for recipe in RECIPES for code in (NOW, TORCH)]
    if not arguments.short:
        jobs += [("products", "best", most, NOW)]
        jobs += [
            ("fit", recipe, cells, code)
            for recipe in RECIPES
            for cells in arguments.cells
            for code in codes
            if code != TORCH
        ]
    seconds: dict[tuple[str, str, int, str], float] = {}
    for _ in range(arguments.repeats):
        for job in dict.fromkeys(jobs):
            seconds[job] = min(seconds.get(job, float("inf")), codes[job[-1]].seconds(*job[:-1]))
    for code in codes.values():
        code.close()
    write_result(
        "fit", {**result(seconds, few, most), "repeats": arguments.repeats}, arguments.results
    )
    report(seconds)


def result(seconds: dict[tuple[str, str, int, str], float], few: int, most: int) -> dict[str, Any]:
    """The rows, each with threads and processor, and their ratios."""
    here = environment()
    rows = [
        {
            "what": what,
            "recipe": recipe,
            "cells": cells,
            "code": code,
            "seconds": value,
            "clock": "wall-clock time",
            "threads": here["threads"],
            "processor": here["processor"],
        }
        for (what, recipe, cells, code), value in seconds.items()
    ]
    ratios = {
        f"{recipe}, {few} cells, torch alone over compiled": seconds["fit", recipe, few, TORCH]
        / seconds["fit", recipe, few, NOW]
        for recipe in RECIPES
    }
    # Against a unit that no change of the package moves: a fit over an update falls when fits
    # become faster.
    factor = seconds["factor", "fast", most, NOW]
    for what, cells in (("update", most), ("fit", most), ("round", few), ("first round", few)):
        ratios[f"fast, {cells} cells, Cholesky factor over {what}"] = (
            factor / seconds[what, "fast", cells, NOW]
        )
    for (what, recipe, cells, code), value in seconds.items():
        if code == BEFORE:
            name = f"{recipe}, {cells} cells, before over now"
            ratios[name] = value / seconds[what, recipe, cells, NOW]
    return {"rows": rows, "ratios": ratios}


def report(seconds: dict[tuple[str, str, int, str], float]) -> None:
    jobs = list(dict.fromkeys(job[:-1] for job in seconds))
    show(
        "Seconds",
        ["what", "recipe", "cells", NOW, TORCH, BEFORE],
        [
            [
                what,
                recipe,
                str(cells),
                *(
                    f"{seconds[what, recipe, cells, code]:.3f}"
                    if (what, recipe, cells, code) in seconds
                    else ""
                    for code in (NOW, TORCH, BEFORE)
                ),
            ]
            for what, recipe, cells in jobs
        ],
    )


if __name__ == "__main__":
    main()
