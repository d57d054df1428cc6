"""Unlucky runs of whole commands: killed at random moments, eight at once, with a full disk.

    python -m tests.fuzz.hostile RESULT.json [--kills 50] [--only kill:train --only crowd:journal]

Every command is first run undisturbed; what it leaves then is the reference for all other runs of
it. The result file has one entry for each part, with the differences that were found, which must
be none; a part that is in the file already is not run again. All parts take about three hours on
two cores, mostly spent in starting processes.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pyg_nas.data.shipped import shipped_table
from pyg_nas.data.table import Table
from pyg_nas.data.tfrecord import write_tfrecord

ROOT = Path(__file__).parents[2]
SCRIPT = "from pyg_nas.cli.app import main; main()"
SMALL = {"stem_channels": 8, "num_stacks": 1, "modules_per_stack": 1, "batch_size": 8}
FILE_LIMITS = (0, 1_000, 20_000)  # bytes that one file may have, as on a disk that is nearly full
CROWD = 8

Outcome = Callable[[Path], object]


def digest(path: Path) -> str:
    """Checksum of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def accuracies(path: Path) -> str:
    """Checksum of a table without the times, which no two runs share."""
    table = Table.load(path)
    order = np.argsort(table.hashes)
    content = table.hashes[order].tobytes() + table.metrics[order][..., 1:].tobytes()
    return hashlib.sha256(content).hexdigest()


