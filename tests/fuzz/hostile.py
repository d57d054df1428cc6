"""Unlucky runs of whole commands: killed at random moments, eight at once, with a full disk.

    python -m tests.fuzz.hostile RESULT.json [--kills 50] [--only kill:train --only crowd:ask]

Every command is first run undisturbed; what it leaves then is the reference for all other runs of
it. The result file has one entry for each part: how much was done, on which commit, and all
differences that were found, which must be none. A run that was stopped is resumed: parts with
fewer kills than ``--kills`` are run until they have as many, and other parts once.

kill
    SIGKILL when a share of the command's processor time is used: the shares of the first kills in
    a folder are spread evenly from 0 to 1, and up to four more kills hit the command while it
    resumes. Then SIGKILL before single changes of files: before one is opened for writing,
    renamed or removed. The files are looked at after every kill, then the command is run to its
    end. Most processes are forks of one that has imported everything; some are new processes.
crowd
    Eight processes at once in one folder. Half of them are killed at a random moment, first those
    that have a lock.
full disk
    A limit on the size of a file, and for the superuser a disk of some pages.
read-only
    A folder that may not be written to.
same
    Two threads, other seeds of Python's hashes, as many processes as the command can use, and for
    ``fit`` no stored machine code.

``hostile.json`` has all parts, with at least 50 kills of each command.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyg_nas.io.files import write_text
from tests.fuzz.cases import CASES, COMMAND, Case
from tests.fuzz.workshop import (
    ROOT,
    STALE_SECONDS,
    Running,
    Workshop,
    half_written,
    is_temporary,
)

KILLS_IN_A_FOLDER = 5
NEW_PROCESSES = 1  # of the kills of a command
START_SECONDS = 2.0  # roughly what a new process needs in addition
KILLS_AT_CHANGES = 5
KILLS_IN_A_PIECE = 25  # after which the result is written
FILE_LIMITS = (0, 1_000, 20_000)  # bytes that one file may have
DISKS = (4_096, 20_480, 81_920)  # bytes of a whole disk
CROWD = 8
ROUNDS = 12
BUSY = (
    "another search is at work",
    "another process is finishing it",
    "at work in this folder",
    "at work on this file",
    "another process compares predictors",
    "another process uses this file",
    "another process scores into this folder",
)


def kill(workshop: Workshop, name: str, kills: int, at_changes: int) -> dict[str, Any]:
    """Kill a command at random moments; what it leaves is whole or absent, and it can resume."""
    reference = workshop.reference(name)
    case = CASES[name]
    attempts = killed = new = killed_at_changes = resumed = 0
    wrong: list[str] = []
    while killed < kills:
        place = workshop.new_place(case)
        found: list[str] = []
        share = (killed + workshop.random.random()) / kills
        for number in range(KILLS_IN_A_FOLDER):
            is_new = number == 0 and new < NEW_PROCESSES and at_changes > 0
            running = workshop.spawn(place, case) if is_new else workshop.fork(place, case)
            attempts += 1
            seconds = reference.seconds + START_SECONDS * is_new
            if not running.kill_after(share * seconds):
                break
            killed += 1
            new += is_new
            found += left(workshop, name, place)
            share = workshop.random.random()
        found += resume(workshop, name, place)
        resumed += not found
        wrong += found
        workshop.discard(place, found)
    changes = range(1, reference.changes + 1)
    for change in workshop.random.sample(changes, min(at_changes, len(changes))):
        attempts += 1
        place = workshop.new_place(case)
        running = workshop.fork(place, case, last_change=change)
        running.wait()
        killed_at_changes += running.returncode == -9
        found = left(workshop, name, place) + resume(workshop, name, place)
        resumed += not found
        wrong += [f"change {change}: {what}" for what in found]
        workshop.discard(place, found)
    return {
        "attempts": attempts,
        "kills": killed,
        "kills of new processes": new,
        "kills at changes of files": killed_at_changes,
        "resumed with an equal result": resumed,
        "half-written files": sum("half-written" in what for what in wrong),
        "stray files": sum("stray" in what for what in wrong),
        "wrong": wrong,
    }


def left(workshop: Workshop, name: str, place: Path) -> list[str]:
    """What is wrong with the files that a killed command left."""
    case = CASES[name]
    found = half_written(place / "out")
    if not found and not case.resumes and (place / "out" / case.target).exists():
        same = case.outcome(place / "out") == workshop.reference(name).outcome
        found += [] if same else [f"half-written file: {case.target} differs"]
    return found


def resume(workshop: Workshop, name: str, place: Path) -> list[str]:
    """What is wrong when the command is run again, some seconds later, to its end."""
    past = time.time() - STALE_SECONDS
    for path in place.rglob(".*"):
        os.utime(path, (past, past))  # in place of waiting
    return workshop.finish(place, name)


def crowd(workshop: Workshop, name: str) -> dict[str, Any]:
    """Run eight processes of a command in one folder, and kill those that have locks."""
    reference = workshop.reference(name)
    case = CASES[name]
    killed = holders = 0
    wrong: list[str] = []
    for _ in range(ROUNDS):
        place = workshop.new_place(case)
        cache = str(place / "out" / "cache" if name == "cache" else place / "cache")
        moment = workshop.random.uniform(0.1, 1.0) * reference.seconds
        processes = [workshop.fork(place, case, PYG_NAS_CACHE=cache) for _ in range(CROWD)]
        processes[0].kill_after(moment)
        killed += 1
        for _ in range(CROWD // 2 - 1):
            alive = [process for process in processes if not process.poll()]
            locking = lock_holders(place, alive)
            if alive:
                holders += bool(locking)
                killed += workshop.random.choice(locking or alive).kill()
            time.sleep(workshop.random.uniform(0, 0.05))
        for process in processes:
            error = process.wait()
            busy = any(words in error for words in BUSY)
            if process.returncode not in (0, -9) and not busy:
                wrong.append(f"exit code {process.returncode}: {error[-300:]}")
        found = half_written(place / "out") + resume(workshop, name, place)
        wrong += found
        workshop.discard(place, found)
    return {
        "rounds": ROUNDS,
        "at once": CROWD,
        "kills": killed,
        "kills of lock holders": holders,
        "half-written files": sum("half-written" in what for what in wrong),
        "stray files": sum("stray" in what for what in wrong),
        "wrong": wrong,
    }


def lock_holders(place: Path, processes: list[Running]) -> list[Running]:
    """The processes that have a lock on a file in a folder."""
    inodes = set()
    for path in place.rglob("*"):
        try:
            inodes.add(path.stat().st_ino)
        except OSError:
            continue
    held = set()
    for line in Path("/proc/locks").read_text().splitlines():
        words = line.split()
        if "->" not in words and int(words[5].split(":")[2]) in inodes:
            held.add(int(words[4]))
    return [process for process in processes if process.pid in held]


@contextmanager
def small_disk(out: Path, size: int) -> Iterator[None]:
    """Make a folder a disk of ``size`` bytes, and after the block one with enough room."""
    kept = out.with_name("kept")
    out.rename(kept)
    out.mkdir()
    mounted = ["tmpfs", "-o", f"size={size}", "none", str(out)]
    subprocess.run(["mount", "-t", *mounted], check=True)
    try:
        taken = sum(path.stat().st_size // 4096 + 1 for path in kept.rglob("*") if path.is_file())
        room = ["mount", "-o", f"remount,size={size + 4096 * taken}", str(out)]
        subprocess.run(room, check=True)
        subprocess.run(["cp", "-r", f"{kept}/.", str(out)], check=True)
        yield
    finally:
        subprocess.run(["rm", "-rf", str(kept)], check=True)
        subprocess.run(["cp", "-r", str(out), str(kept)], check=True)
        subprocess.run(["umount", str(out)], check=True)
        out.rmdir()
        kept.rename(out)


def full_disk(workshop: Workshop, name: str) -> dict[str, Any]:
    """Let files or the disk be small: one line of error, and nothing half written."""
    wrong: list[str] = []
    case = CASES[name]
    disks = DISKS if os.geteuid() == 0 else ()
    refused = 0
    for kind, size in [("file", s) for s in FILE_LIMITS] + [("disk", s) for s in disks]:
        place = workshop.new_place(case)
        if kind == "file":
            running = workshop.fork(place, case, limit=size)
            error = running.wait()
        else:
            with small_disk(place / "out", size):
                running = workshop.fork(place, case)
                error = running.wait()
        found = half_written(place / "out")
        strays = [path for path in (place / "out").rglob("*") if is_temporary(path)]
        found += [f"stray file: {path.name}" for path in strays]
        if running.returncode == 0:
            found += workshop.compared(name, place) if name != "cache" else []
        else:
            refused += 1
            found += not_refused(case, running, error)
        found += resume(workshop, name, place)
        wrong += [f"{kind} of {size} bytes: {what}" for what in found]
        workshop.discard(place, found)
    return {"files": FILE_LIMITS, "disks": disks, "refused": refused, "wrong": wrong}


def read_only(workshop: Workshop, name: str) -> dict[str, Any]:
    """Let the output's folder be read-only: one line of error."""
    case = CASES[name]
    place = workshop.new_place(case)
    for path in (place / "out", *(place / "out").rglob("*")):
        path.chmod(0o555 if path.is_dir() else 0o444)
    running = workshop.fork(place, case, unprivileged=True)
    error = running.wait()
    if running.returncode == 0:
        return {"wrong": [] if name == "cache" else ["exit code 0"]}
    return {"wrong": not_refused(case, running, error)}


