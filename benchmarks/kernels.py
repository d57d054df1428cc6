"""The benchmarks of the kernels in this code and in older code: ratios of one run in one table.

    python -m benchmarks.kernels --before PATH

``PATH`` is a checkout of commit 17a0068: ``git worktree add PATH 17a0068``. Each benchmark runs in
both codes, one after the other. The older code writes its result files into its own checkout; those
of this code stay as they are.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.measurement import RESULTS, show, write_result
from benchmarks.short import BENCHMARKS, ratios_of

# Options that both codes have.
KERNELS = {
    "train": "--epochs 100",
    "score_space": "--plain-cells 10000 --repeats 3",
    "score_residual": "--repeats 3",
    "load": "--slow-cells 5000",
    "load_nasbench": "--cells 50000",
    "convert": "--records 100000 --baseline-records 10000",
    "measure": "--cells 2",
}


def ratios(name: str, code: Path, results: Path, extra: list[str]) -> dict[str, float]:
    """Run a benchmark in a checkout and return its ratios, from the folder it writes to."""
    command = [sys.executable, "-m", f"benchmarks.{name}", *KERNELS[name].split(), *extra]
    environment = {**os.environ, "PYTHONPATH": str(code)}
    subprocess.run(command, cwd=code, env=environment, check=True, stdout=subprocess.DEVNULL)
    return ratios_of(results / f"{name}.json", BENCHMARKS[name][1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, required=True, help="a checkout of older code")
    parser.add_argument("names", nargs="*", default=list(KERNELS), help="some of the benchmarks")
    arguments = parser.parse_args()
    older = arguments.before.resolve()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        for name in arguments.names:
            today = ratios(name, RESULTS.parents[1], Path(folder), ["--results", folder])
            before = ratios(name, older, older / "benchmarks" / "results", [])
            rows += [
                {"benchmark": name, "ratio": ratio, "now": value, "before": before[ratio]}
                for ratio, value in today.items()
                if ratio in before
            ]
    write_result("kernels", {"before": "17a0068", "rows": rows}, RESULTS)
    show(
        "Ratios to the plain way, larger is better",
        ["benchmark", "ratio", "now", "before"],
        [[r["benchmark"], r["ratio"], f"{r['now']:.2f}", f"{r['before']:.2f}"] for r in rows],
    )


if __name__ == "__main__":
    main()
