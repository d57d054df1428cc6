"""Unlucky runs of whole commands: killed at random moments, eight at once, with a full disk.

    python -m tests.fuzz.hostile RESULT.json [--kills 50] [--only kill:train --only crowd:ask]

Every command is first run undisturbed; what it leaves then is the reference for all other runs of
it. The result file has one entry for each part: how much was done, on which commit, and the
differences that were found, which must be none. Parts with fewer kills than ``--kills`` are run
until they have as many, and other parts once, so a run that was stopped is resumed, and a short
run can be made longer.

``hostile.json`` has what was run so far, which is a small part. There a part with one kill took 15
to 114 seconds on two busy cores, so a full run takes many hours; its time was not measured.
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
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from pyg_nas.data.shipped import shipped_table
from pyg_nas.data.table import Table
from pyg_nas.data.tfrecord import write_tfrecord
from pyg_nas.graphs.registry import find_space
from pyg_nas.io.files import write_text
from pyg_nas.search.folder import SearchFolder
from pyg_nas.search.ledger import Ledger

ROOT = Path(__file__).parents[2]
SCRIPT = "from pyg_nas.cli.app import main; main()"
DATASET = """
from pyg_nas.data.dataset import CellDataset
from pyg_nas.data.table import Table
assert len(CellDataset("out/root", Table.load("table.hdf5"))) == 200
"""
CACHE = """
import os, time
import numpy as np
os.environ["PYG_NAS_CACHE"] = "out/cache"
from pyg_nas.io.array_cache import read_cached, write_cached
expected = np.random.RandomState(0).bytes(2**24)
for _ in range(20):
    found = read_cached("numbers")
    assert found is None or found["bytes"].tobytes() == expected
    write_cached("numbers", {"bytes": np.frombuffer(expected, np.uint8)})
"""
SMALL = {"stem_channels": 8, "num_stacks": 1, "modules_per_stack": 1, "batch_size": 8}
FILE_LIMITS = (0, 1_000, 20_000)  # bytes that one file may have, as on a disk that is nearly full
CROWD = 8
NOBODY = 65534  # a user who may write nowhere

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
    return [[query["hash"], query["accuracy"]] for query in found]


def scores(path: Path) -> list[Any]:
    """What a tuning found, without the seconds."""
    found = json.loads(path.read_text(encoding="utf-8"))
    return [[c["params"], c["mean"]] for c in found["candidates"]]


def proposals(folder: Path) -> list[Any]:
    """The first cells that a search proposed, and the numbers that were handed out twice."""
    ledger = Ledger(SearchFolder.open(folder))  # refuses what is half written
    lines = (folder / "asked.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    handed = Counter(number for event in events for number in event.get("handed_out", ()))
    twice = [number for number, count in handed.items() if count > 1]
    return [[candidate.cell.hash for candidate in ledger.candidates[:2]], twice]


def graphs(root: Path) -> str:
    """Checksum of a dataset's processed graphs, which may be one file only."""
    (path,) = (root / "processed").glob("*.pt")
    content = torch.load(path, weights_only=True)
    found = content["data"]
    return hashlib.sha256(
        b"".join(found[name].numpy().tobytes() for name in ("x", "edge_index", "row"))
    ).hexdigest()


@dataclass(frozen=True)
class Case:
    """A command, and what it leaves in its folder."""

    arguments: tuple[str, ...]
    outcome: Outcome
    target: str  # the file or folder that is there only when it is whole
    resumes: bool = False
    script: str = SCRIPT
    before: tuple[str, ...] = ()  # a command that is run undisturbed in each folder


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
    "import": Case(
        ("table", "import", "table.csv", "out/t.hdf5", "--space", "nasbench201"),
        lambda out: digest(out / "t.hdf5"),
        "t.hdf5",
    ),
    "ask": Case(
        ("ask", "out/search", "--n", "2", "--method", "evolution", "--device", "cpu"),
        lambda out: proposals(out / "search"),
        "search/asked.jsonl",
        resumes=True,
    ),
    "tell": Case(
        ("tell", "out/search", "1", "--accuracy", "0.5", "--seconds", "2"),
        lambda out: [*proposals(out / "search"), queries(out / "search")],
        "search/queries.jsonl",
        resumes=True,
        before=("ask", "out/search", "--n", "3", "--method", "random", "--device", "cpu"),
    ),
    "dataset": Case(
        (), lambda out: graphs(out / "root"), "root", resumes=True, script=DATASET
    ),
    "cache": Case(
        (), lambda out: sorted(p.name for p in (out / "cache").iterdir()), "cache",
        resumes=True,
        script=CACHE,
    ),
}  # fmt: skip