def queries(folder: Path) -> list[Any]:
    """The cells of a search in order, with what was measured."""
    lines = (folder / "queries.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    return [[query["cell"], query["accuracy"]] for query in found]


def scores(path: Path) -> list[Any]:
    """What a tuning found, without the seconds."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return [[c["params"], c["mean"]] for c in found["candidates"]]


@dataclass(frozen=True)
class Case:
    """A command, and what it leaves in its folder."""

    arguments: tuple[str, ...]
    outcome: Outcome
    target: str  # the file or folder that is there only when it is whole
    resumes: bool = False


CASES = {
    "train": Case(
        ("train", "table.hdf5", "--split", "43", "--recipe", "paper", "--epochs", "3",
         "--device", "cpu", "--out", "out/model"),
        lambda out: [digest(out / "model" / n) for n in ("settings.json", "weights.safetensors")],
        "model",
    ),
    "convert": Case(
        ("table", "convert", "table.tfrecord", "out/t.hdf5"), lambda out: digest(out / "t.hdf5"),
        "t.hdf5",
    ),
    "measure": Case(
        ("measure", "task.npz", "--cells", "4", "--budgets", "1", "--seeds", "2", "--settings",
         "small.json", "--backend", "sequential", "--device", "cpu", "--journal", "out/j.sqlite",
         "--table", "out/t.hdf5"),
        lambda out: accuracies(out / "t.hdf5"),
        "t.hdf5",
        resumes=True,
    ),
    "search a table": Case(
        ("search", "table.hdf5", "--method", "evolution", "--n", "60", "--k", "20", "--out",
         "out/search"),
        lambda out: queries(out / "search"),
        "search/answer.json",
        resumes=True,
    ),
    "search a task": Case(
        ("search", "task.npz", "--method", "random", "--n", "4", "--k", "2", "--budget", "1",
         "--settings", "small.json", "--device", "cpu", "--out", "out/search"),
        lambda out: queries(out / "search"),
        "search/answer.json",
        resumes=True,
    ),
    "tune": Case(
        ("tune", "table.hdf5", "--split", "43", "--recipe", "paper", "--grid", "grid.json",
         "--folds", "2", "--repeats", "2", "--device", "cpu", "--out", "out/tuned.json"),
        lambda out: scores(out / "tuned.json"),
        "tuned.json",
        resumes=True,
    ),
}  # fmt: skip


class Workshop:
    """A folder of inputs, and runs of commands on them."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self._made = 0
        self._references: dict[str, tuple[object, float]] = {}
        table = shipped_table()
        complete = np.flatnonzero(np.isfinite(table.metrics).all(axis=(1, 2, 3, 4)))[:200]
        table.subset(complete).save(folder / "table.hdf5")
        write_tfrecord(table.subset(complete), folder / "table.tfrecord")
        rng = np.random.default_rng(0)
        labels = np.arange(60) % 3
        images = rng.integers(0, 80, (60, 8, 8)).astype(np.uint8) + 60 * labels[:, None, None]
        np.savez(folder / "task.npz", images=images.astype(np.uint8), labels=labels)
        (folder / "small.json").write_text(json.dumps(SMALL), encoding="utf-8")
        (folder / "grid.json").write_text('[{"hidden": 4}, {"hidden": 8}]', encoding="utf-8")

    def new_place(self) -> Path:
        """A folder with links to the inputs and an empty folder ``out``."""
        self._made += 1
        place = self.folder / f"place {self._made}"
        (place / "out").mkdir(parents=True)
        for name in ("table.hdf5", "table.tfrecord", "task.npz", "small.json", "grid.json"):
            (place / name).symlink_to(self.folder / name)
        return place

    def start(
        self, place: Path, arguments: tuple[str, ...], limit: int | None = None, **environment: str
    ) -> subprocess.Popen[str]:
        """Start a command; ``limit`` is the most bytes that a file may have."""

        def prepare() -> None:
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
        defaults = {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        defaults["PYG_NAS_CACHE"] = str(self.folder / "cache")
        return subprocess.Popen(
            [sys.executable, "-c", SCRIPT, *arguments],
            cwd=place,
            env={**os.environ, **defaults, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=prepare,
        )

    def finish(self, place: Path, case: Case, **environment: str) -> list[str]:
        """Run a command to its end and return what is wrong with it."""
        process = self.start(place, case.arguments, **environment)
        error = process.communicate()[1]
        if process.returncode:
            return [f"exit code {process.returncode}: {error[-300:]}"]
        left = stray_files(place)
        return [f"left behind: {', '.join(left)}"] if left else []

    def reference(self, name: str) -> tuple[object, float]:
        """What an undisturbed run leaves, and the seconds that it takes."""
        if name not in self._references:
            place, case = self.new_place(), CASES[name]
            start = time.monotonic()
            wrong = self.finish(place, case)
            if wrong:
                raise RuntimeError(f"{name}: {wrong[0]}")
            seconds = time.monotonic() - start
            self._references[name] = (case.outcome(place / "out"), seconds)
        return self._references[name]

    def compared(self, name: str, place: Path) -> list[str]:
        """Whether a finished run left what an undisturbed one leaves."""
        same = CASES[name].outcome(place / "out") == self.reference(name)[0]
        return [] if same else [f"another result in {place.name}"]


def stray_files(place: Path) -> list[str]:
    """Temporary files that nobody will use."""
    return sorted(str(path.relative_to(place)) for path in place.rglob(".*.part*"))


def kill(workshop: Workshop, name: str, kills: int) -> dict[str, Any]:
    """Kill a command at random moments; what it leaves is whole or absent, and it can go on."""
    _, seconds = workshop.reference(name)
    case = CASES[name]
    killed = finished = 0
    wrong: list[str] = []
    while killed < kills:
        place = workshop.new_place()
        for _ in range(5):
            process = workshop.start(place, case.arguments)
            try:
                process.wait(workshop.random.uniform(0.1, 1.0) * seconds)
            except subprocess.TimeoutExpired:
                process.send_signal(signal.SIGKILL)
                killed += 1
            process.communicate()
            if (place / "out" / case.target).exists() and not case.resumes:
                wrong += _half_written(workshop, name, place)
        wrong += workshop.finish(place, case) or workshop.compared(name, place)
        finished += 1
    return {"kills": killed, "finished": finished, "wrong": wrong}


def _half_written(workshop: Workshop, name: str, place: Path) -> list[str]:
    try:
        return workshop.compared(name, place)
    except Exception as error:
        whole = name != "train"  # a model between its two files is refused when it is read
        return [f"half written in {place.name}: {error!r}"] if whole else []


def full_disk(workshop: Workshop, name: str) -> dict[str, Any]:
    """Let no file be larger than some bytes: one line of error, and nothing half written."""
    wrong = []
    for limit in FILE_LIMITS:
        place, case = workshop.new_place(), CASES[name]
        process = workshop.start(place, case.arguments, limit)
        error = process.communicate()[1]
        if process.returncode == 0:
            wrong += workshop.compared(name, place)
        elif process.returncode != 2 or len(error.strip().splitlines()) != 1:
            wrong.append(f"limit {limit}: exit code {process.returncode}, {error[-300:]!r}")
        wrong += [f"limit {limit}: left {file}" for file in stray_files(place)]
        wrong += workshop.finish(place, case) or workshop.compared(name, place)
    return {"limits": FILE_LIMITS, "wrong": wrong}


def read_only(workshop: Workshop, name: str) -> dict[str, Any]:
    """Let the output's folder be read-only: one line of error."""
    if os.geteuid() == 0:
        return {"skipped": "the superuser may write everywhere", "wrong": []}
    place, case = workshop.new_place(), CASES[name]
    (place / "out").chmod(0o500)
    process = workshop.start(place, case.arguments)
    error = process.communicate()[1]
    (place / "out").chmod(0o700)
    right = process.returncode == 2 and len(error.strip().splitlines()) == 1
    return {"wrong": [] if right else [f"exit code {process.returncode}: {error[-300:]}"]}


def same(workshop: Workshop, name: str) -> dict[str, Any]:
    """Run a command with other numbers of threads and other seeds of Python's hashes."""
    wrong = []
    for threads, seed in (("1", "1"), ("2", "2"), ("2", "0")):
        place = workshop.new_place()
        settings = {"OMP_NUM_THREADS": threads, "PYTHONHASHSEED": seed}
        found = workshop.finish(place, CASES[name], **settings)
        wrong += found or workshop.compared(name, place)
    return {"wrong": wrong}


def crowd(workshop: Workshop, name: str, kills: int) -> dict[str, Any]:
    """Run eight processes of a command in one folder, some of them killed at random moments."""
    _, seconds = workshop.reference(name)
    case, wrong, killed = CASES[name], [], 0
    place = workshop.new_place()
    cache = str(place / "cache")  # a new one, which all of them fill
    for _ in range(max(1, kills // CROWD)):
        processes = [
            workshop.start(place, case.arguments, PYG_NAS_CACHE=cache) for _ in range(CROWD)
        ]
        time.sleep(workshop.random.uniform(0.2, 2.0) * seconds)
        for process in processes[: CROWD // 2]:
            if process.poll() is None:
                process.send_signal(signal.SIGKILL)
                killed += 1
        for process in processes:
            error = process.communicate()[1]
            busy = "another search is at work" in error
            if process.returncode not in (0, -signal.SIGKILL) and not busy:
                wrong.append(f"exit code {process.returncode}: {error[-300:]}")
    wrong += workshop.finish(place, case) or workshop.compared(name, place)
    return {"processes": CROWD, "kills": killed, "wrong": wrong}


def parts(kills: int) -> dict[str, Callable[[Workshop], dict[str, Any]]]:
    """All parts by name."""
    found: dict[str, Callable[[Workshop], dict[str, Any]]] = {}
    for name in CASES:
        found[f"kill:{name}"] = lambda w, n=name: kill(w, n, kills)  # type: ignore[misc]
        found[f"crowd:{name}"] = lambda w, n=name: crowd(w, n, kills)  # type: ignore[misc]
        found[f"full disk:{name}"] = lambda w, n=name: full_disk(w, n)  # type: ignore[misc]
        found[f"read-only:{name}"] = lambda w, n=name: read_only(w, n)  # type: ignore[misc]
        found[f"same:{name}"] = lambda w, n=name: same(w, n)  # type: ignore[misc]
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing in the result file and return how many things were wrong."""
    parser = argparse.ArgumentParser(description="Run commands unluckily.")
    parser.add_argument("result", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--only", action="append", default=[])
    given = parser.parse_args(arguments)
    result: dict[str, Any] = {}
    if given.result.exists():
        result = json.loads(given.result.read_text(encoding="utf-8"))
    wanted = {n: run for n, run in parts(given.kills).items() if not given.only or n in given.only}
    with tempfile.TemporaryDirectory() as folder:
        workshop = Workshop(Path(folder))
        for name, run in wanted.items():
            if name not in result:
                result[name] = run(workshop)
                text = json.dumps(result, indent=1) + "\n"
                given.result.write_text(text, encoding="utf-8")
    return sum(len(result[name]["wrong"]) for name in wanted)


if __name__ == "__main__":
    sys.exit(bool(main()))
