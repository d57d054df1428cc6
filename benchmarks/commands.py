"""Seconds of whole commands with their start-up, in this code and in older code.

    python -m benchmarks.commands --before PATH

``PATH`` is a checkout of older code, commit 17a0068: ``git worktree add PATH 17a0068``. Each
command runs in both codes, one after the other, and its least wall-clock seconds count. All read
the shipped table of handwritten digits. ``import torch`` is timed too: a command that needs
no torch should take less than a third of it, any other one at most two seconds more until its own
work begins.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.measurement import parsed, show, write_result

ROOT = Path(__file__).parents[1]
TABLE = ROOT / "datasets" / "nasbench_digits.hdf5"
NOW, BEFORE = "now", "before"
TORCH = "import torch"
# A command may use the folders of those above it. The options are those of both codes: the older
# one has only the old names of --start and --refit.
COMMANDS = {
    "help": "--help",
    "refusal": f"train {TABLE} --split nonsense --out none",
    "table info": f"table info {TABLE}",
    "train paper, 172 cells": f"train {TABLE} --split 172 --recipe paper --out paper",
    "train fast, 172 cells": f"train {TABLE} --split 172 --recipe fast --out fast",
    "train best, 172 cells": f"train {TABLE} --split 172 --recipe best --out best",
    "evaluate": f"evaluate fast {TABLE}",
    "predict the whole space": "predict paper --space nasbench101 --out scores.csv",
    "search": f"search {TABLE} --n 16 --k 4 --rounds 6 --recipe fast --out search",
    "report": f"report fast {TABLE} --out report.html",
}
SHORT = ("help", "refusal", "table info")


def seconds(code: Path, arguments: list[str], folder: Path) -> float:
    """Return the seconds of one process of a code, in a folder."""
    environment = {**os.environ, "PYTHONPATH": str(code)}
    # Python stores the compiled modules of an installed package.
    environment.pop("PYTHONDONTWRITEBYTECODE", None)
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=environment, capture_output=True, text=True
    )
    taken = time.perf_counter() - start
    refused = "nonsense" in arguments
    if (done.returncode != 0) != refused:
        raise RuntimeError(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr}")
    return taken


def command_seconds(code: Path, command: str, folder: Path) -> float:
    """Return the seconds of a command, whose output does not exist yet."""
    words = COMMANDS[command].split()
    if "--out" in words:
        out = folder / words[words.index("--out") + 1]
        shutil.rmtree(out) if out.is_dir() else out.unlink(missing_ok=True)
    run = "import sys; from pyg_nas.cli.app import main; sys.argv[0] = 'pyg-nas'; main()"
    return seconds(code, ["-c", run, *words], folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--before", type=Path, help="a checkout of the code to compare with")
    parser.add_argument("--repeats", type=int, default=3, help="the least seconds count")
    arguments = parsed(parser)
    codes = {NOW: ROOT}
    if arguments.before is not None:
        codes[BEFORE] = arguments.before.resolve()
    commands = SHORT if arguments.short else tuple(COMMANDS)
    found: dict[tuple[str, str], float] = {}

    def keep(name: str, code: str, value: float) -> None:
        found[name, code] = min(found.get((name, code), float("inf")), value)

    with tempfile.TemporaryDirectory() as root:
        folders = {code: Path(root) / code for code in codes}
        for folder in folders.values():
            folder.mkdir()
        for _ in range(arguments.repeats):
            keep(TORCH, NOW, seconds(ROOT, ["-c", TORCH], folders[NOW]))
            for name in commands:
                for code, path in codes.items():
                    keep(name, code, command_seconds(path, name, folders[code]))
    rows = [{"command": name, "code": code, "seconds": s} for (name, code), s in found.items()]
    ratios = {f"import torch over {n}": found[TORCH, NOW] / found[n, NOW] for n in commands}
    if BEFORE in codes:
        ratios |= {f"{n}, before over now": found[n, BEFORE] / found[n, NOW] for n in commands}
    result = {"repeats": arguments.repeats, "rows": rows, "ratios": ratios}
    write_result("commands", result, arguments.results)
    show(
        "Seconds",
        ["command", *codes],
        [
            [name, *(f"{found[name, code]:.2f}" if (name, code) in found else "" for code in codes)]
            for name in (TORCH, *commands)
        ],
    )


if __name__ == "__main__":
    main()