def not_refused(case: Case, running: Running, error: str) -> list[str]:
    """What is wrong with the refusal of a command, which is exit code 2 and one line of error."""
    lines = [line for line in error.strip().splitlines() if not line.startswith("warning: ")]
    right = running.returncode == 2 and len(lines) == 1 and lines[0].startswith("error: ")
    if right or case.script is not COMMAND:  # a script without the command line has a traceback
        return []
    return [f"exit code {running.returncode}, {error[-600:]!r}"]


def same(workshop: Workshop, name: str) -> dict[str, Any]:
    """Run a command with other numbers of threads and processes and other seeds of hashes."""
    case = CASES[name]
    wrong: list[str] = []
    settings = [
        ("1", "1", ()),
        ("2", "2", ()),
        *([("1", "3", case.parallel)] * bool(case.parallel)),
    ]
    for threads, seed, arguments in settings:
        place = workshop.new_place(case)
        environment = {"OMP_NUM_THREADS": threads, "PYTHONHASHSEED": seed}
        running = workshop.spawn(place, case, *arguments, **environment)
        wrong += workshop.finish(place, name, running)
    if case.compiles:
        place = workshop.new_place(case)
        running = workshop.spawn(place, case, NUMBA_CACHE_DIR=str(place / "machine code"))
        wrong += workshop.finish(place, name, running)
    return {
        "threads": [1, 2],
        "without stored machine code": case.compiles,
        "processes": " ".join(case.parallel) or "1",
        "seeds of hashes": len(settings),
        "wrong": wrong,
    }