class Workshop:
    """A folder of inputs, and runs of commands on them."""

    def __init__(self, folder: Path, seed: int = 0) -> None:
        self.folder = folder
        self.random = random.Random(seed)
        self._made = 0
        folder.chmod(0o755)
        (folder / "cache").mkdir()
        (folder / "cache").chmod(0o777)
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
        texts = find_space("nasbench201").support.architecture_texts()[:200]
        rows = [f"{text},{0.5 + row / 1000}" for row, text in enumerate(texts)]
        csv = "\n".join(["arch,validation_accuracy", *rows, ""])
        (folder / "table.csv").write_text(csv, encoding="utf-8")

    def new_place(self, case: Case) -> Path:
        """A folder with links to the inputs and a folder ``out``, empty or as it is ``before``."""
        self._made += 1
        place = self.folder / f"place {self._made}"
        (place / "out").mkdir(parents=True)
        for path in self.folder.iterdir():
            if path.is_file():
                (place / path.name).symlink_to(path)
        if case.before:
            error = self.start(place, replace(case, arguments=case.before)).communicate()[1]
            if not any((place / "out").iterdir()):
                raise RuntimeError(error)
        return place

    def start(
        self,
        place: Path,
        case: Case,
        limit: int | None = None,
        user: int | None = None,
        **environment: str,
    ) -> subprocess.Popen[str]:
        """Start a command; ``limit`` is the most bytes that a file may have."""

        def prepare() -> None:
            if limit is not None:
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

        path = os.pathsep.join([str(ROOT), *filter(None, sys.path)])
        defaults = {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
        defaults["PYG_NAS_CACHE"] = str(self.folder / "cache")
        return subprocess.Popen(
            [sys.executable, "-c", case.script, *case.arguments],
            cwd=place,
            env={**os.environ, **defaults, **environment},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            preexec_fn=prepare,
            user=user,
        )

    def finish(self, place: Path, case: Case, **environment: str) -> list[str]:
        """Run a command to its end and return what is wrong with it."""
        process = self.start(place, case, **environment)
        error = process.communicate()[1]
        if process.returncode:
            return [f"exit code {process.returncode}: {error[-300:]}"]
        left = stray_files(place)
        return [f"left behind: {', '.join(left)}"] if left else []

    def reference(self, name: str) -> tuple[object, float]:
        """What an undisturbed run leaves, and the seconds that it takes."""
        if name not in self._references:
            case = CASES[name]
            place = self.new_place(case)
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
    """Kill a command at random moments; what it leaves is whole or absent, and it can resume."""
    _, seconds = workshop.reference(name)
    case = CASES[name]
    killed = finished = 0
    wrong: list[str] = []
    while killed < kills:
        place = workshop.new_place(case)
        for _ in range(min(5, kills - killed)):
            process = workshop.start(place, case)
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


def crowd(workshop: Workshop, name: str, kills: int) -> dict[str, Any]:
    """Run eight processes of a command in one folder, some of them killed at random moments."""
    _, seconds = workshop.reference(name)
    case = CASES[name]
    place = workshop.new_place(case)
    cache = str(place / "cache")  # a new one, which all of them fill
    wrong: list[str] = []
    killed = started = 0
    while killed < kills:
        processes = [workshop.start(place, case, PYG_NAS_CACHE=cache) for _ in range(CROWD)]
        started += CROWD
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
    return {"kills": killed, "processes": started, "at once": CROWD, "wrong": wrong}


def full_disk(workshop: Workshop, name: str) -> dict[str, Any]:
    """Let no file be larger than some bytes: one line of error, and nothing half written."""
    wrong: list[str] = []
    case = CASES[name]
    for limit in FILE_LIMITS:
        place = workshop.new_place(case)
        process = workshop.start(place, case, limit)
        error = process.communicate()[1]
        if process.returncode == 0:
            wrong += workshop.compared(name, place) if name != "cache" else []
        else:
            wrong += [f"limit {limit}: {what}" for what in not_refused(case, process, error)]
        wrong += [f"limit {limit}: left {file}" for file in stray_files(place)]
        wrong += workshop.finish(place, case) or workshop.compared(name, place)
    return {"limits": FILE_LIMITS, "wrong": wrong}


def read_only(workshop: Workshop, name: str) -> dict[str, Any]:
    """Let the output's folder be read-only: one line of error."""
    case = CASES[name]
    place = workshop.new_place(case)
    for path in (place / "out", *(place / "out").rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    # The superuser may write everywhere.
    user = NOBODY if os.geteuid() == 0 else None
    process = workshop.start(place, case, user=user, HOME=str(workshop.folder / "cache"))
    error = process.communicate()[1]
    if process.returncode == 0:
        return {"wrong": [] if name == "cache" else ["exit code 0"]}
    return {"wrong": not_refused(case, process, error)}


def not_refused(case: Case, process: subprocess.Popen[str], error: str) -> list[str]:
    """What is wrong with the refusal of a command, which is exit code 2 and one line of error."""
    lines = [line for line in error.strip().splitlines() if not line.startswith("warning: ")]
    right = process.returncode == 2 and len(lines) == 1 and lines[0].startswith("error: ")
    if right or case.script is not SCRIPT:  # a script without the command line shows a traceback
        return []
    return [f"exit code {process.returncode}, {error[-300:]!r}"]


def same(workshop: Workshop, name: str) -> dict[str, Any]:
    """Run a command with other numbers of threads and other seeds of Python's hashes."""
    wrong: list[str] = []
    for threads, seed in (("1", "1"), ("2", "2"), ("2", "0")):
        place = workshop.new_place(CASES[name])
        settings = {"OMP_NUM_THREADS": threads, "PYTHONHASHSEED": seed}
        found = workshop.finish(place, CASES[name], **settings)
        wrong += found or workshop.compared(name, place)
    return {"runs": 3, "wrong": wrong}


REPEATED = {"kill": kill, "crowd": crowd}
ONCE = {"full disk": full_disk, "read-only": read_only, "same": same}
PARTS = [f"{kind}:{name}" for kind in (*REPEATED, *ONCE) for name in CASES]


def run_part(part: str, folder: Path, kills: int, before: dict[str, Any]) -> dict[str, Any]:
    """Run a part and return its entry; ``before`` is the one of an earlier run, which is added."""
    kind, name = part.split(":")
    done = before.get("kills", 0)
    start = time.monotonic()
    workshop = Workshop(folder, seed=done)
    if kind in ONCE:
        entry = ONCE[kind](workshop, name)
    else:
        entry = REPEATED[kind](workshop, name, kills - done)
        for key in ("kills", "finished", "processes", "wrong"):
            if key in before:
                entry[key] = before[key] + entry[key]
    seconds = before.get("seconds", 0) + round(time.monotonic() - start)
    commits = dict.fromkeys([*before.get("commits", []), commit()])
    return {**entry, "seconds": seconds, "commits": [*commits]}


def commit() -> str:
    """The commit that is run, with a mark where files differ from it."""
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.check_output(command, cwd=ROOT, text=True).strip()


def main(arguments: list[str] | None = None) -> int:
    """Run what is missing in the result file and return how many things were wrong."""
    parser = argparse.ArgumentParser(description="Run commands unluckily.")
    parser.add_argument("result", type=Path)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--only", action="append", default=[], choices=PARTS, metavar="KIND:CASE")
    given = parser.parse_args(arguments)
    result: dict[str, Any] = {}
    if given.result.exists():
        result = json.loads(given.result.read_text(encoding="utf-8"))
    wanted = [part for part in PARTS if not given.only or part in given.only]
    for part in wanted:
        before = result.get(part, {})
        if before and before.get("kills", given.kills) >= given.kills:
            continue
        with tempfile.TemporaryDirectory() as folder:
            result[part] = run_part(part, Path(folder), given.kills, before)
        ordered = {part: result[part] for part in PARTS if part in result}
        write_text(given.result, json.dumps(ordered, indent=1) + "\n")
    return sum(len(result[part]["wrong"]) for part in wanted)


if __name__ == "__main__":
    sys.exit(bool(main()))