ONCE = {"crowd": crowd, "full disk": full_disk, "read-only": read_only, "same": same}
KILLED = ("import", "convert", "ask", "tell", "measure", "train", "search a task",
          "search a table", "tune", "finish", "dataset", "cache", "predict a stream",
          "predict the best of a stream", "profile", "search networks",
          "ask for networks")  # fmt: skip
CROWDED = ("cache", "dataset", "measure", "search a table", "ask", "tell", "tune", "compare",
           "predict a stream", "profile", "ask for networks")  # fmt: skip
PARTS = [
    *(f"kill:{name}" for name in KILLED),
    *(f"crowd:{name}" for name in CROWDED),
    *(f"{kind}:{name}" for kind in ("read-only", "full disk", "same") for name in CASES),
]


def run_part(part: str, workshop: Workshop, kills: int, before: dict[str, Any]) -> dict[str, Any]:
    """Run a part and return its entry; ``before`` is the one of an earlier run, which is added."""
    kind, name = part.split(":")
    start = time.monotonic()
    done = before.get("kills", 0) if kind == "kill" else 0
    workshop.random = random.Random(f"{part} {done}")
    entry: dict[str, Any]
    if kind == "kill":
        piece = min(KILLS_IN_A_PIECE, kills - done)
        entry = kill(workshop, name, piece, 0 if before else KILLS_AT_CHANGES)
        entry = {key: before[key] + entry[key] if key in before else entry[key] for key in entry}
    else:
        entry = ONCE[kind](workshop, name)
    seconds = before.get("seconds", 0) + round(time.monotonic() - start)
    commits = dict.fromkeys([*before.get("commits", []), commit()])
    return {**entry, "seconds": seconds, "commits": [*commits]}


def is_missing(entry: dict[str, Any] | None, kills: int) -> bool:
    """Whether a part has not been run, or with fewer kills."""
    return entry is None or ("resumed with an equal result" in entry and entry["kills"] < kills)


def commit() -> str:
    """The last commit that changed the package, with a mark where its files differ from it."""
    found = ["git", "log", "-1", "--format=%h", "--abbrev=12", "--", "pyg_nas"]
    changed = ["git", "status", "--porcelain", "--", "pyg_nas"]
    name, more = (subprocess.check_output(c, cwd=ROOT, text=True).strip() for c in (found, changed))
    return f"{name}-changed" if more else name


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
    with tempfile.TemporaryDirectory() as folder:
        workshop = Workshop(Path(folder))
        for part in wanted:
            while is_missing(result.get(part), given.kills):
                result[part] = run_part(part, workshop, given.kills, result.get(part, {}))
                ordered = {part: result[part] for part in PARTS if part in result}
                write_text(given.result, json.dumps(ordered, indent=1) + "\n")
                print(part, result[part]["seconds"], "s", *result[part]["wrong"], sep="\n  ")
    return sum(len(result[part]["wrong"]) for part in wanted)


if __name__ == "__main__":
    sys.exit(bool(main()))
